"""The split-half noise ceiling: how well a layer's matrix is determined by the units that it was measured from.

The units of a layer are split into two halves, each gives a matrix of its own, and the two are correlated. From r the
reliability of the whole layer's matrix follows, R = 2 r / (1 + r) (Spearman 1910; Brown 1910), and sqrt(R) is the
largest correlation with it that anything free of its noise can be expected to have.

The formula takes a layer's matrix for the mean of its halves', and channels for equals. With few channels it gives
too little (by 0.06 with 10, 0.02 with 20, 0.001 with 60), since correlations over so few are no such means; where
channels differ much in size it gives too much (by 0.03 where scales are log-normal with a deviation of 1).
`benchmarks/ceiling_bias.py` measures it. Nothing is corrected: counting one channel less, since correlations centre
them, takes off a third of the one, and of the other the halves know nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from layerwise.core.analysis.inference.every_pair import compare_every_pair
from layerwise.core.analysis.inference.generic import replicate
from layerwise.core.analysis.inference.intervals import find_method, make_intervals
from layerwise.core.analysis.inference.plans import check_interval_plan
from layerwise.core.analysis.measure import Measure
from layerwise.core.base.errors import InputError
from layerwise.core.history.intervals import Interval, IntervalPlan
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import LayerAddress
from layerwise.core.network.layers import find_layer
from layerwise.core.network.representation import Representation

HALVES = ("half-a", "half-b")
"""The transforms under which the halves of a layer are stored."""
FEW_CHANNELS = 20
"""With fewer a ceiling comes out too low, by 0.02 and more on average."""


@dataclass(frozen=True)
class Ceiling:
    """The noise ceiling of one layer.

    Attributes:
        agreement: The measure between the two halves; None where it is undefined.
        reliability: Of the whole layer's matrix; None where the halves do not agree at all.
        ceiling: Its square root.
        interval: Of the ceiling, over stimuli; None where it was not asked for.
        reason: Why there is no number.
        warning: Why the number is likely to be too low.
    """

    agreement: float | None
    reliability: float | None
    ceiling: float | None
    interval: Interval | None = None
    reason: str = ""
    warning: str = ""


def correct_for_length(agreement: float) -> float:
    """Spearman and Brown's formula: the reliability of the whole from the agreement of its halves."""
    return 2 * agreement / (1 + agreement)


def measure_ceiling(measure: Measure, halves: Sequence[Representation], plan: IntervalPlan | None = None) -> Ceiling:
    """The noise ceiling of a layer from its two halves.

    Args:
        measure: A correlation, such as those of RSA.
        halves: The two halves.
        plan: How the interval is made; None for no interval.

    Raises:
        InputError: If the measure is no correlation, or there are too few stimuli for an interval.
    """
    if measure.kind != "similarity" or measure.comparator.offer.value_range != (-1.0, 1.0):
        raise InputError(f"a noise ceiling needs a correlation, such as rsa-pearson; '{measure.name}' is none")
    agreement = float(compare_every_pair(measure, halves)[0, 1])
    if not np.isfinite(agreement):
        return Ceiling(None, None, None, reason="the measure between the halves is undefined")
    if agreement <= 0:
        return Ceiling(agreement, None, None, reason="the halves do not agree: nothing is known of the ceiling")
    reliability = correct_for_length(agreement)
    interval = None if plan is None else _find_interval(measure, halves, plan)
    return Ceiling(agreement, reliability, float(np.sqrt(reliability)), interval)


def ask_ceiling(
    history: HistoryProtocol, measure: Measure, run_id: str, layer: str, plan: IntervalPlan | None = None
) -> Ceiling:
    """The noise ceiling of a stored layer.

    Raises:
        InputError: If its halves are not stored, or the measure is no correlation.
    """
    try:
        halves = history.read_representations([LayerAddress(run_id, layer, half) for half in HALVES])
    except InputError as error:
        how = " and ".join(f"`--transform {half}`" for half in HALVES)
        raise InputError(f"{error}; a noise ceiling needs a run with {how}") from error
    found = measure_ceiling(measure, halves, plan)
    shape = find_layer(layer, history.list_layers(run_id)).shape
    return found if found.ceiling is None else replace(found, warning=_warn_of_few(shape))


def _warn_of_few(shape: Sequence[int]) -> str:
    """A warning where a layer has few channels; where it has one, its positions are what is halved."""
    n_channels = shape[-1] if shape and shape[-1] > 1 else math.prod(shape)
    if n_channels >= FEW_CHANNELS:
        return ""
    return f"likely too low: it has only {n_channels} channels to halve"


def _find_interval(measure: Measure, halves: Sequence[Representation], plan: IntervalPlan) -> Interval:
    """The agreement's interval, carried over: the ceiling grows with the agreement."""
    check_interval_plan(plan)
    pair = (np.array([0]), np.array([1]))
    replicates = replicate(measure, halves, plan.n_resamples, plan.seed).select(pair)
    (found,) = make_intervals(replicates, find_method(plan.method), plan.level)
    if found.low is None or found.high is None:
        return found
    low, high = (float(np.sqrt(correct_for_length(max(end, 0.0)))) for end in (found.low, found.high))
    return Interval(low, high)
