"""Intervals of profile numbers: the whole profile anew on each resample of the stimuli.

A profile is a function of one layer x layer matrix, so every number of it has replicates as soon as the matrix has.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from layerwise.core.analysis.choose import list_main_layers
from layerwise.core.analysis.inference.generic import replicate
from layerwise.core.analysis.inference.intervals import find_method, make_intervals
from layerwise.core.analysis.inference.layer_blocks import StoredLayers
from layerwise.core.analysis.inference.plans import check_interval_plan
from layerwise.core.analysis.inference.replicates import Replicates, Values
from layerwise.core.analysis.measure import Measure
from layerwise.core.analysis.profile import measure_profile
from layerwise.core.analysis.profile_run import choose_way, find_ends, largest_value, profile_key
from layerwise.core.history.intervals import Interval, IntervalPlan
from layerwise.core.history.profiles import Profile, ProfileIntervals
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import LayerAddress, RunRecord
from layerwise.core.network.layers import Layer
from layerwise.core.network.representation import NO_TRANSFORM

CURVES = ("to_input", "to_output", "steps", "shares")
_RANGES = {
    **dict.fromkeys(("smoothness", "crossing", "shares"), (0.0, 1.0)),
    **dict.fromkeys(("total", "steps"), (0.0, np.inf)),
    "effective_steps": (1.0, np.inf),
}


def ask_profile_intervals(
    history: HistoryProtocol,
    run: RunRecord,
    measure: Measure,
    plan: IntervalPlan,
    layers: Sequence[Layer] | None = None,
    transform: str = NO_TRANSFORM,
    save: bool = True,
    end_point: str | None = None,
) -> ProfileIntervals:
    """Intervals of all numbers of a run's profile, over its stimuli.

    Args:
        history: Where the layers are, and where intervals are kept.
        run: The run.
        measure: What compares layers.
        plan: How intervals are made.
        layers: Which layers, in any order; None for the main ones.
        transform: Under which transform they were analysed.
        save: Whether to keep the intervals, which is done where the profile is kept.
        end_point: Name or role of the layer that is the end point instead of the usual one; see `profile_run`.

    Raises:
        InputError: If the plan makes no sense, the measure gives no steps, or there are fewer than four stimuli.
    """
    check_interval_plan(plan)
    largest = largest_value(measure)
    chosen = choose_way(list_main_layers(history, run) if layers is None else layers, end_point)
    names = tuple(layer.name for layer in chosen)
    addresses = [measure.resolve(LayerAddress(run.id, name, transform)) for name in names]
    key = profile_key(run, chosen, measure, addresses[0].transform, end_point)
    kept = history.read_profile_intervals(key, plan)
    if kept is not None:
        return kept
    ends = find_ends(chosen, end_point)

    def numbers_of(matrix: Values) -> dict[str, float]:
        return list_numbers(measure_profile(names, matrix, measure.kind, largest, *ends))

    matrices = replicate(measure, StoredLayers(history, addresses), plan.n_resamples, plan.seed)
    found = _arrange(plan, names, *matrices.map(numbers_of))
    if save:
        history.save_profile_intervals(key, found)
    return found


def list_numbers(profile: Profile) -> dict[str, float]:
    """All numbers of a profile by name, those of a layer as `curve:index`; NaN where undefined."""
    first = profile.crossings[0].depth if profile.crossings else None
    single = {
        "smoothness": profile.smoothness,
        "effective_steps": profile.effective_steps,
        "total": profile.total,
        "crossing": first,
    }
    numbers = {name: float("nan") if value is None else value for name, value in single.items()}
    for curve in CURVES:
        numbers |= {f"{curve}:{index}": float(value) for index, value in enumerate(getattr(profile, curve))}
    return numbers


def _arrange(
    plan: IntervalPlan, layers: Sequence[str], names: Sequence[str], replicates: Replicates
) -> ProfileIntervals:
    made = make_intervals(replicates, find_method(plan.method), plan.level)
    found = {name: _cut(name, interval) for name, interval in zip(names, made, strict=True)}
    curves = {curve: tuple(found[f"{curve}:{index}"] for index in range(len(layers))) for curve in CURVES}
    return ProfileIntervals(plan, {name: item for name, item in found.items() if ":" not in name}, curves)


def _cut(name: str, interval: Interval) -> Interval:
    """Within what the number can be; without a p-value, since whether it is 0 is no question."""
    if interval.low is None or interval.high is None:
        return interval
    low, high = _RANGES.get(name.partition(":")[0], (-np.inf, np.inf))
    return Interval(float(np.clip(interval.low, low, high)), float(np.clip(interval.high, low, high)))
