"""Scales without ends (Fisher's z, logarithms), on which a measure's estimates are spread evenly.

A correlation of 0.97 cannot be 0.1 larger, but much more than 0.1 smaller; on Fisher's z scale its estimates are
spread evenly. The same is done for every measure with a bounded range. Where an estimate or a replicate is at an
end of the range, the measure's own scale is kept, and intervals are cut off at the ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from layerwise.core.analysis.inference.replicates import Values

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Scale:
    """A change of scale for numbers from `low` to `high`, None where unbounded.

    Bounded on both sides: half the logit of where it is between the ends (for a correlation, Fisher's z); on one
    side: the logarithm of the distance from that end; on none: none.
    """

    low: float | None
    high: float | None

    def stretch(self, values: Values) -> Values:
        """To the scale without ends; not finite at the ends and beyond them."""
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.low is not None and self.high is not None:
                return np.asarray((np.log(values - self.low) - np.log(self.high - values)) / 2)
            if self.low is not None:
                return np.asarray(np.log(values - self.low))
            if self.high is not None:
                return np.asarray(-np.log(self.high - values))
        return values

    def shrink(self, values: Values) -> Values:
        """Back; the inverse of `stretch`."""
        with np.errstate(over="ignore"):
            if self.low is not None and self.high is not None:
                return np.asarray(self.low + (self.high - self.low) * (1 + np.tanh(values)) / 2)
            if self.low is not None:
                return np.asarray(self.low + np.exp(values))
            if self.high is not None:
                return np.asarray(self.high - np.exp(-values))
        return values

    def cut(self, values: Values) -> Values:
        """Cut off at the ends."""
        return np.asarray(np.clip(values, self.low, self.high)) if (self.low, self.high) != (None, None) else values


def choose_scale(value_range: tuple[float | None, float | None], *values: Values) -> Scale | None:
    """The scale for a measure with this range; None for its own, where a number is at an end of the range.

    At an end is what is nearer to it than rounding can tell: a billionth of the range, or of the largest number.
    """
    low, high = value_range
    numbers = np.concatenate([item[np.isfinite(item)] for item in values])
    width = high - low if low is not None and high is not None else float(np.abs(numbers).max(initial=0.0))
    least = _ROUNDING * width
    at_end = (low is not None and (numbers - low <= least).any()) or (
        high is not None and (high - numbers <= least).any()
    )
    return None if at_end else Scale(low, high)
