"""Sums over the activations that stream by: over units for each stimulus, over stimuli for each unit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from layerwise.core.network.model import Floats
from layerwise.core.network.summary import Vector


class Scratch:
    """Temporary arrays of one worker thread, allocated once."""

    def __init__(self, batch_size: int, width: int) -> None:
        self._arrays = np.empty((2, batch_size * width), dtype=np.float32)
        self._flags = np.empty(batch_size * width, dtype=np.bool_)
        self.ones = np.ones(max(batch_size, width), dtype=np.float32)
        self.rows = np.empty(batch_size * width, dtype=np.float32)

    def like(self, values: Floats, index: int) -> Floats:
        """A temporary of the same shape."""
        return self._arrays[index, : values.size].reshape(values.shape)

    def flags(self, values: Floats) -> NDArray[np.bool_]:
        """A temporary of booleans of the same shape."""
        return self._flags[: values.size].reshape(values.shape)


class StimulusSums:
    """Sums, extrema and counts over units, of each stimulus."""

    def __init__(self, n_stimuli: int) -> None:
        self.residual: Vector = np.zeros(n_stimuli)
        self.powers: Vector = np.zeros((3, n_stimuli))
        self.minimum: Vector = np.full(n_stimuli, np.inf)
        self.maximum: Vector = np.full(n_stimuli, -np.inf)
        self.n_zeros: Vector = np.zeros(n_stimuli)
        self.absolute: Vector = np.zeros(n_stimuli)

    def take(self, rows: slice, values: Floats, mean: Floats, centred: Floats, scratch: Scratch) -> None:
        """Centre a piece of a chunk into `centred`, and gather its moments and counts."""
        # Sums are products with ones, and a chunk's temporaries are reused: this loop reads every activation of every
        # layer several times, so that what it costs is how often a number leaves the cache.
        np.subtract(values, mean, out=centred)
        square = np.multiply(centred, centred, out=scratch.like(values, 0))
        ones = scratch.ones[: values.shape[1]]
        self.residual[rows] += centred @ ones
        self.powers[0, rows] += square @ ones
        self.powers[1, rows] += np.vecdot(square, centred)
        self.powers[2, rows] += np.vecdot(square, square)
        low = np.minimum.reduce(values, axis=1)
        np.minimum(self.minimum[rows], low, out=self.minimum[rows])
        np.maximum(self.maximum[rows], np.maximum.reduce(values, axis=1), out=self.maximum[rows])
        zero = np.equal(values, 0, out=scratch.flags(values))
        self.n_zeros[rows] += [np.count_nonzero(row) for row in zero]
        size = values if low.min() >= 0 else np.abs(values, out=scratch.like(values, 0))
        self.absolute[rows] += size @ ones

    def add(self, other: StimulusSums) -> None:
        """Add what was gathered of other units."""
        self.residual += other.residual
        self.powers += other.powers
        np.minimum(self.minimum, other.minimum, out=self.minimum)
        np.maximum(self.maximum, other.maximum, out=self.maximum)
        self.n_zeros += other.n_zeros
        self.absolute += other.absolute


class UnitSums:
    """Sums over stimuli for the units of one chunk."""

    def __init__(self, width: int) -> None:
        self.sums: Vector = np.zeros(width)
        self.squares: Vector = np.zeros(width)

    def take(self, values: Floats, scratch: Scratch) -> None:
        """Add a piece of shape (batch, width)."""
        ones = scratch.ones[: len(values)]
        self.sums += ones @ values
        self.squares += ones @ np.multiply(values, values, out=scratch.like(values, 1))
