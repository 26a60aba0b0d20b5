"""Comparing layers: from history where the answer is there, otherwise from stored representations.

Each layer is prepared once, then all pairs are compared. A pair for which the measure is undefined, or on which
a plugin fails, is reported with its reason, and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from layerwise.core.errors import InputError, PluginError
from layerwise.core.kinds import Comparator
from layerwise.core.protocols import History
from layerwise.core.records import Comparison, LayerAddress, Provider
from layerwise.core.registry import Registered, Registry
from layerwise.core.validation import check_array, check_comparison

Pair = tuple[LayerAddress, LayerAddress]


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
    """

    comparator: Provider
    kind: Literal["similarity", "distance"]
    rows: tuple[LayerAddress, ...]
    columns: tuple[LayerAddress, ...]
    matrix: NDArray[np.float64]
    reasons: Mapping[Pair, str] = field(default_factory=dict)


def compare_layers(
    registry: Registry,
    history: History,
    comparator_name: str,
    rows: Sequence[LayerAddress],
    columns: Sequence[LayerAddress] | None = None,
    save: bool = True,
) -> ComparisonTable:
    """Compare every row with every column.

    Args:
        registry: Knows the comparators.
        history: Where representations and earlier answers are, and where new ones are kept.
        comparator_name: Bare or qualified name of the comparator.
        rows: Layers, of one run or of several on the same stimuli.
        columns: Layers; None for the rows again.
        save: Whether to keep what had to be computed.

    Raises:
        InputError: If there is no such comparator or layer, or the runs are of different stimuli.
    """
    comparator = registry.get(Comparator, comparator_name)
    columns = tuple(rows) if columns is None else tuple(columns)
    addresses = list(dict.fromkeys([*rows, *columns]))
    check_same_stimuli(history, addresses)
    provider = Provider(comparator.qualified_name, comparator.version)
    wanted = [(row, column) for row in rows for column in columns]
    answers = _read_stored(comparator, provider, history, wanted)
    missing = [pair for pair in dict.fromkeys(wanted) if pair not in answers]
    if missing:
        computed = _Computation(comparator, provider, history).run(missing)
        answers |= computed.answers
        if save:
            history.save_comparisons([answers[pair] for pair in missing if pair not in computed.failed])
    found = [answers[pair] for pair in wanted]
    values = [np.nan if answer.value is None else answer.value for answer in found]
    matrix = np.array(values, dtype=np.float64).reshape(len(rows), len(columns))
    reasons = {(a.first, a.second): a.reason for a in found if a.value is None}
    return ComparisonTable(provider, comparator.offer.kind, tuple(rows), columns, matrix, reasons)


def check_same_stimuli(history: History, addresses: Iterable[LayerAddress]) -> None:
    """Make sure that all layers are of runs on the same stimuli in the same order.

    Raises:
        InputError: If two are not; names both runs and their sets.
    """
    runs = [history.find_run(run_id) for run_id in dict.fromkeys(address.run_id for address in addresses)]
    for run in runs[1:]:
        if run.stimuli_fingerprint != runs[0].stimuli_fingerprint:
            sets = [f"run {r.id} is of '{r.stimuli_name}' ({r.n_stimuli} stimuli)" for r in (runs[0], run)]
            raise InputError(f"only runs on the same stimuli can be compared: {', '.join(sets)}, which differ")


def _read_stored(
    comparator: Registered[Comparator], provider: Provider, history: History, wanted: Sequence[Pair]
) -> dict[Pair, Comparison]:
    """The answers that history has; of a symmetric measure, in either order."""
    run_ids = list(dict.fromkeys(address.run_id for pair in wanted for address in pair))
    stored = {(item.first, item.second): item for item in history.read_comparisons(provider, run_ids)}
    answers: dict[Pair, Comparison] = {}
    for first, second in wanted:
        found = stored.get((first, second))
        if found is None and comparator.offer.symmetric:
            found = stored.get((second, first))
        if found is not None:
            answers[first, second] = Comparison(provider, first, second, found.value, found.reason)
    return answers


class _Computation:
    """One computation of pairs that history does not have."""

    def __init__(self, comparator: Registered[Comparator], provider: Provider, history: History) -> None:
        self.answers: dict[Pair, Comparison] = {}
        self.failed: set[Pair] = set()  # a plugin's failure is told, but never kept as the answer
        self._comparator = comparator
        self._provider = provider
        self._history = history
        self._states: dict[LayerAddress, Any] = {}
        self._unprepared: dict[LayerAddress, InputError | PluginError] = {}  # layers without a state, and why

    def run(self, pairs: Sequence[Pair]) -> _Computation:
        """Prepare each layer once, compare all pairs at once where the comparator can, else one by one."""
        for address in dict.fromkeys(address for pair in pairs for address in pair):
            self._prepare(address)
        ready = [pair for pair in pairs if all(address in self._states for address in pair)]
        for pair in pairs:
            bad = next((address for address in pair if address in self._unprepared), None)
            if bad is not None:
                self._refuse(pair, self._unprepared[bad], f"{bad.layer}: ")
        at_once = self._compare_at_once(ready)
        for pair in ready:
            if pair not in self.answers:
                self._compare_one(pair, at_once.get(pair))
        return self

    def _prepare(self, address: LayerAddress) -> None:
        representation = self._history.read_representation(address)
        try:
            self._states[address] = self._comparator.call(self._comparator.offer.prepare, representation)
        except (InputError, PluginError) as error:
            self._unprepared[address] = error

    def _compare_at_once(self, pairs: Sequence[Pair]) -> dict[Pair, float]:
        """What one call gives, where the comparator has one; only what is finite, the rest is asked again."""
        if not pairs or type(self._comparator.offer).compare_all is Comparator.compare_all:
            return {}
        rows = list(dict.fromkeys(first for first, _ in pairs))
        columns = list(dict.fromkeys(second for _, second in pairs))
        left = [self._states[address] for address in rows]
        right = left if rows == columns else [self._states[address] for address in columns]
        try:
            matrix = self._comparator.call(self._comparator.offer.compare_all, left, right)
            check_array(self._comparator, matrix, (len(rows), len(columns)), finite=False)
        except (InputError, PluginError):
            return {}
        row_of = {address: index for index, address in enumerate(rows)}
        column_of = {address: index for index, address in enumerate(columns)}
        found = {pair: float(matrix[row_of[pair[0]], column_of[pair[1]]]) for pair in pairs}
        return {pair: value for pair, value in found.items() if np.isfinite(value)}

    def _compare_one(self, pair: Pair, value: float | None) -> None:
        """Check a value that is there, or compute it; of a symmetric measure, answer both orders."""
        first, second = pair
        try:
            if value is None:
                value = self._comparator.call(
                    self._comparator.offer.compare, self._states[first], self._states[second]
                )
            self._answer(pair, check_comparison(self._comparator, value), "")
        except (InputError, PluginError) as error:
            self._refuse(pair, error)

    def _refuse(self, pair: Pair, error: InputError | PluginError, where: str = "") -> None:
        self._answer(pair, None, f"{where}{error}")
        if isinstance(error, PluginError):
            self.failed |= {pair, (pair[1], pair[0])}

    def _answer(self, pair: Pair, value: float | None, reason: str) -> None:
        orders = (pair, (pair[1], pair[0])) if self._comparator.offer.symmetric else (pair,)
        for first, second in orders:
            self.answers[first, second] = Comparison(self._provider, first, second, value, reason)
