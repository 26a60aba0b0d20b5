"""Intervals from replicates: four methods, of which `corrected` is the one that covers what it promises.

`docs/inference.md` has the coverage of each as measured by simulation.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from layerwise.core.analysis.inference.replicates import Replicates, Values
from layerwise.core.analysis.inference.samples import Sample, find_obstacle, make_sample
from layerwise.core.analysis.inference.scales import Scale
from layerwise.core.base.errors import InputError
from layerwise.core.base.words import near_names
from layerwise.core.history.intervals import DEFAULT_LEVEL, Interval


class IntervalMethod(ABC):
    """A way to make an interval. `needs_left_out`: whether it needs the jackknife's numbers."""

    name: str
    description: str
    needs_left_out: bool = True

    @abstractmethod
    def interval(self, sample: Sample, level: float) -> tuple[float, float]:
        """The ends, on the scale of the sample."""

    @abstractmethod
    def p_value(self, sample: Sample) -> float:
        """Two-sided p-value of the number being 0: one minus the level of the interval that ends there."""


class Percentile(IntervalMethod):
    """Quantiles of the replicates (Efron 1979)."""

    name = "percentile"
    description = "quantiles of the resamples; too wide where much of the spread comes from single pairs"
    needs_left_out = False

    def interval(self, sample: Sample, level: float) -> tuple[float, float]:
        """The quantiles that leave out the same share on both sides."""
        low, high = np.quantile(sample.resampled, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

    def p_value(self, sample: Sample) -> float:
        """Twice the share of replicates on the other side of 0, each side counted with one more."""
        n = len(sample.resampled)
        below, above = (sample.resampled <= 0).sum(), (sample.resampled >= 0).sum()
        return float(min(1.0, 2 * (1 + min(below, above)) / (1 + n)))


class Bca(IntervalMethod):
    """Bias-corrected and accelerated (Efron 1987): quantiles moved by the median's bias and by the skewness."""

    name = "bca"
    description = "bias-corrected and accelerated quantiles; as wide as the percentile's"

    def interval(self, sample: Sample, level: float) -> tuple[float, float]:
        """Quantiles at Phi(z0 + (z0 + z) / (1 - a (z0 + z)))."""
        from scipy.special import ndtr, ndtri

        bias, acceleration = self._constants(sample)
        moved = bias + ndtri(np.array([(1 - level) / 2, (1 + level) / 2]))
        shares = ndtr(bias + moved / (1 - acceleration * moved))
        low, high = np.quantile(sample.resampled, shares)
        return float(low), float(high)

    def p_value(self, sample: Sample) -> float:
        """The quantile at which 0 is, solved for the level of the interval that ends there."""
        from scipy.special import ndtr, ndtri

        bias, acceleration = self._constants(sample)
        n = len(sample.resampled)
        share = ((sample.resampled < 0).sum() + (sample.resampled == 0).sum() / 2 + 0.5) / (n + 1)
        moved = ndtri(share) - bias
        z = moved / (1 + acceleration * moved) - bias
        return float(min(1.0, 2 * ndtr(-abs(z))))

    @staticmethod
    def _constants(sample: Sample) -> tuple[float, float]:
        from scipy.special import ndtri

        n = len(sample.resampled)
        below = (sample.resampled < sample.estimate).sum() + (sample.resampled == sample.estimate).sum() / 2
        bias = float(ndtri(np.clip(below / n, 1 / (n + 1), n / (n + 1))))
        pull = sample.left_out.mean() - sample.left_out
        squares = float(pull @ pull)
        return bias, float((pull**3).sum() / (6 * squares**1.5)) if squares > 0 else 0.0


class _Student(IntervalMethod):
    """Base: the estimate, and a standard error times a quantile of Student's t."""

    def interval(self, sample: Sample, level: float) -> tuple[float, float]:
        """Symmetric around the estimate, on the sample's scale."""
        from scipy.special import stdtrit

        error = self.variance(sample) ** 0.5
        half = float(stdtrit(self.freedom(sample), (1 + level) / 2)) * error if error > 0 else 0.0
        return sample.estimate - half, sample.estimate + half

    def p_value(self, sample: Sample) -> float:
        """Of Student's t."""
        from scipy.special import stdtr

        error = self.variance(sample) ** 0.5
        if error == 0:
            return 1.0 if sample.estimate == 0 else 0.0
        return float(2 * stdtr(self.freedom(sample), -abs(sample.estimate) / error))

    @abstractmethod
    def variance(self, sample: Sample) -> float:
        """Of the estimate."""

    @abstractmethod
    def freedom(self, sample: Sample) -> float:
        """Degrees of freedom of that variance."""


class Jackknife(_Student):
    """The jackknife's standard error (Tukey 1958)."""

    name = "jackknife"
    description = "from leaving stimuli out, with Student's t; needs no resamples; somewhat too wide"

    def variance(self, sample: Sample) -> float:
        """The jackknife's."""
        return sample.jackknife_variance

    def freedom(self, sample: Sample) -> float:
        """One less than groups."""
        return len(sample.left_out) - 1.0


class Corrected(_Student):
    """Jackknife and resamples together, so that the part of the variance from single pairs counts once."""

    name = "corrected"
    description = "variance from resamples and jackknife together, pairs counted once, with Student's t"

    def variance(self, sample: Sample) -> float:
        """Corrected for what both count too often."""
        return sum(sample.variance_parts)

    def freedom(self, sample: Sample) -> float:
        """More than the jackknife's where much comes from pairs, of which there are many."""
        return sample.freedom


METHODS: dict[str, IntervalMethod] = {
    method.name: method for method in (Corrected(), Bca(), Percentile(), Jackknife())
}


def find_method(name: str) -> IntervalMethod:
    """The method of this name.

    Raises:
        InputError: If there is none; lists those there are.
    """
    if name not in METHODS:
        raise InputError(
            f"there is no interval method '{name}'{near_names(name, tuple(METHODS))}; known: {', '.join(METHODS)}"
        )
    return METHODS[name]


def check_level(level: float) -> None:
    """Make sure that a level is between 0 and 1.

    Raises:
        InputError: If it is not.
    """
    if not 0 < level < 1:
        raise InputError(f"the level of an interval is between 0 and 1, for example 0.95; here it is {level:g}")


def make_intervals(replicates: Replicates, method: IntervalMethod, level: float = DEFAULT_LEVEL) -> list[Interval]:
    """An interval for every number of `replicates`, in the order of its `estimate` read row by row.

    Raises:
        InputError: If the level is not between 0 and 1.
    """
    check_level(level)
    estimates = replicates.estimate.reshape(-1)
    resampled = replicates.resampled.reshape(len(replicates.resampled), -1)
    left_out = replicates.left_out.reshape(len(replicates.left_out), -1)
    return [
        _make_interval(replicates, method, level, float(estimates[i]), resampled[:, i], left_out[:, i])
        for i in range(len(estimates))
    ]


def _make_interval(
    about: Replicates, method: IntervalMethod, level: float, estimate: float, resampled: Values, left_out: Values
) -> Interval:
    kept = resampled[np.isfinite(resampled)]
    reason = find_obstacle(estimate, resampled, left_out, needs_left_out=method.needs_left_out)
    if reason:
        return Interval(None, None, reason=reason)
    used = left_out if method.needs_left_out else left_out[np.isfinite(left_out)]
    ends = Scale(*about.value_range)
    sample, scale = make_sample(about, estimate, kept, used)
    low, high = ends.cut(scale.shrink(np.array(method.interval(sample, level))))
    if not (np.isfinite(low) and np.isfinite(high)):
        return Interval(None, None, reason=f"it has no finite ends: the {len(kept)} resamples vary too much")
    p = method.p_value(sample) if about.value_range == (None, None) else None
    return Interval(float(low), float(high), p)
