"""Sparseness: how few units carry a stimulus (population), or how few stimuli drive a unit (lifetime).

Treves and Rolls 1991, rescaled to 0 (all alike) .. 1 (a single one) by Vinje and Gallant 2000: with
a = (mean r)^2 / mean(r^2) over k responses, S = (1 - a) / (1 - 1/k). It needs r >= 0.
Hoyer 2004: (sqrt(k) - l1/l2) / (sqrt(k) - 1), of the absolute values.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from layerwise.core.host.kinds import ActivationStatistic, StatisticValue
from layerwise.core.network.summary import LayerSummary
from layerwise.plugins.statistics.moments import NOT_FINITE, is_finite

NEGATIVE = StatisticValue(None, "some activations are negative")
SINGLE_UNIT = StatisticValue(None, "there is only one unit")
SILENT = StatisticValue(None, "all activations are zero")


def _mean_over_active(own: NDArray[np.float64]) -> StatisticValue:
    """Mean over the stimuli that activate anything; the others, NaN in the vector, are counted in a note."""
    own = np.clip(own, 0, 1)  # which rounding may leave
    n_silent = int(np.isnan(own).sum())
    if n_silent == len(own):
        return SILENT
    note = f"{n_silent} of {len(own)} stimuli activate nothing and are left out" if n_silent else ""
    return StatisticValue(float(np.nanmean(own)), note, own)


def _mean_square(summary: LayerSummary) -> NDArray[np.float64]:
    return summary.power2 / summary.n_features + summary.mean**2


class PopulationSparsenessStatistic(ActivationStatistic):
    """Treves-Rolls sparseness over units, averaged over stimuli; the vector holds each stimulus's own."""

    name = "sparseness-population"
    description = "Treves-Rolls sparseness over units, mean over stimuli"

    def compute(self, summary: LayerSummary) -> StatisticValue:
        """From 0 to 1; stimuli that activate nothing are left out, which is noted."""
        if not is_finite(summary):
            return NOT_FINITE
        if summary.minimum.min() < 0:
            return NEGATIVE
        if summary.n_features == 1:
            return SINGLE_UNIT
        with np.errstate(invalid="ignore"):
            density = summary.mean**2 / _mean_square(summary)
        return _mean_over_active((1 - density) / (1 - 1 / summary.n_features))


class LifetimeSparsenessStatistic(ActivationStatistic):
    """Treves-Rolls sparseness over stimuli, averaged over units that are not dead."""

    name = "sparseness-lifetime"
    description = "Treves-Rolls sparseness over stimuli, mean over units that are not dead"

    def compute(self, summary: LayerSummary) -> StatisticValue:
        """From 0 to 1; dead units are left out, which is noted."""
        if not is_finite(summary):
            return NOT_FINITE
        if summary.minimum.min() < 0:
            return NEGATIVE
        n_live = summary.n_features - summary.n_dead
        if n_live == 0:
            return SILENT
        dead = f"{summary.n_dead} of {summary.n_features} units are dead and are left out"
        return StatisticValue(summary.lifetime_sum / n_live, dead if summary.n_dead else "")


class HoyerStatistic(ActivationStatistic):
    """Hoyer's sparseness over units, averaged over stimuli; the vector holds each stimulus's own."""

    name = "hoyer"
    description = "Hoyer sparseness over units, mean over stimuli"

    def compute(self, summary: LayerSummary) -> StatisticValue:
        """From 0 to 1; stimuli that activate nothing are left out, which is noted."""
        if not is_finite(summary):
            return NOT_FINITE
        if summary.n_features == 1:
            return SINGLE_UNIT
        root = math.sqrt(summary.n_features)
        with np.errstate(invalid="ignore"):
            spread = summary.absolute / (root * np.sqrt(_mean_square(summary)))
        return _mean_over_active((root - spread) / (root - 1))


STATISTICS: tuple[type[ActivationStatistic], ...] = (
    PopulationSparsenessStatistic,
    LifetimeSparsenessStatistic,
    HoyerStatistic,
)
