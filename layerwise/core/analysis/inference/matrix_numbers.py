"""Intervals of numbers that follow from a layer x layer matrix: the numbers anew on each resample of the stimuli."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from layerwise.core.analysis.compare import check_same_stimuli
from layerwise.core.analysis.inference.generic import replicate
from layerwise.core.analysis.inference.intervals import find_method, make_intervals
from layerwise.core.analysis.inference.layer_blocks import StoredLayers
from layerwise.core.analysis.inference.plans import check_interval_plan
from layerwise.core.analysis.inference.replicates import Statistic
from layerwise.core.analysis.measure import Measure
from layerwise.core.history.intervals import Interval, IntervalPlan
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import LayerAddress


def ask_matrix_numbers(
    history: HistoryProtocol,
    measure: Measure,
    layers: Sequence[LayerAddress],
    plan: IntervalPlan,
    statistic: Statistic,
) -> Mapping[str, tuple[float, Interval]]:
    """Numbers of a layer x layer matrix, each with its interval over the stimuli. Nothing is kept.

    Args:
        history: Where the layers are.
        measure: What compares them.
        layers: The rows and columns of the matrix, on the same stimuli.
        plan: How intervals are made.
        statistic: A matrix (n_layers, n_layers) to numbers by name.

    Raises:
        InputError: If the plan makes no sense, the layers are of different stimuli, or there are fewer than four.
    """
    check_interval_plan(plan)
    addresses = [measure.resolve(address) for address in layers]
    check_same_stimuli(history, addresses)
    matrices = replicate(measure, StoredLayers(history, addresses), plan.n_resamples, plan.seed)
    names, replicates = matrices.map(statistic)
    made = make_intervals(replicates, find_method(plan.method), plan.level)
    values = (float(value) for value in replicates.estimate)
    return dict(zip(names, zip(values, made, strict=True), strict=True))
