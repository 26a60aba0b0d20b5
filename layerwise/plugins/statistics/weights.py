"""How the weights of one tensor are distributed. Everything is over all elements, whatever the shape."""

from __future__ import annotations

import threading
import weakref
from abc import abstractmethod
from typing import Any

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


class _OrderedStatistic(WeightStatistic):
    """Base: the weights from the least to the largest, known to be finite and not empty."""

    def compute(self, weights: NDArray[np.floating]) -> StatisticValue:
        """The statistic of one tensor of any shape; none where it is empty or not finite."""
        if not weights.size:
            return StatisticValue(None, "the tensor is empty")
        ordered = _put_in_order(weights)
        if not np.isfinite(ordered[[0, -1]]).all():  # what is no number comes last
            return StatisticValue(None, "some weights are not finite")
        return self.of(ordered)

    @abstractmethod
    def of(self, ordered: NDArray[np.floating]) -> StatisticValue:
        """The statistic of finite numbers in ascending order."""


_LAST = threading.local()


def _put_in_order(weights: NDArray[np.floating]) -> NDArray[np.floating]:
    """The weights in ascending order; sorted once for all statistics of a tensor that nobody can write to."""
    last: dict[str, Any] = _LAST.__dict__
    if "tensor" in last and last["tensor"]() is weights:
        return last["ordered"]  # type: ignore[no-any-return]
    ordered = np.sort(weights, axis=None)
    if not weights.flags.writeable:
        last |= {"tensor": weakref.ref(weights, lambda _: last.clear()), "ordered": ordered}
    return ordered


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


class WeightQuantilesStatistic(_OrderedStatistic):
    """The median as the value; the quantiles at `PROBABILITIES` (1, 5, 25, 50, 75, 95 and 99 %) as the vector."""

    name = "weight-quantiles"
    description = "median weight; quantiles at 1, 5, 25, 50, 75, 95, 99 %"

    def of(self, ordered: NDArray[np.floating]) -> StatisticValue:
        """Interpolated linearly between neighbours."""
        places = np.array(PROBABILITIES) * (len(ordered) - 1)
        before = places.astype(np.intp)
        share = places - before
        low, high = (ordered[np.minimum(at, len(ordered) - 1)].astype(np.float64) for at in (before, before + 1))
        # From the nearer neighbour, as `numpy.quantile` does, so that the last digits are the same.
        quantiles = np.where(share < 0.5, low + (high - low) * share, high - (high - low) * (1 - share))
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


class WeightFractionNearZeroStatistic(_OrderedStatistic):
    """Share of weights smaller in size than 1 % of the largest one; 1 where all are 0."""

    name = "weight-fraction-near-zero"
    description = "share of weights below 1 % of the largest in size"

    def of(self, ordered: NDArray[np.floating]) -> StatisticValue:
        """From 0 to 1."""
        largest = float(np.abs(ordered[[0, -1]]).max())
        if largest == 0:
            return StatisticValue(1.0)
        values, bound = ordered.astype(np.float64), NEAR_ZERO * largest
        n_near = np.searchsorted(values, bound, "left") - np.searchsorted(values, -bound, "right")
        return StatisticValue(float(n_near / len(values)))


class WeightNormStatistic(_FlatStatistic):
    """Euclidean norm of all weights (the Frobenius norm of a matrix)."""

    name = "weight-norm"
    description = "Euclidean norm of the weights"

    def of(self, values: Values) -> StatisticValue:
        """Root of the sum of squares."""
        return StatisticValue(float(np.linalg.norm(values)))


class WeightHistogramStatistic(_OrderedStatistic):
    """A histogram of 64 bins of equal width from the smallest to the largest weight.

    The value is the number of weights. The vector has 129 numbers: the 64 counts, then the 65 edges of the bins.
    Where all weights equal w, the bins go from w - 0.5 to w + 0.5 (or by a millionth of w, if that is more).
    """

    name = "weight-histogram"
    description = "number of weights; 64 counts followed by the 65 edges of the bins"
    unit = "weights"

    def of(self, ordered: NDArray[np.floating]) -> StatisticValue:
        """Bins are closed on the left, the last on both sides."""
        edges = np.linspace(*_bin_range(float(ordered[0]), float(ordered[-1])), N_BINS + 1)
        below = np.searchsorted(ordered.astype(np.float64), edges, "left")
        below[-1] = len(ordered)
        return StatisticValue(float(len(ordered)), vector=np.concatenate([np.diff(below), edges]))


def _bin_range(low: float, high: float) -> tuple[float, float]:
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
