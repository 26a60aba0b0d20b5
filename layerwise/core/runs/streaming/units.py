"""Transforms of units over all stimuli, such as z-scores: done when all stimuli have passed, chunk by chunk.

A chunk holds all stimuli of its columns, in memory or on disk, whatever the budget. So a unit can be told from all of
its activations without a second pass over the network: chunks keep what the network gave, and are transformed, summed
and multiplied at the end of the segment.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from layerwise.core.host.kinds import Transform, UnitTransform
from layerwise.core.host.registry import Registered
from layerwise.core.host.validation import check_transformed
from layerwise.core.network.model import Floats
from layerwise.core.network.representation import read_only
from layerwise.core.runs.streaming.accumulate import ChunkTask, LayerAccumulator
from layerwise.core.runs.streaming.arena import Chunk, Rooms
from layerwise.core.runs.streaming.blocks import ChunkSums
from layerwise.core.runs.streaming.sums import Scratch, StimulusSums

_CELLS_AT_ONCE = 2**17  # float64 copies of so many stay in the cache


def make_task(accumulator: LayerAccumulator, chunk: Chunk, first_column: int) -> ChunkTask:
    """The task of one chunk, of the kind that its layer's transform needs."""
    transform = accumulator.target.transform
    if transform is None or not isinstance(transform.offer, UnitTransform):
        return ChunkTask(accumulator, chunk, first_column)
    return UnitTask(accumulator, chunk, first_column, transform, transform.offer.apply_units)


class UnitTask(ChunkTask):
    """A chunk whose units are transformed over all stimuli before anything is gathered of it."""

    def __init__(
        self,
        accumulator: LayerAccumulator,
        chunk: Chunk,
        first_column: int,
        transform: Registered[Transform],
        apply_units: Callable[[Floats], Floats],
    ) -> None:
        super().__init__(accumulator, chunk, first_column)
        self.transform = transform
        self.apply_units = apply_units

    def begin_batch(self, rows: slice, activations: Floats) -> Floats:
        """Nothing is centred yet: a stimulus's mean follows from transformed units."""
        del rows
        return np.zeros((len(activations), 1), dtype=np.float32)

    def take(self, start: int, activations: Floats, mean: Floats, scratch: Scratch) -> None:
        """Keep this chunk's columns of a batch as they are."""
        del mean
        rows = self.chunk.rows(start, start + len(activations), scratch.rows)
        np.copyto(rows, activations[:, self.columns])
        self.chunk.store(start, rows)

    def multiply(self, rooms: Rooms, scratch: Callable[[], Scratch]) -> ChunkSums:
        """Transform the units, gather what is wanted of them, and multiply.

        Chunks of one layer are multiplied side by side, so that each gathers for itself.
        """
        with np.errstate(invalid="ignore", over="ignore"), self.chunk.loaded(rooms) as values:
            self.sums = StimulusSums(len(values))
            if all(np.isfinite(row).all() for row in values):  # else left alone, so that the stimulus can be named
                self._transform(values)
            self._gather_all(values, scratch())
            peak = float(max(-self.sums.minimum.min(), self.sums.maximum.max()))
            return self._multiply(values, np.zeros(len(values)), peak, scratch)

    def _transform(self, values: Floats) -> None:
        """Replace the units, some at a time."""
        n_stimuli, width = values.shape
        n_units = max(1, _CELLS_AT_ONCE // n_stimuli)
        for start in range(0, width, n_units):
            units = values[:, start : start + n_units]
            changed = self.transform.call(self.apply_units, read_only(units))
            units[:] = check_transformed(self.transform, changed, n_stimuli, units.shape[1])

    def _gather_all(self, values: Floats, scratch: Scratch) -> None:
        n_rows = max(1, scratch.rows.size // self.chunk.width)
        for start in range(0, len(values), n_rows):
            some = values[start : start + n_rows]
            nothing = np.zeros((len(some), 1), dtype=np.float32)
            self.gather(slice(start, start + len(some)), some, nothing, scratch)

    def add(self, products: ChunkSums) -> None:
        """Add what the chunk gathered, its products and its units to the layer."""
        self.accumulator.sums.add(self.sums)
        super().add(products)
