"""Redundancy between units: how much they vary together beyond what each varies by itself."""

from __future__ import annotations

from layerwise.core.host.kinds import JointStatistic, StatisticValue
from layerwise.core.network.matrices.pairs import Pairs
from layerwise.core.network.summary import LayerSummary
from layerwise.plugins.statistics.moments import NOT_FINITE, is_finite


class DecovStatistic(JointStatistic):
    """DeCov (|C|_F^2 - |diag C|^2) / 2, C the covariance between units, divided by n (Cogswell et al. 2016).

    |C|_F^2 = |H K H|_F^2 / n^2 follows from the Gram matrix K. The diagonal does not: the variance of every unit is
    summed while the layer streams by, so this is measured in the run itself, and never added to an old one. It
    grows with the scale of the activations (to the fourth power) and with the number of units (to the second).
    """

    name = "decov"
    description = "DeCov: half the sum of squared covariances between different units"
    panelled = True

    def compute(self, summary: LayerSummary, representation: Pairs) -> StatisticValue:
        """At least 0; 0 where units are uncorrelated."""
        if not is_finite(summary):
            return NOT_FINITE
        squared = representation.centred_sums[1] / representation.n_stimuli**2
        return StatisticValue(max(squared - summary.unit_variance2, 0.0) / 2)


STATISTICS: tuple[type[JointStatistic], ...] = (DecovStatistic,)
