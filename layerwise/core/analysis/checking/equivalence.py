"""Equivalence tests: is a number beyond a margin, within it, or are there too few stimuli to tell?

Two one-sided tests (Schuirmann 1987) with the variance of `corrected` intervals, on the measure's scale
without ends. What is found for several layers is corrected for all of them by Holm's procedure, in either direction.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from layerwise.core.analysis.inference.correction import correct_holm
from layerwise.core.analysis.inference.replicates import Replicates
from layerwise.core.analysis.inference.samples import UNBOUNDED, find_obstacle, make_sample

Verdict = Literal["pass", "fail", "undecided"]
_MOST_TIMES = 1000.0  # times as many stimuli: more than this is no advice


@dataclass(frozen=True)
class Standing:
    """Where one number stands to a limit, on a scale on which its error is even.

    Attributes:
        gap: How far it is on the side of agreement, on that scale; negative beyond the limit.
        stimuli: Part of its variance that comes from which stimuli there are: falls with their number.
        pairs: Part that comes from single pairs: falls with the square of their number.
        freedom: Degrees of freedom of the variance.
        n_stimuli: How many stimuli there are.
    """

    gap: float
    stimuli: float
    pairs: float
    freedom: float
    n_stimuli: int

    @property
    def error(self) -> float:
        """Standard error of the number."""
        return math.sqrt(max(self.stimuli + self.pairs, 0.0))

    def p_beyond(self) -> float:
        """p-value of the claim that the number is within the limit: what is tested is that it is beyond."""
        return self._tail(self.gap)

    def p_within(self) -> float:
        """p-value of the claim that the number is beyond the limit: what is tested is that it is within."""
        return self._tail(-self.gap)

    def _tail(self, gap: float) -> float:
        from scipy.special import stdtr

        if self.error == 0:
            return 0.0 if gap > 0 else 1.0
        return float(stdtr(self.freedom, -gap / self.error))

    def stimuli_to_settle(self, alpha: float, *, fewer: bool = False) -> int | None:
        """How many stimuli of this kind would probably tell; None where more than a thousand times as many.

        With `fewer` it may be fewer than there are; otherwise it is as many at least.

        The smallest N for which the gap, should it stay, is as wide as alpha asks:
        t sqrt(a n / N + b (n / N)^2) <= |gap|. With that many the test decides in about half of all cases.
        """
        from scipy.special import stdtrit

        wanted = float(stdtrit(self.freedom, 1 - alpha))
        if self.gap == 0 or not math.isfinite(wanted):
            return None
        allowed = (self.gap / wanted) ** 2
        # a x + b x^2 = allowed, x = n / N; b may be negative where resamples vary little: then only a counts.
        a, b = (self.stimuli, self.pairs) if self.pairs > 0 else (self.stimuli + self.pairs, 0.0)
        x = 2 * allowed / (a + math.sqrt(a * a + 4 * b * allowed)) if a + b > 0 else 1.0
        if x < 1 / _MOST_TIMES:
            return None
        return math.ceil(self.n_stimuli / (x if fewer else min(x, 1.0)))


@dataclass(frozen=True)
class Placed:
    """A number with the simultaneous interval around it, and where it stands to the limit.

    Attributes:
        standing: Where it stands; None where that cannot be told.
        low: Lower end of the interval.
        high: Upper end.
        reason: Why it cannot be told.
    """

    standing: Standing | None
    low: float | None = None
    high: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Decision:
    """What a family of tests says of one number.

    Attributes:
        verdict: `pass` if it is within the limit, `fail` if it is beyond, beyond sampling error either way.
        p_pass: p-value of being within, corrected for all layers.
        p_fail: p-value of being beyond, corrected for all layers.
        n_needed: Of an undecided one, how many stimuli would probably tell; None where no such number is useful.
    """

    verdict: Verdict
    p_pass: float
    p_fail: float
    n_needed: int | None = None


def place(replicates: Replicates, limit: float, kind: Literal["similarity", "distance"], level: float) -> Placed:
    """Where one number stands to a limit.

    Args:
        replicates: Of a single number.
        limit: The smallest similarity, or the largest distance, that counts as unchanged.
        kind: Whether larger means more alike, or less.
        level: Coverage of the interval.

    Raises:
        InputError: If there are too few resamples.
    """
    estimate = float(replicates.estimate.reshape(-1)[0])
    resampled, left_out = replicates.resampled.reshape(-1), replicates.left_out.reshape(-1)
    reason = find_obstacle(estimate, resampled, left_out, needs_left_out=True)
    if reason:
        return Placed(None, reason=reason)
    sample, scale = make_sample(replicates, estimate, resampled[np.isfinite(resampled)], left_out)
    edge = float(scale.stretch(np.array([limit]))[0])
    if not math.isfinite(edge):  # the limit is at an end of the range, or beyond it
        sample, scale = make_sample(
            replicates, estimate, resampled[np.isfinite(resampled)], left_out, scale=UNBOUNDED
        )
        edge = limit
    gap = sample.estimate - edge if kind == "similarity" else edge - sample.estimate
    stimuli, pairs = sample.variance_parts
    freedom = sample.freedom if stimuli + pairs > 0 else len(left_out) - 1.0
    standing = Standing(gap, stimuli, pairs, freedom, replicates.n_stimuli)
    half = _quantile(freedom, level) * standing.error
    ends = scale.shrink(np.array([sample.estimate - half, sample.estimate + half]))
    low, high = np.clip(ends, *replicates.value_range) if replicates.value_range != (None, None) else ends
    return Placed(standing, float(low), float(high))


def _quantile(freedom: float, level: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + level) / 2))


def simultaneous_level(alpha: float, n_layers: int) -> float:
    """Coverage of intervals that all together leave alpha on either side, by Bonferroni's bound."""
    return 1 - 2 * alpha / max(n_layers, 1)


def decide(standings: Sequence[Standing], alpha: float) -> list[Decision]:
    """What is within and what is beyond, corrected for all of them, in either direction (Holm 1979).

    The chance that any number beyond the limit passes is at most alpha, and so is the chance that any number within
    it fails, whatever depends on what.
    """
    within = correct_holm(np.array([item.p_beyond() for item in standings]))
    beyond = correct_holm(np.array([item.p_within() for item in standings]))
    decisions = []
    for standing, p_pass, p_fail in zip(standings, within, beyond, strict=True):
        verdict: Verdict = "pass" if p_pass <= alpha else "fail" if p_fail <= alpha else "undecided"
        needed = standing.stimuli_to_settle(alpha / len(standings)) if verdict == "undecided" else None
        decisions.append(Decision(verdict, float(p_pass), float(p_fail), needed))
    return decisions
