"""How sure it is when layers settled: the same on other draws of the stimuli, the same draws for all layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from layerwise.core.analysis.inference.generic import replicate
from layerwise.core.analysis.inference.intervals import find_method, make_intervals
from layerwise.core.analysis.inference.layer_blocks import StoredLayers
from layerwise.core.analysis.inference.plans import check_interval_plan
from layerwise.core.analysis.inference.replicates import Replicates, Values
from layerwise.core.analysis.inference.samples import MAX_UNDEFINED
from layerwise.core.analysis.training.checkpoints import TrainingQuestion
from layerwise.core.analysis.training.ranks import correlate_ranks
from layerwise.core.history.intervals import Interval, IntervalPlan

NOT_ASKED = Interval(None, None, reason="no interval was asked for")


@dataclass(frozen=True)
class Bound:
    """Beyond which value a layer counts as what it will be: above it for a similarity, below it for a distance."""

    value: float
    kind: Literal["similarity", "distance"]


def find_settled(curve: ArrayLike, bound: Bound) -> int:
    """The first checkpoint from which on a curve stays at its bound or beyond; the last one counts as there always.

    Args:
        curve: (n_checkpoints,); the measure to the final state. Where it is undefined it is not beyond.
        bound: The bound.
    """
    values = np.asarray(curve, dtype=np.float64)[:-1]
    is_there = values >= bound.value if bound.kind == "similarity" else values <= bound.value
    away = np.flatnonzero(~is_there)
    return int(away[-1]) + 1 if away.size else 0


@dataclass(frozen=True, eq=False)
class DrawnSettling:
    """When a layer settled on each resample of the stimuli.

    Attributes:
        curves: Replicates of its curve to the final state, of (n_checkpoints,).
        bound: The bound.
    """

    curves: Replicates
    bound: Bound

    @cached_property
    def indices(self) -> Values:
        """The checkpoint at which it settled on each resample; (n_resamples,), NaN where nothing of it is defined."""
        drawn = self.curves.resampled
        known = np.isfinite(drawn).any(axis=1)
        if self.curves.subset_size and known.any():  # subsets spread by less than as many stimuli as there are
            drawn = self.curves.estimate + self.curves.stretch * (drawn - _medians(drawn))
        found = np.array([float(find_settled(curve, self.bound)) for curve in drawn])
        return np.where(known, found, np.nan)

    def interval(self, level: float) -> Interval:
        """Of the checkpoint's number, between two checkpoints where a quantile is."""
        return quantile_interval(self.indices, level)


def draw_settling(question: TrainingQuestion, column: int, bound: Bound, plan: IntervalPlan) -> DrawnSettling:
    """A layer's curve to its final state on other draws of the stimuli.

    Raises:
        InputError: If the plan makes no sense, or there are fewer than four stimuli.
    """
    check_interval_plan(plan)
    addresses = [row[column] for row in question.addresses]
    there = [place for place, address in enumerate(addresses) if address is not None]
    known = [address for address in addresses if address is not None]
    found = replicate(question.measure, StoredLayers(question.history, known), plan.n_resamples, plan.seed)
    curves = found.select((np.arange(len(known)), np.full(len(known), len(known) - 1)))

    def fill(values: Values) -> Values:
        whole = np.full((*values.shape[:-1], len(addresses)), np.nan)
        whole[..., there] = values
        return whole

    filled = replace(
        curves,
        estimate=fill(curves.estimate),
        resampled=fill(curves.resampled),
        left_out=fill(curves.left_out),
    )
    return DrawnSettling(filled, bound)


def make_bands(drawn: Sequence[DrawnSettling], plan: IntervalPlan) -> tuple[tuple[Interval, ...], ...]:
    """Intervals of the similarities to the end, by checkpoint and layer."""
    columns = [make_intervals(of_layer.curves, find_method(plan.method), plan.level) for of_layer in drawn]
    return tuple(zip(*columns, strict=True))


def make_order_interval(drawn: Sequence[DrawnSettling], level: float) -> Interval:
    """Of the rank correlation of depth with settling, from the same resamples for all layers."""
    if len({of_layer.curves.subset_size for of_layer in drawn}) > 1:
        return Interval(None, None, reason="not all layers could be resampled in the same way")
    depths = np.arange(len(drawn))
    by_draw = np.array([of_layer.indices for of_layer in drawn]).T
    return quantile_interval(np.array([correlate_ranks(depths, settled) for settled in by_draw]), level)


def quantile_interval(drawn: Values, level: float) -> Interval:
    """The quantiles that leave out the same share of the resamples on both sides."""
    usable = drawn[np.isfinite(drawn)]
    n_undefined = len(drawn) - len(usable)
    if n_undefined > MAX_UNDEFINED * len(drawn):
        return Interval(None, None, reason=f"undefined on {n_undefined} of {len(drawn)} resamples of the stimuli")
    low, high = np.quantile(usable, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def _medians(drawn: Values) -> Values:
    """Of each column, over what is defined; NaN where nothing is."""
    medians = np.full(drawn.shape[1], np.nan)
    for column, values in enumerate(drawn.T):
        usable = values[np.isfinite(values)]
        if usable.size:
            medians[column] = np.median(usable)
    return medians
