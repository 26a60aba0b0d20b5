"""How alike a layer finds the stimuli, over all pairs of different ones: the level and the spread of its matrix."""

from __future__ import annotations

from layerwise.core.host.kinds import RepresentationStatistic, StatisticValue
from layerwise.core.network.matrices.pairs import Pairs
from layerwise.plugins.statistics.usable import correlation_moments

NO_PAIR = "no two stimuli have activations that vary over units"


class MeanCorrelationStatistic(RepresentationStatistic):
    """Mean Pearson correlation over the strict upper triangle: how alike everything looks to the layer."""

    name = "mean-correlation"
    description = "mean correlation between activation vectors, over all pairs of different stimuli"
    panelled = True
    landmarked = True

    def compute(self, representation: Pairs) -> StatisticValue:
        """From -1/(n - 1) to 1; constant stimuli are left out, which is noted."""
        n_pairs, mean, _, note = correlation_moments(representation)
        return StatisticValue(1 - mean, note) if n_pairs else StatisticValue(None, NO_PAIR)


class CorrelationSpreadStatistic(RepresentationStatistic):
    """Standard deviation (divided by N) of the Pearson correlations over the strict upper triangle.

    How much structure there is in the matrix: near 0 a layer finds all pairs equally similar, and what another layer
    makes of them can hardly be compared with it.
    """

    name = "std-correlation"
    description = "standard deviation of the correlations, over all pairs of different stimuli"
    panelled = True
    landmarked = True

    def compute(self, representation: Pairs) -> StatisticValue:
        """At least 0; constant stimuli are left out, which is noted."""
        n_pairs, _, spread, note = correlation_moments(representation)
        return StatisticValue(spread, note) if n_pairs else StatisticValue(None, NO_PAIR)


STATISTICS: tuple[type[RepresentationStatistic], ...] = (MeanCorrelationStatistic, CorrelationSpreadStatistic)
