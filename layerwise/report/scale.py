"""What the values of the chosen measure mean on a page: their words, their range, their colours.

A comparator says of itself whether it is a similarity or a distance and between which values it lies; from that
follow axis titles, captions, and whether a colour scale diverges around 0 or runs from one end to the other.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from layerwise.core.analysis.measure import Measure
from layerwise.report.content import ReportContext
from layerwise.report.queries import chosen_measure

NEGLIGIBLE = 0.05  # of the largest value: correlations that are hardly below 0 are none, and do not call for a sign
N_TENTHS = 10  # the lower end of a scale is a tenth of the largest value, so that people can read it


@dataclass(frozen=True)
class Bounds:
    """The values at the ends of a colour scale.

    Attributes:
        low: Smallest value.
        high: Largest value.
        diverging: Whether 0 is in the middle and means something of its own: that nothing is shared.
        dark_is_low: Whether small values mean alike, and so get the dark colours.
    """

    low: float
    high: float
    diverging: bool
    dark_is_low: bool = False


@dataclass(frozen=True)
class Scale:
    """The words and the range of a measure."""

    measure: Measure

    @property
    def noun(self) -> str:
        """`similarity` or `distance`."""
        return self.measure.kind

    @property
    def symbol(self) -> str:
        """What a value is called: `r` of a correlation, otherwise the comparator's name."""
        return self.measure.comparator.offer.symbol or self.measure.name

    @property
    def limits(self) -> tuple[float | None, float | None]:
        """Smallest and largest possible value; None where unbounded."""
        return self.measure.comparator.offer.value_range

    @property
    def diverging(self) -> bool:
        """Whether 0 lies between agreement and its opposite."""
        low, _ = self.limits
        return self.noun == "similarity" and (low is None or low < 0)

    @property
    def format(self) -> str:
        """How a value is written in a cell: with two decimals, or three digits where there is no end to values."""
        return ".2f" if None not in self.limits or self.noun == "similarity" else ".3g"

    @property
    def step_title(self) -> str:
        """What a step between two layers is, on its axis."""
        high = self.limits[1]
        return f"change ({high or 0:g} - {self.symbol})" if self.noun == "similarity" else f"change ({self.symbol})"

    @property
    def step_words(self) -> str:
        """How far apart two layers are, in words."""
        return f"{self.limits[1] or 0:g} - similarity" if self.noun == "similarity" else "the distance itself"

    @property
    def reading(self) -> str:
        """How a value is read, as the second half of a sentence."""
        if self.noun == "distance":
            high = (
                "larger values that they differ more" if self.limits[1] is None else f"{self.limits[1]:.3g} the most"
            )
            return f"0 means that they agree, {high}"
        top = "the largest value" if self.limits[1] is None else f"{self.limits[1]:g}"
        zero = "0 that one says nothing about the other" if self.diverging else "0 that they share nothing"
        return f"{top} means that they agree on which stimuli are alike, {zero}"

    def axis(self, what: str = "") -> str:
        """An axis title: `similarity to the output (r)`."""
        return " ".join(filter(None, (self.noun, what, f"({self.symbol})")))

    def bounds(self, values: Iterable[float]) -> Bounds:
        """The ends of the colour scale: from the data at the end where layers differ, the measure's own at the other.

        Colours diverge around 0 only where some value lies clearly below it. Where none does, half of a diverging
        scale would be of no use, and similarities from 0.8 to 1 would all look the same.
        """
        low, high = self.limits
        found = [float(value) for value in values if math.isfinite(value)]
        top = high if high is not None else max(found, default=1.0)
        if self.diverging:
            reach = max(abs(top), abs(low) if low is not None else 0.0) or 1.0
            if min(found, default=-reach) < -NEGLIGIBLE * reach:
                return Bounds(-reach, reach, diverging=True)
        bottom = low if low is not None else min(found, default=0.0)
        if self.noun == "similarity" and high is not None and found:
            bottom = max(0.0, math.floor(min(found) / high * N_TENTHS) / N_TENTHS * high)
        return Bounds(
            bottom, top if top > bottom else bottom + 1, diverging=False, dark_is_low=self.noun == "distance"
        )


def find_scale(context: ReportContext) -> Scale:
    """The scale of the measure that a report was asked for."""
    return Scale(chosen_measure(context))
