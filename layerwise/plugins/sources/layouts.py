"""Pixels in other layouts than channels last: channels first, as PyTorch has them, and with transparency."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.network.pixels import StimuliReader

_CHANNELS = (1, 3, 4)
_SMALLEST = 5  # pixels that a side must have for an axis of 1, 3 or 4 to be the channels for certain


class LaidReader(StimuliReader):
    """Rows of pixels in another layout as (n, height, width, 1 or 3), changed as they are read."""

    def __init__(self, rows: StimuliReader, *, channels_first: bool) -> None:
        n_stimuli, *sides = rows.shape
        height, width, n_channels = (*sides[1:], sides[0]) if channels_first else sides
        self.shape, self.dtype = (n_stimuli, height, width, min(n_channels, 3)), rows.dtype
        self.memory_bytes, self.spool_bytes = rows.memory_bytes, rows.spool_bytes
        self._rows, self._first = rows, channels_first

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """The rows, transparency laid over white."""
        pixels = self._rows.read(start, stop)
        pixels = np.moveaxis(pixels, 1, -1) if self._first else pixels
        if pixels.shape[-1] == 4:
            pixels = _lay_over_white(pixels)
        return np.ascontiguousarray(pixels)


def lay_out_pixels(rows: StimuliReader) -> tuple[StimuliReader, str]:
    """The reader itself, or one of the same pixels with channels last and without transparency.

    Transparency is known of uint8 only: of other types nobody says what is opaque.

    Returns:
        The reader, and what was decided, in words; empty where it is the same reader.
    """
    shape = rows.shape
    if len(shape) != 4 or min(shape[2], max(shape[1], shape[3])) < _SMALLEST:
        return rows, ""
    first = shape[1] in _CHANNELS and shape[3] >= _SMALLEST
    last = shape[3] in _CHANNELS and shape[1] >= _SMALLEST
    n_channels = shape[1] if first else shape[3]
    if not (first or last) or (n_channels == 4 and rows.dtype != np.uint8) or (last and n_channels != 4):
        return rows, ""
    words = [f"shape {shape} is taken as channels first"] if first else []
    words += ["transparency is laid over white"] if n_channels == 4 else []
    return LaidReader(rows, channels_first=first), ", ".join(words)


def _lay_over_white(pixels: NDArray[Any]) -> NDArray[Any]:
    """uint8 (..., 4) to (..., 3), as Pillow composes."""
    opaque = pixels[..., 3:].astype(np.uint32)
    laid: NDArray[Any] = (pixels[..., :3] * opaque + 255 * (255 - opaque) + 127) // 255
    return laid.astype(np.uint8)
