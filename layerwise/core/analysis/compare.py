"""Comparing layers: from history where the answer is there, otherwise from stored representations.

Only what is missing is computed (`compute_pairs`). A pair for which the measure is undefined, or on which a plugin
fails, is reported with its reason, and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.compute_pairs import Pair, Progress, compute_pairs
from layerwise.core.analysis.measure import Measure, find_measure
from layerwise.core.base.errors import InputError
from layerwise.core.base.provider import Provider
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import Comparison, LayerAddress, RunRecord
from layerwise.core.host.registry import Registry
from layerwise.core.network.resolution import NOT_DETERMINED


@dataclass(frozen=True, eq=False)
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
        undetermined: The pairs whose number is not determined to two digits by what is known of the layers.
    """

    comparator: Provider
    kind: Literal["similarity", "distance"]
    rows: tuple[LayerAddress, ...]
    columns: tuple[LayerAddress, ...]
    matrix: NDArray[np.float64]
    reasons: Mapping[Pair, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    undetermined: frozenset[Pair] = frozenset()

    @property
    def marked(self) -> NDArray[np.bool_]:
        """Which numbers are not determined to two digits, (len(rows), len(columns))."""
        pairs = [[(row, column) in self.undetermined for column in self.columns] for row in self.rows]
        return np.array(pairs, dtype=np.bool_).reshape(self.matrix.shape)


def compare_layers(
    registry: Registry,
    history: HistoryProtocol,
    comparator: str | Measure,
    rows: Sequence[LayerAddress],
    columns: Sequence[LayerAddress] | None = None,
    save: bool = True,
    progress: Progress | None = None,
    memory: int | None = None,
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
        memory: Bytes that may be taken at a time; None for a share of what is available (`working_memory.SHARE`).

    Raises:
        InputError: If there is no such comparator or layer, or the runs are of different stimuli.
    """
    measure = find_measure(registry, comparator) if isinstance(comparator, str) else comparator
    rows = tuple(measure.resolve(address) for address in rows)
    columns = rows if columns is None else tuple(measure.resolve(address) for address in columns)
    check_same_stimuli(history, dict.fromkeys([*rows, *columns]))
    wanted = [(row, column) for row in rows for column in columns]
    answers = _answer_pairs(history, measure, wanted, save, progress, memory)
    return _tabulate(measure, rows, columns, [answers[pair] for pair in wanted])


def compare_pairs(
    registry: Registry,
    history: HistoryProtocol,
    comparator: str | Measure,
    pairs: Sequence[Pair],
    save: bool = True,
    progress: Progress | None = None,
    memory: int | None = None,
) -> list[Comparison]:
    """Compare these pairs and no others, in the order asked for.

    Args:
        registry: Knows the comparators.
        history: Where representations and earlier answers are, and where new ones are kept.
        comparator: Bare or qualified name of the comparator, or a measure: a comparator with settings and metric.
        pairs: Two layers each, of one run or of several on the same stimuli.
        save: Whether to keep what had to be computed.
        progress: Told how many pairs of how many are done.
        memory: Bytes that may be taken at a time; None for a share of what is available (`working_memory.SHARE`).

    Raises:
        InputError: If there is no such comparator or layer, or the runs are of different stimuli.
    """
    measure = find_measure(registry, comparator) if isinstance(comparator, str) else comparator
    wanted = [(measure.resolve(first), measure.resolve(second)) for first, second in pairs]
    check_same_stimuli(history, dict.fromkeys(address for pair in wanted for address in pair))
    answers = _answer_pairs(history, measure, wanted, save, progress, memory)
    return [answers[pair] for pair in wanted]


def describe_basis(runs: Iterable[RunRecord]) -> str:
    """Of which pairs of stimuli comparisons of these runs are made, where not of all; empty where of all."""
    known = [run for run in runs if run.n_landmarks]
    if not known:
        return ""
    least = min(known, key=lambda run: run.n_landmarks or 0)
    return f"of pairs with the first {least.n_landmarks:,} of {least.n_stimuli:,} stimuli, the landmarks"


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
    history: HistoryProtocol,
    measure: Measure,
    wanted: Sequence[Pair],
    save: bool,
    progress: Progress | None,
    memory: int | None,
) -> dict[Pair, Comparison]:
    """An answer for every pair: from history, or computed and kept."""
    answers = _read_stored(measure, history, wanted)
    missing = [pair for pair in dict.fromkeys(wanted) if pair not in answers]
    answers |= compute_pairs(history, measure, missing, memory, progress)
    if missing and save:
        history.save_comparisons([answers[pair] for pair in missing if not answers[pair].failed])
    return answers


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
    doubted = frozenset((a.first, a.second) for a in found if a.value is not None and NOT_DETERMINED in a.reason)
    warned = tuple(sorted(warnings, key=lambda line: NOT_DETERMINED not in line))  # unknown before biased
    return ComparisonTable(measure.provider, measure.kind, rows, columns, matrix, reasons, warned, failures, doubted)


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
