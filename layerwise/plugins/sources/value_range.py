"""What the values of an array of pixels run from and to: 0..255, 0..1 or -1..1, told by the bulk of them.

A few values beyond (what interpolation overshoots) are clipped; a set of which more than a few lie outside of all of
these ranges is refused until somebody says what they mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError, StimulusError
from layerwise.core.network.pixels import StimuliReader

_TAIL = 0.01
_SLACK = 0.05  # of the width of a range: what the values at the ends of the bulk may lie beyond it
_MAX_BLOCKS = 16


@dataclass(frozen=True)
class ValueRange:
    """What is black and what is white.

    Attributes:
        low: The value that becomes 0.
        high: The value that becomes 255.
        is_chosen: Whether somebody said so; then what lies beyond is clipped.
    """

    low: float
    high: float
    is_chosen: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether values are pixels as they are."""
        return (self.low, self.high) == (0, 255)

    def __str__(self) -> str:
        return f"{self.low:g}..{self.high:g}"

    def to_pixels(self, item: NDArray[Any]) -> NDArray[Any]:
        """Values as pixels in 0..255: whole numbers as uint8, others as float32.

        Raises:
            StimulusError: If they are not finite; or lie outside of 0..255 where that is what they were taken for.
        """
        if not np.isfinite(item).all():
            raise StimulusError("has values that are not finite")
        low, high = float(item.min()), float(item.max())
        if self.is_plain and not self.is_chosen and (low < 0 or high > 255):
            raise StimulusError(
                f"has values from {low:g} to {high:g}, expected 0 to 255 (--range LOW..HIGH says else)"
            )
        if self.is_plain:
            pixels: NDArray[Any] = np.clip(item, 0, 255).astype(np.float32 if item.dtype.kind == "f" else np.uint8)
            return pixels
        scaled = np.clip((item.astype(np.float64) - self.low) * (255 / (self.high - self.low)), 0, 255)
        whole = item.dtype.kind != "f" and (255 / (self.high - self.low)).is_integer()
        result: NDArray[Any] = scaled.astype(np.uint8 if whole else np.float32)
        return result


PLAIN = ValueRange(0, 255)
_UNIT, _SIGNED = ValueRange(0, 1), ValueRange(-1, 1)


def find_range(location: str, pixels: StimuliReader) -> ValueRange:
    """The range that the bulk of values lies in; of large arrays, of a part of them.

    Raises:
        InputError: If it is none of the three.
    """
    if pixels.dtype.kind in "bui":
        return _UNIT if pixels.dtype.kind == "b" or _is_mask(pixels) else PLAIN
    values = _sample(pixels)
    if not values.size:
        return PLAIN
    low, high = np.quantile(values, [_TAIL, 1 - _TAIL], method="nearest")
    if low < -_SLACK and _holds(_SIGNED, low, high):
        return _SIGNED
    for known in (_UNIT, PLAIN):
        if _holds(known, low, high):
            return known
    raise InputError(
        f"{location} has values from {values.min():g} to {values.max():g}, which are no pixels in 0..255, 0..1 "
        "or -1..1: say what is black and what is white with --range LOW..HIGH (value_range=(LOW, HIGH) in Python)"
    )


def describe_range(chosen: ValueRange, pixels: StimuliReader) -> str:
    """What was decided, in words; empty where values are pixels as they are."""
    if chosen.is_plain:
        return ""
    values = _sample(pixels)
    beyond = int(((values < chosen.low) | (values > chosen.high)).sum())
    clipped = f", {beyond} of {values.size} values beyond it clipped" if beyond else ""
    why = "" if chosen.is_chosen else "; --range 0..255 (value_range=(0, 255) in Python) takes them as they are"
    return f"values in {chosen} are taken as pixels in 0..255{clipped}{why}"


def _holds(known: ValueRange, low: float, high: float) -> bool:
    """Whether a bulk from `low` to `high` lies in a range, or beyond it by little of its own extent."""
    slack = _SLACK * min(known.high - known.low, high - low)
    return bool(known.low - slack <= low and high <= known.high + slack)


def _is_mask(pixels: StimuliReader) -> bool:
    """Whether whole numbers are 0 and 1 only, some of them 1."""
    ones = False
    for block in pixels.blocks():
        if block.max() > 1 or block.min() < 0:
            return False
        ones = ones or bool(block.max() == 1)
    return ones


def _sample(pixels: StimuliReader) -> NDArray[np.float64]:
    """Values that are finite and not zero: a background of zeros says nothing. From a few places of a large array."""
    n_stimuli = len(pixels)
    step = max(1, 2**20 * n_stimuli // max(int(np.prod(pixels.shape, dtype=np.int64)), 1))
    starts = list(range(0, n_stimuli, step))
    chosen = starts[:: -(-len(starts) // _MAX_BLOCKS)]
    values = np.concatenate([pixels.read(start, min(start + step, n_stimuli)).reshape(-1) for start in chosen])
    values = values.astype(np.float64)
    chosen_values: NDArray[np.float64] = values[np.isfinite(values) & (values != 0)]
    return chosen_values
