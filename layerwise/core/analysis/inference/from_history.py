"""Bootstrap intervals, permutation tests and differences of comparisons: from history, or computed and kept.

The draws depend on the seed alone, so that an interval is the same whichever other layers are asked about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from layerwise.core.analysis.checking.equivalence import place
from layerwise.core.analysis.compare import check_same_stimuli
from layerwise.core.analysis.inference.correction import DEFAULT_CORRECTION, PValues, find_correction
from layerwise.core.analysis.inference.generic import Permuted, permute_blocks, replicate, replicate_blocks
from layerwise.core.analysis.inference.intervals import find_method, make_intervals
from layerwise.core.analysis.inference.layer_blocks import StoredLayers
from layerwise.core.analysis.inference.permutation import permutation_p
from layerwise.core.analysis.inference.plans import check_interval_plan, check_permutation_plan
from layerwise.core.analysis.inference.replicates import Replicates, Values
from layerwise.core.analysis.measure import Measure
from layerwise.core.history.intervals import (
    ComparisonInterval,
    ComparisonTest,
    Interval,
    IntervalPlan,
    PermutationPlan,
)
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import LayerAddress

Pair = tuple[LayerAddress, LayerAddress]
SAME_LAYER = "a layer is not tested against itself"


@dataclass(frozen=True, eq=False)
class IntervalTable:
    """Intervals of all pairs of some layers.

    Attributes:
        plan: How they were made.
        low: (n, n); lower ends, NaN where there is none.
        high: (n, n); upper ends.
        reasons: Why, for each pair without an interval.
    """

    plan: IntervalPlan
    low: Values
    high: Values
    reasons: Mapping[Pair, str]


@dataclass(frozen=True, eq=False)
class PermutationTable:
    """Permutation tests of all pairs of some layers.

    Attributes:
        plan: How they were made.
        correction: Name of the correction for the family.
        p: (n, n); NaN where there is no test, on the diagonal for instance.
        p_corrected: (n, n); corrected for all pairs of different layers, each once if the measure is symmetric.
        n_tests: How many tests the family has.
        reasons: Why, for each pair without a test.
    """

    plan: PermutationPlan
    correction: str
    p: PValues
    p_corrected: PValues
    n_tests: int
    reasons: Mapping[Pair, str]


@dataclass(frozen=True)
class Difference:
    """The difference between two comparisons over the same stimuli.

    Attributes:
        first: Two layers.
        second: Two others.
        value: The measure for the first pair minus that for the second; NaN where undefined.
        interval: Of the difference, from the same resamples for both; with the p-value of there being none.
        n_needed: With how many stimuli the interval would just exclude 0, if the difference stays: t sqrt(a n / N +
            b (n / N)^2) is the difference, a and b the parts of its variance from stimuli and from pairs. None where
            no such number is useful.
    """

    first: Pair
    second: Pair
    value: float
    interval: Interval
    n_needed: int | None = None


def ask_intervals(
    history: HistoryProtocol,
    measure: Measure,
    layers: Sequence[LayerAddress],
    plan: IntervalPlan,
    save: bool = True,
    memory: int | None = None,
) -> IntervalTable:
    """An interval for every pair of these layers.

    Args:
        history: Where representations are, and where intervals are kept.
        measure: What is compared.
        layers: Layers, of one run or of several on the same stimuli.
        plan: How.
        save: Whether to keep what had to be computed.
        memory: Bytes that may be taken at a time; None for a share of what is available (`working_memory.SHARE`).

    Raises:
        InputError: If the plan makes no sense, there are fewer than four stimuli, or the runs are of different ones.
    """
    check_interval_plan(plan)
    rows = [measure.resolve(address) for address in layers]
    check_same_stimuli(history, rows)
    pairs = [(first, second) for first in rows for second in rows]
    kept = {
        (item.first, item.second): item for item in history.read_intervals(measure.provider, plan, _run_ids(rows))
    }
    if any(pair not in kept for pair in pairs):
        kept = _compute_intervals(history, measure, rows, plan, memory)
        if save:
            history.save_intervals(plan, list(kept.values()))
    chosen = [kept[pair] for pair in pairs]
    shape = (len(rows), len(rows))
    return IntervalTable(
        plan,
        _matrix([item.low for item in chosen], shape),
        _matrix([item.high for item in chosen], shape),
        {(item.first, item.second): item.reason for item in chosen if item.low is None},
    )


def ask_tests(
    history: HistoryProtocol,
    measure: Measure,
    layers: Sequence[LayerAddress],
    plan: PermutationPlan,
    correction: str = DEFAULT_CORRECTION,
    save: bool = True,
    memory: int | None = None,
) -> PermutationTable:
    """A permutation test for every pair of these layers, corrected for all of them.

    Raises:
        InputError: If the plan makes no sense, there are fewer than four stimuli, or the runs are of different ones.
    """
    check_permutation_plan(plan)
    correct = find_correction(correction)
    rows = [measure.resolve(address) for address in layers]
    check_same_stimuli(history, rows)
    pairs = [(first, second) for first in rows for second in rows]
    kept = {(item.first, item.second): item for item in history.read_tests(measure.provider, plan, _run_ids(rows))}
    if any(pair not in kept for pair in pairs):
        kept = _compute_tests(history, measure, rows, plan, memory)
        if save:
            history.save_tests(plan, list(kept.values()))
    chosen = [kept[pair] for pair in pairs]
    p = _matrix([item.p for item in chosen], (len(rows), len(rows)))
    reasons = {(item.first, item.second): item.reason for item in chosen if item.p is None}
    n_tests = int(np.isfinite(p).sum()) // (2 if measure.symmetric else 1)
    return PermutationTable(plan, correction, p, _correct_family(p, correct, measure.symmetric), n_tests, reasons)


def ask_differences(
    history: HistoryProtocol, measure: Measure, pairs: Sequence[tuple[Pair, Pair]], plan: IntervalPlan
) -> list[Difference]:
    """How much more alike (or far apart) two layers are than two others, over the same stimuli.

    Args:
        history: Where representations are.
        measure: What is compared.
        pairs: Two comparisons each: the first minus the second is asked for.
        plan: How.

    Raises:
        InputError: If the plan makes no sense, there are fewer than four stimuli, or the runs are of different ones.
    """
    check_interval_plan(plan)
    wanted = [tuple(measure.resolve(end) for comparison in both for end in comparison) for both in pairs]
    rows = list(dict.fromkeys(end for ends in wanted for end in ends))
    check_same_stimuli(history, rows)
    row_of = {address: index for index, address in enumerate(rows)}
    indices = np.array([[row_of[end] for end in ends] for ends in wanted], dtype=np.intp).reshape(-1, 4).T
    replicates = replicate(measure, StoredLayers(history, rows), plan.n_resamples, plan.seed)
    change = replicates.select((indices[0], indices[1])).minus(replicates.select((indices[2], indices[3])))
    found = make_intervals(change, find_method(plan.method), plan.level)
    needed = [_count_needed(change, place, plan.level) for place in range(len(pairs))]
    return [
        Difference(first, second, float(value), interval, n_needed)
        for (first, second), value, interval, n_needed in zip(pairs, change.estimate, found, needed, strict=True)
    ]


def _count_needed(change: Replicates, number: int, level: float) -> int | None:
    """With how many stimuli one difference would be settled."""
    placed = place(change.select((np.array([number]),)), 0.0, "similarity", level)
    return None if placed.standing is None else placed.standing.stimuli_to_settle((1 - level) / 2, fewer=True)


def _compute_intervals(
    history: HistoryProtocol,
    measure: Measure,
    rows: Sequence[LayerAddress],
    plan: IntervalPlan,
    memory: int | None,
) -> dict[Pair, ComparisonInterval]:
    intervals: dict[Pair, ComparisonInterval] = {}
    layers = StoredLayers(history, rows)
    for places, replicates in replicate_blocks(measure, layers, plan.n_resamples, plan.seed, memory):
        found = make_intervals(replicates, find_method(plan.method), plan.level)
        some = [rows[place] for place in places]
        for (first, second), item in zip(product(some, some), found, strict=True):
            interval = ComparisonInterval(measure.provider, first, second, item.low, item.high, item.reason)
            intervals[first, second] = interval
    return intervals


def _compute_tests(
    history: HistoryProtocol,
    measure: Measure,
    rows: Sequence[LayerAddress],
    plan: PermutationPlan,
    memory: int | None,
) -> dict[Pair, ComparisonTest]:
    tests: dict[Pair, ComparisonTest] = {}
    layers = StoredLayers(history, rows)
    for places, found in permute_blocks(measure, layers, plan.n_permutations, plan.seed, memory):
        tests |= _test_block(measure, [rows[place] for place in places], found, plan)
    return tests


def _test_block(
    measure: Measure, rows: Sequence[LayerAddress], found: Permuted, plan: PermutationPlan
) -> dict[Pair, ComparisonTest]:
    p = permutation_p(found.estimate, found.permuted, measure.kind, plan.alternative)
    if measure.symmetric:  # permuting either layer is one test: the one of the pair in the order of the layers
        p = np.where(np.tri(len(p), k=-1, dtype=np.bool_), p.T, p)
    tests: dict[Pair, ComparisonTest] = {}
    for i, first in enumerate(rows):
        for j, second in enumerate(rows):
            value: float | None = float(p[i, j])
            reason = ""
            if i == j:
                value, reason = None, SAME_LAYER
            elif not np.isfinite(p[i, j]):
                n_undefined = int((~np.isfinite(found.permuted[:, i, j])).sum())
                value, reason = None, f"undefined for {n_undefined} of {plan.n_permutations} permutations"
            tests[first, second] = ComparisonTest(measure.provider, first, second, value, reason)
    return tests


def _correct_family(p: PValues, correct: Callable[[PValues], PValues], is_symmetric: bool) -> PValues:
    if not is_symmetric:
        return correct(p)
    upper = np.triu_indices(len(p), 1)
    corrected = np.full(p.shape, np.nan)
    corrected[upper] = correct(p[upper])
    corrected.T[upper] = corrected[upper]
    return corrected


def _run_ids(rows: Sequence[LayerAddress]) -> list[str]:
    return list(dict.fromkeys(address.run_id for address in rows))


def _matrix(values: Sequence[float | None], shape: tuple[int, int]) -> Values:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64).reshape(shape)
