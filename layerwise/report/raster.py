"""Matrices as pictures: each cell a square of pixels, in the colours that charts have."""

from __future__ import annotations

import io
import math

import numpy as np
from numpy.typing import NDArray

from layerwise.report import drawing
from layerwise.report.scale import Bounds

N_PIXELS_MOST = 1000  # of a picture's side; larger matrices are averaged
N_COLOURS = 255


def draw_raster(matrix: NDArray[np.floating], bounds: Bounds, n_pixels: int = 600) -> bytes:
    """A matrix as a PNG of at least `n_pixels` a side, each cell a square of pixels; undefined cells are grey."""
    from PIL import Image

    values = _average(matrix.astype(np.float64), N_PIXELS_MOST)
    share = (values - bounds.low) / (bounds.high - bounds.low)
    codes = np.rint(np.clip(np.nan_to_num(share), 0, 1) * (N_COLOURS - 1)).astype(np.uint8)
    codes[np.isnan(values)] = N_COLOURS
    enlarged = codes.repeat(times := max(1, math.ceil(n_pixels / len(codes))), 0).repeat(times, 1)
    image = Image.fromarray(enlarged, "P")
    colours = drawing.diverging_colours(N_COLOURS) if bounds.diverging else drawing.sequential_colours(N_COLOURS)
    if bounds.dark_is_low:
        colours = colours[::-1]
    image.putpalette([part for colour in (*colours, drawing.UNDEFINED) for part in colour])
    written = io.BytesIO()
    image.save(written, "PNG", optimize=True)
    return written.getvalue()


def _average(matrix: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """The means of equal squares of cells, where there are more than `most` a side; what is left over is cut off."""
    size = math.ceil(len(matrix) / most)
    if size == 1:
        return matrix
    n_squares = len(matrix) // size
    cut = matrix[: n_squares * size, : n_squares * size].reshape(n_squares, size, n_squares, size)
    return np.asarray(cut.mean(axis=(1, 3)))
