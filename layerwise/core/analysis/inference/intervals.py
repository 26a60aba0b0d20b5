"""Intervals from replicates: four methods, of which `corrected` is the one that covers what it promises.

`docs/inference.md` has the coverage of each as measured by simulation.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from layerwise.core.analysis.inference.replicates import Replicates, Values
from layerwise.core.analysis.inference.scales import Scale, choose_scale
from layerwise.core.base.errors import InputError
from layerwise.core.base.words import near_names
from layerwise.core.history.intervals import DEFAULT_LEVEL, Interval

MAX_UNDEFINED = 0.1
_UNBOUNDED = Scale(None, None)


@dataclass(frozen=True, eq=False)
class Sample:
    """One number with its replicates, all of them finite, on the scale on which they are spread evenly.

    Attributes:
        estimate: On all stimuli.
        resampled: (n_resamples,); already of the spread of as many stimuli as there are.
        left_out: (n_groups,).
        pair_factor: See `Replicates`.
        jackknife_factor: See `Replicates`.
        trust: See `Replicates`.
    """

    estimate: float
    resampled: Values
    left_out: Values
    pair_factor: float
    jackknife_factor: float
    trust: float = 1.0

    @property
    def jackknife_variance(self) -> float:
        """Variance of the estimate by the jackknife: (g - 1) / g times the squares around their mean."""
        n_groups = len(self.left_out)
        spread = self.left_out - self.left_out.mean()
        return float((n_groups - 1) / n_groups * (spread @ spread))

    @property
    def variance_parts(self) -> tuple[float, float]:
        """The parts of the estimate's variance that come from the stimuli and from the pairs; they add up to it.

        The jackknife gives J = a + c b and the resamples V = a + d b, with a the first part, b the second, and known
        c and d. With replacement a + b is 2 J - V. The first part is at least 0; then b is J / c. The second may be
        negative, where the resamples vary less than the jackknife says.
        """
        jackknife, resampled = self.jackknife_variance, float(self.resampled.var(ddof=1))
        c, d = self.jackknife_factor, self.pair_factor
        pairs = (resampled - jackknife) / (d - c)
        stimuli = jackknife - c * pairs
        if stimuli <= 0:
            stimuli, pairs = 0.0, jackknife / c
        return stimuli, pairs * (1 + (1 - self.trust) * (c - 1))  # without trust, both add up to the jackknife's

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the sum of both parts, which are known from g groups and from g (g - 1) / 2 pairs.

        As Satterthwaite (1946): (a + b)^2 / (a^2 / (g - 1) + b^2 / (g (g - 1) / 2) + v^2 / (N - 1)), where v is what
        the variance of N resamples contributes: few resamples make it uncertain.
        """
        stimuli, pairs = self.variance_parts
        n_groups = len(self.left_out)
        c, d = self.jackknife_factor, self.pair_factor
        drawn = self.trust * (c - 1) / (d - c) * float(self.resampled.var(ddof=1))
        spread = stimuli**2 / (n_groups - 1) + pairs**2 / (n_groups * (n_groups - 1) / 2)
        spread += drawn**2 / (len(self.resampled) - 1)
        return (stimuli + pairs) ** 2 / spread if spread > 0 else n_groups - 1.0


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
    reason = _find_obstacle(method, estimate, resampled, left_out)
    if reason:
        return Interval(None, None, reason=reason)
    used = left_out if method.needs_left_out else left_out[np.isfinite(left_out)]
    ends = Scale(*about.value_range)
    scale = choose_scale(about.value_range, np.array([estimate]), kept, used) or _UNBOUNDED
    centre, spread, without = (scale.stretch(item) for item in (np.array([estimate]), kept, used))
    if about.subset_size:
        spread = centre + about.stretch * (spread - np.median(spread))
    sample = Sample(float(centre[0]), spread, without, about.pair_factor, about.jackknife_factor, about.trust)
    low, high = ends.cut(scale.shrink(np.array(method.interval(sample, level))))
    if not (np.isfinite(low) and np.isfinite(high)):
        return Interval(None, None, reason=f"it has no finite ends: the {len(kept)} resamples vary too much")
    p = method.p_value(sample) if about.value_range == (None, None) else None
    return Interval(float(low), float(high), p)


def _find_obstacle(method: IntervalMethod, estimate: float, resampled: Values, left_out: Values) -> str:
    """Why there is no interval; empty where there is one."""
    if not np.isfinite(estimate):
        return "the number itself is undefined"
    n_undefined = int((~np.isfinite(resampled)).sum())
    if n_undefined > MAX_UNDEFINED * len(resampled):
        return f"undefined on {n_undefined} of {len(resampled)} resamples of the stimuli"
    n_undefined = int((~np.isfinite(left_out)).sum())
    if method.needs_left_out and n_undefined:
        times = f"{n_undefined} of {len(left_out)} times"
        return f"undefined when stimuli are left out ({times}): another --interval may do"
    return ""
