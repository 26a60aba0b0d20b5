"""How much of a layer is silent: activations that are exactly 0, and units that never are anything else."""

from __future__ import annotations

from layerwise.core.host.kinds import ActivationStatistic, StatisticValue
from layerwise.core.network.summary import LayerSummary


class FractionZeroStatistic(ActivationStatistic):
    """Share of activations that are exactly 0; the vector holds each stimulus's own."""

    name = "fraction-zero"
    description = "share of activations that are exactly 0"

    def compute(self, summary: LayerSummary) -> StatisticValue:
        """Zeros over all activations, from 0 to 1."""
        own = summary.n_zeros / summary.n_features
        return StatisticValue(float(own.mean()), vector=own)


class DeadUnitsStatistic(ActivationStatistic):
    """Number of units that are 0 for every stimulus of the set."""

    name = "dead-units"
    description = "units that are 0 for every stimulus"
    unit = "units"

    def compute(self, summary: LayerSummary) -> StatisticValue:
        """A count."""
        return StatisticValue(float(summary.n_dead))


class FractionDeadStatistic(ActivationStatistic):
    """Share of units that are 0 for every stimulus of the set."""

    name = "fraction-dead"
    description = "share of units that are 0 for every stimulus"

    def compute(self, summary: LayerSummary) -> StatisticValue:
        """Dead units over all units, from 0 to 1."""
        return StatisticValue(summary.n_dead / summary.n_features)


STATISTICS: tuple[type[ActivationStatistic], ...] = (
    FractionZeroStatistic,
    DeadUnitsStatistic,
    FractionDeadStatistic,
)
