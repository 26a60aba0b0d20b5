"""One number with its replicates, ready for an interval or a test: on an even scale, its variance in two parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from layerwise.core.analysis.inference.replicates import Replicates, Values
from layerwise.core.analysis.inference.scales import Scale, choose_scale

MAX_UNDEFINED = 0.1
UNBOUNDED = Scale(None, None)


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


def make_sample(
    about: Replicates, estimate: float, resampled: Values, left_out: Values, scale: Scale | None = None
) -> tuple[Sample, Scale]:
    """One number with its replicates on the scale on which they are spread evenly, and that scale.

    Args:
        about: How the replicates were drawn.
        estimate: The number.
        resampled: (n_resamples,); finite.
        left_out: (n_groups,); finite.
        scale: The scale; by default the one that fits the measure's range, or its own where a number is at an end.
    """
    if scale is None:
        scale = choose_scale(about.value_range, np.array([estimate]), resampled, left_out) or UNBOUNDED
    centre, spread, without = (scale.stretch(item) for item in (np.array([estimate]), resampled, left_out))
    if about.subset_size:
        spread = centre + about.stretch * (spread - np.median(spread))
    return Sample(float(centre[0]), spread, without, about.pair_factor, about.jackknife_factor, about.trust), scale


def find_obstacle(estimate: float, resampled: Values, left_out: Values, *, needs_left_out: bool) -> str:
    """Why there is no interval; empty where there is one.

    Args:
        estimate: The number.
        resampled: (n_resamples,).
        left_out: (n_groups,).
        needs_left_out: Whether all numbers of the jackknife are needed.
    """
    if not np.isfinite(estimate):
        return "the number itself is undefined"
    n_undefined = int((~np.isfinite(resampled)).sum())
    if n_undefined > MAX_UNDEFINED * len(resampled):
        return f"undefined on {n_undefined} of {len(resampled)} resamples of the stimuli"
    n_undefined = int((~np.isfinite(left_out)).sum())
    if needs_left_out and n_undefined:
        times = f"{n_undefined} of {len(left_out)} times"
        return f"undefined when stimuli are left out ({times}): another --interval may do"
    return ""
