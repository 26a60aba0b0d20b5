"""The memory of this process as a device: NumPy, and the compiled pass."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.pages import make_buffer
from layerwise.core.network.arrays import Arrays
from layerwise.core.network.matrices.tiles import MOST_WHOLE
from layerwise.core.network.model import Floats
from layerwise.core.network.partial import PartialSums
from layerwise.core.runs.streaming.chunks import Scratch, sum_chunk
from layerwise.core.runs.streaming.tiles.sums import TileScratch, sum_in_tiles


class HostArrays(Arrays):
    """NumPy's arrays. Any thread may ask for sums; each has temporary arrays of its own."""

    device = "cpu"

    def __init__(self) -> None:
        self._local = threading.local()

    def empty(self, n_cells: int) -> Floats:
        """A buffer whose pages are being made."""
        return make_buffer(n_cells)

    def write(self, rows: Floats, values: Floats) -> None:
        """Copy."""
        np.copyto(rows, values)

    def send(self, values: Floats) -> Floats:
        """The same."""
        return values

    def fetch(self, values: NDArray[Any]) -> NDArray[Any]:
        """The same."""
        return values

    def sum_chunk(self, values: Floats, *, in_double: bool) -> PartialSums:
        """The sums of a chunk; of many stimuli its products are in tiles."""
        if len(values) > MOST_WHOLE:
            if not hasattr(self._local, "tiles"):
                self._local.tiles = TileScratch()
            return sum_in_tiles(values, self._local.tiles, in_double=in_double)
        if not hasattr(self._local, "scratch"):
            self._local.scratch = Scratch()
        return sum_chunk(values, self._local.scratch, in_double=in_double)
