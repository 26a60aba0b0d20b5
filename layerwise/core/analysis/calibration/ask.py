"""Calibrated scores of layers of a history, and the best of all that was searched.

Nothing is kept: they follow from stored representations and the seed, in seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.calibration.scores import DEFAULT_ALPHA, Calibrated, calibrate, calibrate_best
from layerwise.core.analysis.compare import check_same_stimuli
from layerwise.core.analysis.inference.generic import permute
from layerwise.core.analysis.inference.layer_blocks import StoredLayers
from layerwise.core.analysis.inference.plans import check_permutation_plan
from layerwise.core.analysis.measure import Measure
from layerwise.core.history.intervals import PermutationPlan
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import LayerAddress

Values = NDArray[np.float64]


@dataclass(frozen=True)
class BestPair:
    """The most alike of all pairs that were searched.

    Attributes:
        first: The row.
        second: The column.
        value: How alike they are.
        score: Calibrated by the best of each permutation.
        threshold: What the best of all pairs reaches by chance.
        p: Of the best against the best of each permutation.
        n_searched: How many pairs were searched.
        across: Whether pairs of layers of two runs were searched, or all pairs of one.
    """

    first: LayerAddress
    second: LayerAddress
    value: float
    score: float
    threshold: float
    p: float
    n_searched: int
    across: bool


@dataclass(frozen=True, eq=False)
class CalibratedTable:
    """Calibrated scores of every pair of some layers.

    Attributes:
        plan: How they were made.
        alpha: The share of permutations that may exceed a threshold.
        scores: (n, n); NaN where undefined, and for a layer with itself.
        thresholds: (n, n).
        p: (n, n); one pair by itself.
        best: The best pair of all that were searched; None where nothing is defined, or fewer than two layers.
    """

    plan: PermutationPlan
    alpha: float
    scores: Values
    thresholds: Values
    p: Values
    best: BestPair | None


def ask_calibrated(
    history: HistoryProtocol,
    measure: Measure,
    layers: Sequence[LayerAddress],
    plan: PermutationPlan,
    alpha: float = DEFAULT_ALPHA,
    memory: int | None = None,
) -> CalibratedTable:
    """Calibrate every pair of layers, and the best: of two runs of all pairs across, of one run of all its pairs.

    Args:
        history: Where they are.
        measure: What compares them.
        layers: The layers.
        plan: How many permutations, and the seed.
        alpha: The share of permutations that may exceed a threshold.
        memory: Bytes that may be taken at a time besides the result.

    Raises:
        InputError: If the plan makes no sense, there are fewer than four stimuli, or the runs are of different ones.
    """
    check_permutation_plan(plan)
    rows = [measure.resolve(address) for address in layers]
    check_same_stimuli(history, rows)
    estimate, permuted = permute(measure, StoredLayers(history, rows), plan.n_permutations, plan.seed, memory)
    end = best_value(measure)
    found = calibrate(estimate, permuted, measure.kind, end, alpha)
    if measure.symmetric:  # permuting either layer is one test: that of the pair in the order of the layers
        found = _mirror(found)
    own = np.eye(len(rows), dtype=np.bool_)
    scores, thresholds, p = (np.where(own, np.nan, part) for part in (found.score, found.threshold, found.p))
    searched, across = list_searched(rows, symmetric=measure.symmetric)
    best = calibrate_best(estimate[searched], permuted[(slice(None), *searched)], measure.kind, end, alpha)
    if best is None:
        return CalibratedTable(plan, alpha, scores, thresholds, p, None)
    place, one = best
    row, column = int(searched[0][place]), int(searched[1][place])
    score, threshold, chance = (float(part[0]) for part in (one.score, one.threshold, one.p))
    value, n_searched = float(estimate[row, column]), len(searched[0])
    pair = BestPair(rows[row], rows[column], value, score, threshold, chance, n_searched, across)
    return CalibratedTable(plan, alpha, scores, thresholds, p, pair)


def best_value(measure: Measure) -> float | None:
    """The value of perfect agreement; None where there is none."""
    low, high = measure.comparator.offer.value_range
    return high if measure.kind == "similarity" else low


def list_searched(
    layers: Sequence[LayerAddress], *, symmetric: bool
) -> tuple[tuple[NDArray[np.intp], NDArray[np.intp]], bool]:
    """Which pairs are searched for the best: across runs where there are several, each once if it is symmetric."""
    runs = np.array([address.run_id for address in layers])
    across = len(set(runs.tolist())) > 1
    wanted = runs[:, None] != runs[None, :] if across else ~np.eye(len(layers), dtype=np.bool_)
    if symmetric:
        wanted &= ~np.tri(len(layers), dtype=np.bool_)
    rows, columns = np.nonzero(wanted)
    return (rows, columns), across


def _mirror(found: Calibrated) -> Calibrated:
    def both(part: Values) -> Values:
        return np.where(np.tri(len(part), k=-1, dtype=np.bool_), part.T, part)

    return Calibrated(both(found.score), both(found.threshold), both(found.p))
