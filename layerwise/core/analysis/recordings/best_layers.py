"""Which layer of a network an area of a recording is most like: intervals, rivals, and a test of the best of many.

The best of many layers is alike by chance, too. So it is tested against the best layer of each permutation (Westfall
and Young 1993; Nichols and Holmes 2002): stimuli of the area are permuted once for all layers, and the largest
similarity of each permutation is what the largest one found is held against.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.compare import check_same_stimuli, compare_layers
from layerwise.core.analysis.inference.correction import correct_holm
from layerwise.core.analysis.inference.generic import permute, replicate
from layerwise.core.analysis.inference.intervals import find_method, make_intervals
from layerwise.core.analysis.inference.layer_blocks import StoredLayers
from layerwise.core.analysis.inference.permutation import permutation_p
from layerwise.core.analysis.inference.plans import check_permutation_plan
from layerwise.core.analysis.inference.replicates import Replicates
from layerwise.core.analysis.measure import Measure
from layerwise.core.base.errors import InputError
from layerwise.core.history.intervals import IntervalPlan, PermutationPlan
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import LayerAddress
from layerwise.core.host.registry import Registry

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LayerIntervals:
    """How sure the similarity of areas to layers is.

    Attributes:
        low: float64 (n_areas, n_layers); lower ends of intervals over the stimuli; NaN where there is none.
        high: Upper ends.
        rivals: For each area the layers that are not clearly worse than the best: the interval of the difference
            holds 0.
    """

    low: Values
    high: Values
    rivals: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class AreaMatch:
    """One area of a recording, and the layer that it is most like.

    Attributes:
        area: Where the area is.
        layer: The best layer; None where the measure is undefined for all.
        value: How alike both are; NaN without one.
        low: Lower end of its interval; None without.
        high: Upper end.
        rivals: The layers that are not clearly worse; None where that was not asked.
        p: Of the best layer against the best of each permutation; None where not asked, or undefined.
        p_corrected: The same, corrected for all areas (Holm).
    """

    area: LayerAddress
    layer: LayerAddress | None
    value: float
    low: float | None = None
    high: float | None = None
    rivals: tuple[LayerAddress, ...] | None = None
    p: float | None = None
    p_corrected: float | None = None


def match_areas(
    registry: Registry,
    history: HistoryProtocol,
    measure: Measure,
    areas: Sequence[LayerAddress],
    layers: Sequence[LayerAddress],
    intervals: IntervalPlan | None = None,
    tests: PermutationPlan | None = None,
) -> list[AreaMatch]:
    """The best layer for each area.

    Args:
        registry: Knows the comparators.
        history: Where both are; `share_stimuli` makes one of runs on different stimuli.
        measure: What compares them.
        areas: The areas.
        layers: The layers that are searched.
        intervals: How intervals are made; None for none.
        tests: How the best layer is tested; None for not at all.

    Raises:
        InputError: If stimuli are not the same, there are fewer than four, or too few permutations for a p below 0.05
            in all areas together; that is said before anything is computed.
    """
    areas, layers = ([measure.resolve(address) for address in side] for side in (areas, layers))
    check_same_stimuli(history, [*areas, *layers])
    if tests is not None:
        _check_enough(tests, len(areas))
    matrix = compare_layers(registry, history, measure, areas, layers).matrix
    best = find_best(matrix, measure.kind)
    sure = None if intervals is None else judge_layers(history, measure, areas, layers, best, intervals)
    p = np.full(len(areas), np.nan)
    if tests is not None:
        p = _test_best(history, measure, areas, layers, tests)
    corrected = correct_holm(p)
    return [
        _describe(areas[row], layers, matrix[row], best[row], sure, row, float(p[row]), float(corrected[row]))
        for row in range(len(areas))
    ]


def find_best(matrix: Values, kind: str) -> tuple[int | None, ...]:
    """The column of the most alike in each row; None where nothing is defined."""
    gains = np.where(np.isfinite(matrix), matrix if kind == "similarity" else -matrix, -np.inf)
    return tuple(int(row.argmax()) if np.isfinite(row).any() else None for row in gains)


def judge_layers(
    history: HistoryProtocol,
    measure: Measure,
    areas: Sequence[LayerAddress],
    layers: Sequence[LayerAddress],
    best: Sequence[int | None],
    plan: IntervalPlan,
) -> LayerIntervals:
    """Intervals of each area with each layer, and the layers that would do as well as the best.

    Raises:
        InputError: If there are fewer than four stimuli.
    """
    addresses = [measure.resolve(place) for place in (*areas, *layers)]
    replicates = replicate(measure, StoredLayers(history, addresses), plan.n_resamples, plan.seed)
    n_areas, n_layers = len(areas), len(layers)
    rows, columns = np.indices((n_areas, n_layers)).reshape(2, -1)
    cells = replicates.select((rows, n_areas + columns))
    found = make_intervals(cells, find_method(plan.method), plan.level)
    low, high = (
        np.array([np.nan if end is None else end for end in ends]).reshape(n_areas, n_layers)
        for ends in ([one.low for one in found], [one.high for one in found])
    )
    rivals = tuple(_find_rivals(cells, plan, area, chosen, n_layers) for area, chosen in enumerate(best))
    return LayerIntervals(low, high, rivals)


def _find_rivals(
    cells: Replicates, plan: IntervalPlan, area: int, best: int | None, n_layers: int
) -> tuple[int, ...]:
    """The other layers whose difference from the best one has an interval that holds 0."""
    others = np.array([layer for layer in range(n_layers) if layer != best], dtype=np.intp)
    if best is None or not len(others):
        return ()
    start = area * n_layers
    there = cells.select((np.full(len(others), start + best),))
    differences = make_intervals(there.minus(cells.select((start + others,))), find_method(plan.method), plan.level)
    return tuple(
        int(layer)
        for layer, one in zip(others, differences, strict=True)
        if one.low is not None and one.high is not None and one.low <= 0 <= one.high
    )


def least_permutations(n_areas: int) -> int:
    """How many permutations can give a p of 0.05 once it is corrected for so many areas."""
    return 20 * n_areas - 1


def _check_enough(plan: PermutationPlan, n_areas: int) -> None:
    """Refuse what can never be below 0.05 once it is corrected."""
    check_permutation_plan(plan)
    needed = least_permutations(n_areas)
    if plan.n_permutations < needed:
        raise InputError(
            f"{plan.n_permutations} permutations give no corrected p below 0.05 for {n_areas} areas: take "
            f"--permutations {needed} or more"
        )


def _test_best(
    history: HistoryProtocol,
    measure: Measure,
    areas: Sequence[LayerAddress],
    layers: Sequence[LayerAddress],
    plan: PermutationPlan,
) -> Values:
    """A p-value for the best layer of each area; NaN where the measure is undefined for every layer."""
    stored = StoredLayers(history, [*areas, *layers])
    estimate, permuted = permute(measure, stored, plan.n_permutations, plan.seed)
    rows, columns = slice(len(areas)), slice(len(areas), None)
    choose = np.nanmax if measure.kind == "similarity" else np.nanmin
    there = np.isfinite(estimate[rows, columns])
    found = np.full(len(areas), np.nan)
    for row, defined in enumerate(there):
        if defined.any():
            own = estimate[row, columns][defined]
            chance = permuted[:, row, columns][:, defined]
            best, at_chance = choose(own), choose(chance, axis=1)
            found[row] = permutation_p(np.array([best]), at_chance[:, None], measure.kind)[0]
    return found


def _describe(
    area: LayerAddress,
    layers: Sequence[LayerAddress],
    values: Values,
    best: int | None,
    sure: LayerIntervals | None,
    row: int,
    p: float,
    corrected: float,
) -> AreaMatch:
    if best is None:
        return AreaMatch(area, None, float("nan"))
    found = AreaMatch(area, layers[best], float(values[best]), p=_or_none(p), p_corrected=_or_none(corrected))
    if sure is None:
        return found
    low, high = (_or_none(float(side[row, best])) for side in (sure.low, sure.high))
    return replace(found, low=low, high=high, rivals=tuple(layers[other] for other in sure.rivals[row]))


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None
