"""Moments and range of a layer's activations, over all of its units and all stimuli together."""

from __future__ import annotations

import math

import numpy as np

from layerwise.core.host.kinds import ActivationStatistic, StatisticValue
from layerwise.core.network.summary import LayerSummary

NOT_FINITE = StatisticValue(None, "some activations are not finite")


def is_finite(summary: LayerSummary) -> bool:
    """Whether every activation was a finite number."""
    return bool(np.isfinite(summary.mean).all() and np.isfinite(summary.maximum).all())


class MeanStatistic(ActivationStatistic):
    """Mean; the vector holds each stimulus's mean over units."""

    name = "mean"
    description = "mean activation"

    def compute(self, summary: LayerSummary) -> StatisticValue:
        """Mean over units and stimuli."""
        if not is_finite(summary):
            return NOT_FINITE
        return StatisticValue(float(summary.mean.mean()), vector=summary.mean)


class StandardDeviationStatistic(ActivationStatistic):
    """Standard deviation, divided by N; the vector holds each stimulus's own over its units."""

    name = "std"
    description = "standard deviation of the activations"

    def compute(self, summary: LayerSummary) -> StatisticValue:
        """Root of the second central moment over units and stimuli."""
        if not is_finite(summary):
            return NOT_FINITE
        own = np.sqrt(summary.power2 / summary.n_features)
        return StatisticValue(math.sqrt(summary.central_moments()[1]), vector=own)


class MinimumStatistic(ActivationStatistic):
    """Smallest activation."""

    name = "minimum"
    description = "smallest activation"

    def compute(self, summary: LayerSummary) -> StatisticValue:
        """Minimum over units and stimuli."""
        return StatisticValue(float(summary.minimum.min())) if is_finite(summary) else NOT_FINITE


class MaximumStatistic(ActivationStatistic):
    """Largest activation."""

    name = "maximum"
    description = "largest activation"

    def compute(self, summary: LayerSummary) -> StatisticValue:
        """Maximum over units and stimuli."""
        return StatisticValue(float(summary.maximum.max())) if is_finite(summary) else NOT_FINITE


class KurtosisStatistic(ActivationStatistic):
    """Excess kurtosis m4 / m2^2 - 3: 0 for a normal distribution; biased (divided by N), as Fisher defines it."""

    name = "kurtosis"
    description = "excess kurtosis of the activations (0 for a normal distribution)"

    def compute(self, summary: LayerSummary) -> StatisticValue:
        """From the second and fourth central moments over units and stimuli."""
        if not is_finite(summary):
            return NOT_FINITE
        _, second, _, fourth = summary.central_moments()
        if summary.minimum.min() == summary.maximum.max() or second**2 == 0:
            return StatisticValue(None, "all activations are equal")
        return StatisticValue(fourth / second**2 - 3)


STATISTICS: tuple[type[ActivationStatistic], ...] = (
    MeanStatistic,
    StandardDeviationStatistic,
    MinimumStatistic,
    MaximumStatistic,
    KurtosisStatistic,
)
