"""Computing the pairs of layers that a history does not have, in blocks that fit into a budget of memory.

Each layer is prepared once where all states fit; otherwise a block of layers is held while the others come by, a few
at a time. Then pairs are compared: many in one call where the comparator has one, otherwise pair by pair, side by
side where it allows that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.compute_panels import compute_in_panels, reads_panels
from layerwise.core.analysis.doubt import doubt_layers, doubt_stimuli, prepare_again
from layerwise.core.analysis.measure import Measure, explain_missing
from layerwise.core.analysis.pair_blocks import cover_pairs, cut_rectangle, rank_items
from layerwise.core.analysis.parallel import Spread, side_by_side
from layerwise.core.analysis.working_memory import plan_memory, size_of
from layerwise.core.base.errors import InputError, PluginError
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import Comparison, LayerAddress, RunRecord
from layerwise.core.host.kinds import PanelComparator
from layerwise.core.network.matrices.landmarks import LandmarkPairs, describe_landmarks
from layerwise.core.network.matrices.pairs import Pairs
from layerwise.core.network.representation import Representation

Pair = tuple[LayerAddress, LayerAddress]
Progress = Callable[[int, int], None]


def compute_pairs(
    history: HistoryProtocol,
    measure: Measure,
    pairs: Sequence[Pair],
    memory: int | None = None,
    progress: Progress | None = None,
) -> dict[Pair, Comparison]:
    """The measure for these pairs of layers, without asking what the history knows of them.

    Args:
        history: Where representations are read.
        measure: What compares them.
        pairs: Two layers each, resolved, of runs on the same stimuli; each pair once.
        memory: Bytes that may be taken at a time; None for a share of what is available.
        progress: Told how many pairs of how many are done.

    Raises:
        InputError: If a layer is not stored, or the memory does not hold two of them.
    """
    progress = progress or _ignore
    n_stimuli = history.find_run(pairs[0][0].run_id).n_stimuli if pairs else 0
    answers: dict[Pair, Comparison] = {}
    if landmarks := find_landmarks(history, (end.run_id for pair in pairs for end in pair)):
        opened = open_by_landmarks(history, measure, pairs, landmarks)
        return compute_in_panels(measure, opened, pairs, plan_memory(memory, n_stimuli).n_bytes, progress)
    if reads_panels(measure, n_stimuli):
        layers = _open_layers(history, measure, pairs)
        chosen = [pair for pair in pairs if all(layers[end].has_zero for end in pair)]
        ends = dict.fromkeys(end for pair in chosen for end in pair)
        n_bytes = plan_memory(memory, n_stimuli).n_bytes
        answers = compute_in_panels(measure, {end: layers[end] for end in ends}, chosen, n_bytes, progress)
    if rest := [pair for pair in pairs if pair not in answers]:
        plan_memory(memory, n_stimuli).check(measure.name)
        answers |= _Computation(history, measure, rest, memory, progress).run()
    return answers


def find_landmarks(history: HistoryProtocol, run_ids: Iterable[str]) -> RunRecord | None:
    """The run with the fewest landmarks; None where all of them keep all pairs."""
    runs = [history.find_run(run_id) for run_id in dict.fromkeys(run_ids)]
    return min((run for run in runs if run.n_landmarks), key=lambda run: run.n_landmarks or 0, default=None)


def open_by_landmarks(
    history: HistoryProtocol, measure: Measure, pairs: Sequence[Pair], run: RunRecord
) -> dict[LayerAddress, Pairs]:
    """Layers with the pairs that all of them know: those with the landmarks of this run.

    Raises:
        InputError: If the measure needs all pairs, or a layer was imported.
    """
    offer, n_landmarks = measure.comparator.offer, run.n_landmarks or 0
    if not (isinstance(offer, PanelComparator) and offer.reads_landmarks):
        raise InputError(describe_landmarks(run.id, n_landmarks, measure.name))
    opened = _open_layers(history, measure, pairs)
    return {end: LandmarkPairs(layer, n_landmarks) for end, layer in opened.items()}


def _open_layers(history: HistoryProtocol, measure: Measure, pairs: Sequence[Pair]) -> dict[LayerAddress, Pairs]:
    addresses = list(dict.fromkeys(end for pair in pairs for end in pair))
    try:
        return dict(zip(addresses, history.open_layers(addresses), strict=True))
    except InputError as error:
        raise explain_missing(measure.metric, error) from error


def _ignore(n_done: int, n_total: int) -> None:
    del n_done, n_total


class _Computation:
    def __init__(
        self,
        history: HistoryProtocol,
        measure: Measure,
        pairs: Sequence[Pair],
        memory: int | None,
        progress: Progress,
    ) -> None:
        self._history = history
        self._measure = measure
        self._provider = measure.provider
        self._progress = progress
        self._asked = frozenset(pairs)
        self._open = dict.fromkeys(pairs)  # asked for and not yet answered, in the order asked for
        self._answers: dict[Pair, Comparison] = {}
        self._memory = plan_memory(memory, history.find_run(pairs[0][0].run_id).n_stimuli)
        self._states: dict[LayerAddress, Any] = {}
        self._state_bytes = 0  # of the largest that was seen: how many fit is known only then
        self._told: set[str] = set()
        self._warnings: dict[LayerAddress, str] = {}
        self._again: dict[LayerAddress, Sequence[Any]] = {}  # states of layers as they might as well be known
        self._unprepared: dict[LayerAddress, InputError | PluginError] = {}  # layers without a state, and why

    def run(self) -> dict[Pair, Comparison]:
        """Hold a block of layers while the others that it is compared with come by, until no pair is open."""
        self._progress(0, len(self._asked))
        with side_by_side(self._measure.comparator.offer.threaded, self._memory.n_threads) as spread:
            self._hold(rank_items(self._open)[:1], spread)  # to see how large a state is
            while self._open:
                held, others, n_visiting = self._choose_block()
                self._hold(held, spread)
                self._compare_held(spread)
                for start in range(0, len(others), n_visiting):
                    self._hold([*held, *others[start : start + n_visiting]], spread)
                    self._compare_held(spread)
        self._progress(len(self._asked), len(self._asked))
        return self._answers

    def _choose_block(self) -> tuple[list[LayerAddress], list[LayerAddress], int]:
        """The layers to hold, those to come by, and how many of these at a time.

        Few visitors at a time leave room for more to be held, so that the others have to come by less often.
        """
        layers = rank_items(self._open)
        room = self._memory.count_states(self._state_bytes)
        if len(layers) <= room:
            return layers, [], 1
        n_visiting = max(1, min(self._memory.n_read, room // 4))
        held = layers[: room - n_visiting]
        inside = set(held)
        wanted = {end for pair in self._open if not inside.isdisjoint(pair) for end in pair}
        return held, [address for address in layers if address in wanted - inside], n_visiting

    def _hold(self, wanted: Sequence[LayerAddress], spread: Spread) -> None:
        """Have a state of each of these layers, and of no others."""
        self._states = {address: self._states[address] for address in wanted if address in self._states}
        self._again = {address: self._again[address] for address in self._states if address in self._again}
        lacking = [address for address in wanted if address not in self._states and address not in self._unprepared]
        for start in range(0, len(lacking), self._memory.n_read):
            some = lacking[start : start + self._memory.n_read]
            list(spread(self._prepare, list(zip(some, self._read(some), strict=True))))
            sizes = [
                size_of((self._states[address], self._again.get(address)))
                for address in some
                if address in self._states
            ]
            self._state_bytes = max(self._state_bytes, *sizes, 1)

    def _read(self, addresses: Sequence[LayerAddress]) -> list[Representation]:
        try:
            return self._history.read_representations(addresses)
        except InputError as error:
            raise explain_missing(self._measure.metric, error) from error

    def _prepare(self, task: tuple[LayerAddress, Representation]) -> None:
        address, representation = task
        try:
            state = self._measure.prepare(representation)
            if address not in self._warnings:  # a layer that comes by again has had its warning
                self._warnings[address] = self._measure.warn(representation, state)
            self._states[address] = state
            again = prepare_again(self._measure, representation)
            if again:
                self._again[address] = again
        except (InputError, PluginError) as error:
            self._unprepared[address] = error

    def _compare_held(self, spread: Spread) -> None:
        """Answer every open pair of which both layers are there, or one can't be."""
        ready: list[Pair] = []
        for pair in list(self._open):
            bad = next((address for address in pair if address in self._unprepared), None)
            if bad is not None:
                self._refuse(pair, self._unprepared[bad], f"{bad.layer}: ")
            elif pair[0] in self._states and pair[1] in self._states:
                ready.append(pair)
        at_once = self._compare_at_once(ready)
        rest: list[Pair] = []
        seen: set[Pair] = set()
        for pair in ready:
            if pair in at_once:
                self._conclude(pair, at_once[pair])
            elif not (self._measure.symmetric and (pair[1], pair[0]) in seen):
                rest.append(pair)
                seen.add(pair)
        self._show_progress()
        size = self._memory.n_pairs if self._measure.compares_pairs else 1
        some = [rest[start : start + size] for start in range(0, len(rest), size)]
        for chosen, values in zip(some, spread(self._compare_some, some), strict=True):
            for pair, value in zip(chosen, values, strict=True):
                self._conclude(pair, value)
            self._show_progress()

    def _show_progress(self) -> None:
        self._progress(len(self._asked) - len(self._open), len(self._asked))

    def _compare_at_once(self, pairs: Sequence[Pair]) -> dict[Pair, float]:
        """What calls for many give, where the comparator has one; only what is finite, the rest is asked again."""
        found: dict[Pair, float] = {}
        if not self._measure.compares_all:
            return found
        n_most = self._memory.count_copies(self._state_bytes)
        for rectangle in cover_pairs(pairs, symmetric=self._measure.symmetric):
            for rows, columns in cut_rectangle(*rectangle, n_most):
                if all((row, column) in found for row in rows for column in columns):
                    continue  # the other half of a symmetric matrix that was cut into pieces
                found |= self._compare_rectangle(rows, columns)
        return found

    def _compare_rectangle(self, rows: Sequence[LayerAddress], columns: Sequence[LayerAddress]) -> dict[Pair, float]:
        left = [self._states[address] for address in rows]
        # The very same list tells a comparator that the matrix is symmetric: half of the work, exactly symmetric.
        right = left if rows == columns else [self._states[address] for address in columns]
        matrix = self._at_once(self._measure.compare_all, left, right)
        found: dict[Pair, float] = {}
        if matrix is None:
            return found
        for i, j in np.argwhere(np.isfinite(matrix)).tolist():
            found[rows[i], columns[j]] = float(matrix[i, j])
            if self._measure.symmetric:
                found.setdefault((columns[j], rows[i]), float(matrix[i, j]))
        return found

    def _compare_some(self, pairs: Sequence[Pair]) -> Sequence[float | InputError | PluginError]:
        """Several pairs at once where the comparator can; what that leaves undefined, or refuses, one by one."""
        values = np.full(len(pairs), np.nan)
        if len(pairs) > 1:
            ends = ([self._states[pair[end]] for pair in pairs] for end in (0, 1))
            found = self._at_once(self._measure.compare_pairs, *ends)
            values = values if found is None else found
        return [
            float(value) if np.isfinite(value) else self._compare_one(pair)
            for pair, value in zip(pairs, values, strict=True)
        ]

    def _at_once(self, function: Callable[..., Any], *states: Sequence[Any]) -> NDArray[np.float64] | None:
        """What the comparator says of several pairs together; None where it cannot, and a warning where it fails."""
        try:
            found: NDArray[np.float64] | None = function(*states)
        except InputError:
            return None
        except PluginError as error:
            if str(error) not in self._told:
                self._told.add(str(error))
                self._measure.comparator.caller.warn(f"{error}; each pair is compared by itself")
            return None
        return found

    def _compare_one(self, pair: Pair) -> float | InputError | PluginError:
        try:
            return self._measure.compare(self._states[pair[0]], self._states[pair[1]])
        except (InputError, PluginError) as error:
            return error

    def _conclude(self, pair: Pair, value: float | InputError | PluginError) -> None:
        """Answer with a value, checked, or with the reason why there is none."""
        if isinstance(value, InputError | PluginError):
            self._refuse(pair, value)
            return
        lines = [f"{end.layer}: {self._warnings[end]}" for end in dict.fromkeys(pair) if self._warnings[end]]
        try:
            lines += self._doubt(pair, value)
            self._answer(pair, self._measure.check(value), "\n".join(lines))
        except PluginError as error:
            self._refuse(pair, error)

    def _doubt(self, pair: Pair, value: float) -> list[str]:
        """Says so where a value is not determined by what is known of its layers."""
        states = (self._states[pair[0]], self._states[pair[1]])
        again = (self._again.get(pair[0], ()), self._again.get(pair[1], ()))
        if found := doubt_stimuli(self._measure, value, states, again):
            return [f"{end.layer}: {found}" for end in dict.fromkeys(pair) if end in self._again]
        if pair[0] != pair[1] and (found := doubt_layers(self._measure, value, states)):
            return [f"{pair[0].layer}, {pair[1].layer}: {found}"]
        return []

    def _refuse(self, pair: Pair, error: InputError | PluginError, where: str = "") -> None:
        self._answer(pair, None, f"{where}{error}", failed=isinstance(error, PluginError))

    def _answer(self, pair: Pair, value: float | None, reason: str, *, failed: bool = False) -> None:
        orders = (pair, (pair[1], pair[0])) if self._measure.symmetric else (pair,)
        for first, second in orders:
            if (first, second) in self._asked:
                self._answers[first, second] = Comparison(self._provider, first, second, value, reason, failed)
                self._open.pop((first, second), None)
