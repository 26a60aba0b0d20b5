"""How the weights of one tensor are distributed. Everything is over all elements, whatever the shape."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from layerwise.core.host.kinds import StatisticValue, WeightStatistic

Values = NDArray[np.float64]
PROBABILITIES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
N_BINS = 64
NEAR_ZERO = 0.01


class _FlatStatistic(WeightStatistic):
    """Base: the weights as one vector, known to be finite and not empty."""

    def compute(self, weights: NDArray[np.floating]) -> StatisticValue:
        """The statistic of one tensor of any shape; none where it is empty or not finite."""
        values = np.asarray(weights, dtype=np.float64).ravel()
        if not values.size:
            return StatisticValue(None, "the tensor is empty")
        if not np.isfinite(values).all():
            return StatisticValue(None, "some weights are not finite")
        return self.of(values)

    @abstractmethod
    def of(self, values: Values) -> StatisticValue:
        """The statistic of a vector of finite numbers."""


class WeightMeanStatistic(_FlatStatistic):
    """Mean weight."""

    name = "weight-mean"
    description = "mean weight"

    def of(self, values: Values) -> StatisticValue:
        """Mean over all weights."""
        return StatisticValue(float(values.mean()))


class WeightStandardDeviationStatistic(_FlatStatistic):
    """Standard deviation of the weights, divided by N."""

    name = "weight-std"
    description = "standard deviation of the weights"

    def of(self, values: Values) -> StatisticValue:
        """Root mean squared deviation from the mean."""
        return StatisticValue(float(values.std()))


class WeightQuantilesStatistic(_FlatStatistic):
    """The median as the value; the quantiles at `PROBABILITIES` (1, 5, 25, 50, 75, 95 and 99 %) as the vector."""

    name = "weight-quantiles"
    description = "median weight; quantiles at 1, 5, 25, 50, 75, 95, 99 %"

    def of(self, values: Values) -> StatisticValue:
        """Interpolated linearly between neighbours."""
        quantiles = np.quantile(values, PROBABILITIES)
        return StatisticValue(float(quantiles[PROBABILITIES.index(0.5)]), vector=quantiles)


class WeightKurtosisStatistic(_FlatStatistic):
    """Excess kurtosis m4 / m2^2 - 3 of the weights: 0 for a normal distribution; biased (divided by N)."""

    name = "weight-kurtosis"
    description = "excess kurtosis of the weights (0 for a normal distribution)"

    def of(self, values: Values) -> StatisticValue:
        """From the second and fourth central moments; none where all weights are equal."""
        if values.min() == values.max():
            return StatisticValue(None, "all weights are equal")
        squares = (values - values.mean()) ** 2
        second = float(squares.mean())
        if second**2 == 0:
            return StatisticValue(None, "the weights are too close to each other")
        return StatisticValue(float((squares**2).mean()) / second**2 - 3)


class WeightFractionNearZeroStatistic(_FlatStatistic):
    """Share of weights smaller in size than 1 % of the largest one; 1 where all are 0."""

    name = "weight-fraction-near-zero"
    description = "share of weights below 1 % of the largest in size"

    def of(self, values: Values) -> StatisticValue:
        """From 0 to 1."""
        sizes = np.abs(values)
        largest = sizes.max()
        return StatisticValue(float((sizes < NEAR_ZERO * largest).mean()) if largest > 0 else 1.0)


class WeightNormStatistic(_FlatStatistic):
    """Euclidean norm of all weights (the Frobenius norm of a matrix)."""

    name = "weight-norm"
    description = "Euclidean norm of the weights"

    def of(self, values: Values) -> StatisticValue:
        """Root of the sum of squares."""
        return StatisticValue(float(np.linalg.norm(values)))


class WeightHistogramStatistic(_FlatStatistic):
    """A histogram of 64 bins of equal width from the smallest to the largest weight.

    The value is the number of weights. The vector has 129 numbers: the 64 counts, then the 65 edges of the bins.
    Where all weights equal w, the bins go from w - 0.5 to w + 0.5 (or by a millionth of w, if that is more).
    """

    name = "weight-histogram"
    description = "number of weights; 64 counts followed by the 65 edges of the bins"
    unit = "weights"

    def of(self, values: Values) -> StatisticValue:
        """Bins are closed on the left, the last on both sides."""
        counts, edges = np.histogram(values, bins=N_BINS, range=_bin_range(values))
        return StatisticValue(float(values.size), vector=np.concatenate([counts, edges]))


def _bin_range(values: Values) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    if (np.diff(np.linspace(low, high, N_BINS + 1)) <= 0).any():  # equal, or too close for 65 different edges
        margin = max(0.5, 1e-6 * max(abs(low), abs(high)))
        low, high = low - margin, high + margin
    return low, high


STATISTICS: tuple[type[WeightStatistic], ...] = (
    WeightMeanStatistic,
    WeightStandardDeviationStatistic,
    WeightQuantilesStatistic,
    WeightKurtosisStatistic,
    WeightFractionNearZeroStatistic,
    WeightNormStatistic,
    WeightHistogramStatistic,
)
