"""Comparing layers: from history where the answer is there, otherwise from stored representations.

Each layer is prepared once, then all pairs are compared: in one call where the comparator has one, otherwise pair
by pair, side by side where it allows that. A pair for which the measure is undefined, or on which a plugin
fails, is reported with its reason, and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.measure import Measure, explain_missing, find_measure
from layerwise.core.analysis.parallel import Spread, side_by_side
from layerwise.core.base.errors import InputError, PluginError
from layerwise.core.base.provider import Provider
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import Comparison, LayerAddress
from layerwise.core.host.registry import Registry
from layerwise.core.network.representation import Representation

Pair = tuple[LayerAddress, LayerAddress]
Progress = Callable[[int, int], None]
_READ_AT_ONCE = 16  # representations in memory besides the states
PAIRS_AT_ONCE = 8  # enough for NumPy to let other threads work while it solves them


@dataclass(frozen=True)
class ComparisonTable:
    """A measure for every pair of two lists of layers.

    Attributes:
        comparator: Who computed it.
        kind: Whether larger means more alike, or less.
        rows: The layers of the rows.
        columns: The layers of the columns.
        matrix: float64 (len(rows), len(columns)); NaN where undefined.
        reasons: Why, for each pair without a number.
        warnings: What speaks against relying on it, `layer: why`, each once.
        failures: What plugins failed with, each once; some of the pairs without a number are so for that.
    """

    comparator: Provider
    kind: Literal["similarity", "distance"]
    rows: tuple[LayerAddress, ...]
    columns: tuple[LayerAddress, ...]
    matrix: NDArray[np.float64]
    reasons: Mapping[Pair, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()


def compare_layers(
    registry: Registry,
    history: HistoryProtocol,
    comparator: str | Measure,
    rows: Sequence[LayerAddress],
    columns: Sequence[LayerAddress] | None = None,
    save: bool = True,
    progress: Progress | None = None,
) -> ComparisonTable:
    """Compare every row with every column.

    Args:
        registry: Knows the comparators.
        history: Where representations and earlier answers are, and where new ones are kept.
        comparator: Bare or qualified name of the comparator, or a measure: a comparator with settings and metric.
        rows: Layers, of one run or of several on the same stimuli.
        columns: Layers; None for the rows again.
        save: Whether to keep what had to be computed.
        progress: Told how many pairs of how many are done.

    Raises:
        InputError: If there is no such comparator or layer, or the runs are of different stimuli.
    """
    measure = find_measure(registry, comparator) if isinstance(comparator, str) else comparator
    rows = tuple(measure.resolve(address) for address in rows)
    columns = rows if columns is None else tuple(measure.resolve(address) for address in columns)
    check_same_stimuli(history, dict.fromkeys([*rows, *columns]))
    wanted = [(row, column) for row in rows for column in columns]
    answers = _answer_pairs(history, measure, wanted, save, progress)
    return _tabulate(measure, rows, columns, [answers[pair] for pair in wanted])


def compare_pairs(
    registry: Registry,
    history: HistoryProtocol,
    comparator: str | Measure,
    pairs: Sequence[Pair],
    save: bool = True,
    progress: Progress | None = None,
) -> list[Comparison]:
    """Compare these pairs and no others, in the order asked for; each layer is still prepared once.

    Args:
        registry: Knows the comparators.
        history: Where representations and earlier answers are, and where new ones are kept.
        comparator: Bare or qualified name of the comparator, or a measure: a comparator with settings and metric.
        pairs: Two layers each, of one run or of several on the same stimuli.
        save: Whether to keep what had to be computed.
        progress: Told how many pairs of how many are done.

    Raises:
        InputError: If there is no such comparator or layer, or the runs are of different stimuli.
    """
    measure = find_measure(registry, comparator) if isinstance(comparator, str) else comparator
    wanted = [(measure.resolve(first), measure.resolve(second)) for first, second in pairs]
    check_same_stimuli(history, dict.fromkeys(address for pair in wanted for address in pair))
    answers = _answer_pairs(history, measure, wanted, save, progress)
    return [answers[pair] for pair in wanted]


def check_same_stimuli(history: HistoryProtocol, addresses: Iterable[LayerAddress]) -> None:
    """Make sure that all layers are of runs on the same stimuli in the same order.

    Raises:
        InputError: If two are not; names both runs and their sets.
    """
    runs = [history.find_run(run_id) for run_id in dict.fromkeys(address.run_id for address in addresses)]
    for run in runs[1:]:
        if run.stimuli_fingerprint != runs[0].stimuli_fingerprint:
            sets = [f"run {r.id} is of '{r.stimuli_name}' ({r.n_stimuli} stimuli)" for r in (runs[0], run)]
            raise InputError(f"only runs on the same stimuli can be compared: {', '.join(sets)}, which differ")


def _answer_pairs(
    history: HistoryProtocol, measure: Measure, wanted: Sequence[Pair], save: bool, progress: Progress | None
) -> dict[Pair, Comparison]:
    """An answer for every pair: from history, or computed and kept."""
    answers = _read_stored(measure, history, wanted)
    missing = [pair for pair in dict.fromkeys(wanted) if pair not in answers]
    if missing:
        computed = _Computation(measure, history, progress or _ignore).run(missing)
        answers |= computed.answers
        if save:
            history.save_comparisons([answers[pair] for pair in missing if not answers[pair].failed])
    return answers


def _ignore(n_done: int, n_total: int) -> None:
    del n_done, n_total


def _tabulate(
    measure: Measure,
    rows: tuple[LayerAddress, ...],
    columns: tuple[LayerAddress, ...],
    found: Sequence[Comparison],
) -> ComparisonTable:
    values = [np.nan if answer.value is None else answer.value for answer in found]
    matrix = np.array(values, dtype=np.float64).reshape(len(rows), len(columns))
    reasons = {(a.first, a.second): a.reason for a in found if a.value is None}
    warnings = dict.fromkeys(line for a in found if a.value is not None for line in a.reason.splitlines())
    failures = tuple(dict.fromkeys(a.reason for a in found if a.failed))
    return ComparisonTable(measure.provider, measure.kind, rows, columns, matrix, reasons, tuple(warnings), failures)


def _read_stored(measure: Measure, history: HistoryProtocol, wanted: Sequence[Pair]) -> dict[Pair, Comparison]:
    """The answers that history has; of a symmetric measure, in either order."""
    provider = measure.provider
    run_ids = list(dict.fromkeys(address.run_id for pair in wanted for address in pair))
    stored = {(item.first, item.second): item for item in history.read_comparisons(provider, run_ids)}
    answers: dict[Pair, Comparison] = {}
    for first, second in wanted:
        found = stored.get((first, second))
        if found is None and measure.symmetric:
            found = stored.get((second, first))
        if found is not None:
            answers[first, second] = Comparison(provider, first, second, found.value, found.reason)
    return answers


class _Computation:
    """One computation of pairs that history does not have."""

    def __init__(self, measure: Measure, history: HistoryProtocol, progress: Progress) -> None:
        self.answers: dict[Pair, Comparison] = {}
        self._measure = measure
        self._provider = measure.provider
        self._history = history
        self._progress = progress
        self._states: dict[LayerAddress, Any] = {}
        self._told: set[str] = set()
        self._warnings: dict[LayerAddress, str] = {}
        self._unprepared: dict[LayerAddress, InputError | PluginError] = {}  # layers without a state, and why

    def run(self, pairs: Sequence[Pair]) -> _Computation:
        """Prepare each layer once, compare all pairs at once where the comparator can, else one by one."""
        self._progress(0, len(pairs))
        addresses = list(dict.fromkeys(address for pair in pairs for address in pair))
        with side_by_side(self._measure.comparator.offer.threaded) as spread:
            for start in range(0, len(addresses), _READ_AT_ONCE):
                some = addresses[start : start + _READ_AT_ONCE]
                list(spread(self._prepare, list(zip(some, self._read(some), strict=True))))
            ready = [pair for pair in pairs if all(address in self._states for address in pair)]
            for pair in pairs:
                bad = next((address for address in pair if address in self._unprepared), None)
                if bad is not None:
                    self._refuse(pair, self._unprepared[bad], f"{bad.layer}: ")
            self._compare_ready(ready, len(pairs), spread)
        return self

    def _read(self, addresses: Sequence[LayerAddress]) -> list[Representation]:
        try:
            return self._history.read_representations(addresses)
        except InputError as error:
            raise explain_missing(self._measure.metric, error) from error

    def _prepare(self, task: tuple[LayerAddress, Representation]) -> None:
        address, representation = task
        try:
            state = self._measure.prepare(representation)
            self._warnings[address] = self._measure.warn(representation, state)
            self._states[address] = state
        except (InputError, PluginError) as error:
            self._unprepared[address] = error

    def _compare_ready(self, pairs: Sequence[Pair], n_total: int, spread: Spread) -> None:
        at_once = self._compare_at_once(pairs)
        rest: list[Pair] = []
        asked: set[Pair] = set()
        for pair in pairs:
            if pair in at_once:
                self._conclude(pair, at_once[pair])
            elif not (self._measure.symmetric and (pair[1], pair[0]) in asked):
                rest.append(pair)
                asked.add(pair)
        size = PAIRS_AT_ONCE if self._measure.compares_pairs else 1
        some = [rest[start : start + size] for start in range(0, len(rest), size)]
        for chosen, values in zip(some, spread(self._compare_some, some), strict=True):
            for pair, value in zip(chosen, values, strict=True):
                self._conclude(pair, value)
            self._progress(len(self.answers), n_total)
        self._progress(n_total, n_total)

    def _compare_at_once(self, pairs: Sequence[Pair]) -> dict[Pair, float]:
        """What one call gives, where the comparator has one; only what is finite, the rest is asked again."""
        if not pairs:
            return {}
        rows = list(dict.fromkeys(first for first, _ in pairs))
        columns = list(dict.fromkeys(second for _, second in pairs))
        left = [self._states[address] for address in rows]
        right = left if rows == columns else [self._states[address] for address in columns]
        matrix = self._at_once(self._measure.compare_all, left, right)
        if matrix is None:
            return {}
        row_of = {address: index for index, address in enumerate(rows)}
        column_of = {address: index for index, address in enumerate(columns)}
        found = {pair: float(matrix[row_of[pair[0]], column_of[pair[1]]]) for pair in pairs}
        return {pair: value for pair, value in found.items() if np.isfinite(value)}

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
            self._answer(pair, self._measure.check(value), "\n".join(lines))
        except PluginError as error:
            self._refuse(pair, error)

    def _refuse(self, pair: Pair, error: InputError | PluginError, where: str = "") -> None:
        self._answer(pair, None, f"{where}{error}", failed=isinstance(error, PluginError))

    def _answer(self, pair: Pair, value: float | None, reason: str, *, failed: bool = False) -> None:
        orders = (pair, (pair[1], pair[0])) if self._measure.symmetric else (pair,)
        for first, second in orders:
            self.answers[first, second] = Comparison(self._provider, first, second, value, reason, failed)
