"""When each layer becomes what it will be: its similarity to its own final state, checkpoint by checkpoint.

Raghu et al. (2017, "SVCCA") found that networks converge bottom-up: early layers reach their final state first. Here
a layer has *settled* at the first checkpoint from which on its similarity to its last state stays above a bound, and
the rank correlation of depth with that checkpoint says whether the network settled from the bottom up (positive) or
from the top down (negative).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from layerwise.core.analysis.inference.plans import check_interval_plan
from layerwise.core.analysis.inference.replicates import Values
from layerwise.core.analysis.measure import Measure
from layerwise.core.analysis.training.checkpoints import Compared, Training, TrainingQuestion
from layerwise.core.analysis.training.kept_intervals import KeptIntervals, SettlingIntervals
from layerwise.core.analysis.training.ranks import correlate_ranks
from layerwise.core.analysis.training.settling_intervals import (
    NOT_ASKED,
    Bound,
    draw_settling,
    find_settled,
    make_bands,
    make_order_interval,
)
from layerwise.core.base.errors import InputError
from layerwise.core.history.intervals import Interval, IntervalPlan

SHARE = 0.9
"""The bound unless another is asked for, as a share of the largest similarity; of a distance, one minus that."""


@dataclass(frozen=True)
class Settled:
    """When one layer settled.

    Attributes:
        layer: Its name.
        index: The checkpoint from which on it is as it will be; the last one where it is so only there.
        step: Its step.
        is_last: Whether that is the last checkpoint: the layer was still changing.
        low: Step at the lower end of the interval over stimuli; None where there is none.
        high: Step at its upper end.
        reason: Why there is no interval.
    """

    layer: str
    index: int
    step: int
    is_last: bool
    low: int | None = None
    high: int | None = None
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Settling:
    """Each layer of a training against its own final state.

    Attributes:
        training: The checkpoints.
        measure: Name of the comparator.
        bound: Beyond which a layer counts as what it will be.
        layers: Names, in order of depth.
        to_end: (n_checkpoints, n_layers); the measure to the layer's last state, NaN where undefined.
        bands: Intervals of it, by checkpoint and layer; empty where none were asked for.
        settled: When each layer did.
        order: Rank correlation of depth with the checkpoint at which layers settled, over all layers but the input,
            in which nothing is learned; NaN where undefined.
        order_interval: Over the stimuli, for these layers.
        reasons: Why values are missing, each once.
    """

    training: Training
    measure: str
    bound: Bound
    layers: tuple[str, ...]
    to_end: Values
    bands: tuple[tuple[Interval, ...], ...]
    settled: tuple[Settled, ...]
    order: float
    order_interval: Interval = NOT_ASKED
    reasons: tuple[str, ...] = ()


def choose_bound(measure: Measure, value: float | None = None) -> Bound:
    """The bound that was asked for, or nine tenths of the way to the measure's best value.

    Raises:
        InputError: If none was asked for and the measure has no largest value.
    """
    if value is not None:
        return Bound(value, measure.kind)
    high = measure.comparator.offer.value_range[1]
    if high is None:
        raise InputError(f"'{measure.name}' has no largest value, so say from where on a layer is settled: --bound X")
    return Bound(SHARE * high if measure.kind == "similarity" else (1 - SHARE) * high, measure.kind)


def ask_settling(
    question: TrainingQuestion, *, bound: float | None = None, plan: IntervalPlan | None = None
) -> Settling:
    """Compare each layer with its own final state, and say when it settled.

    Intervals of similarities are made as the plan says. Those of steps and of the rank correlation are quantiles of
    what they are on each resample of the stimuli, because a step jumps from one checkpoint to the next; quantiles are
    rather too wide, see `docs/inference.md`. They are kept in the history, and answered from there.

    Args:
        question: What is asked about.
        bound: See `choose_bound`.
        plan: How intervals are made; None for none.

    Raises:
        InputError: If the bound is not known, the plan makes no sense, or there are fewer than four stimuli for it.
    """
    limit = choose_bound(question.measure, bound)
    found = compare_with_end(question)
    indices = [find_settled(curve, limit) for curve in found.values.T]
    learned = [place for place, layer in enumerate(question.layers) if layer.role != "input"]
    order = correlate_ranks(learned, [indices[place] for place in learned])
    training, names = question.training, question.names
    known = [
        Settled(name, index, training.steps[index], index == len(training.runs) - 1)
        for name, index in zip(names, indices, strict=True)
    ]
    asked = Settling(
        training, question.measure.name, limit, names, found.values, (), tuple(known), order, reasons=found.reasons
    )
    return asked if plan is None else _add_intervals(question, asked, learned, plan)


def compare_with_end(question: TrainingQuestion) -> Compared:
    """The measure between each layer at each checkpoint and the same layer at the last one."""
    rows = question.addresses
    places = {}
    for column, end in enumerate(rows[-1]):
        for row, addresses in enumerate(rows):
            here = addresses[column]
            if here is not None and end is not None:
                places[row, column] = (here, end)
    return question.compare(places)


def _add_intervals(question: TrainingQuestion, asked: Settling, learned: list[int], plan: IntervalPlan) -> Settling:
    """The same with intervals: those that are kept, or from the same resamples for all layers."""
    check_interval_plan(plan)
    kept = KeptIntervals(question, asked.bound.value, plan)
    found = kept.read()
    if found is None:
        found = _draw_intervals(question, asked, learned, plan)
        if question.save:
            kept.save(found)
    steps = asked.training.steps
    settled = []
    for known, ends in zip(asked.settled, found.places, strict=True):
        if ends.low is None or ends.high is None:
            settled.append(replace(known, reason=ends.reason))
        else:
            low, high = int(np.floor(ends.low)), int(np.ceil(ends.high))
            settled.append(replace(known, low=steps[low], high=steps[high]))
    return replace(asked, bands=found.bands, settled=tuple(settled), order_interval=found.order)


def _draw_intervals(
    question: TrainingQuestion, asked: Settling, learned: list[int], plan: IntervalPlan
) -> SettlingIntervals:
    drawn = [draw_settling(question, column, asked.bound, plan) for column in range(len(asked.layers))]
    return SettlingIntervals(
        bands=make_bands(drawn, plan),
        places=tuple(of_layer.interval(plan.level) for of_layer in drawn),
        order=make_order_interval([drawn[place] for place in learned], plan.level),
    )
