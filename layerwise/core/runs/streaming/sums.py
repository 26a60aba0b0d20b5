"""Sums over units of the activations that stream by, for each stimulus."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from layerwise.core.network.model import Floats
from layerwise.core.network.summary import Vector

TAME = 2.0**30
"""Float32 holds fourth powers of numbers up to here, and of their inverses."""


class Scratch:
    """Temporary arrays of one worker thread, allocated once."""

    def __init__(self, batch_size: int, width: int) -> None:
        self._arrays = np.empty((2, batch_size * width), dtype=np.float32)
        self._flags = np.empty(batch_size * width, dtype=np.bool_)
        self.ones = np.ones(max(batch_size, width), dtype=np.float32)
        self.rows = np.empty(batch_size * width, dtype=np.float32)
        self._product = np.empty((0, 0), dtype=np.float32)
        self._block = np.empty(0, dtype=np.float32)

    def like(self, values: Floats, index: int) -> Floats:
        """A temporary of the same shape."""
        return self._arrays[index, : values.size].reshape(values.shape)

    def block(self, n_rows: int, n_columns: int) -> Floats:
        """An array of this shape for a block of a chunk, kept from one to the next: fresh pages cost as much."""
        if self._block.size < n_rows * n_columns:
            self._block = np.empty(n_rows * n_columns, dtype=np.float32)
        return self._block[: n_rows * n_columns].reshape(n_rows, n_columns)

    def product(self, n_stimuli: int) -> Floats:
        """An (n, n) array for the products of a block, kept likewise."""
        if len(self._product) != n_stimuli:
            self._product = np.empty((n_stimuli, n_stimuli), dtype=np.float32)
        return self._product

    def flags(self, values: Floats) -> NDArray[np.bool_]:
        """A temporary of booleans of the same shape."""
        return self._flags[: values.size].reshape(values.shape)


class StimulusSums:
    """Third and fourth moments, extrema and counts over units, of each stimulus; sums follow from its products.

    Attributes:
        powers: (2, n); sums of third and fourth powers about the mean that was given.
        minimum: (n,); smallest activation.
        maximum: (n,); largest activation.
        n_zeros: (n,); number of activations that are exactly 0.
        negative: (n,); sum of the sizes of those below 0.
    """

    def __init__(self, n_stimuli: int) -> None:
        self.powers: Vector = np.zeros((2, n_stimuli))
        self.minimum: Vector = np.full(n_stimuli, np.inf)
        self.maximum: Vector = np.full(n_stimuli, -np.inf)
        self.n_zeros: Vector = np.zeros(n_stimuli)
        self.negative: Vector = np.zeros(n_stimuli)

    def take(self, rows: slice, values: Floats, mean: Floats, scratch: Scratch) -> None:
        """Gather higher moments about `mean`, extrema and counts of a piece of a chunk.

        Each row is summed by itself, so that what a stimulus gives does not depend on its place in the batch.
        """
        # A chunk's temporaries are reused: this loop reads every activation of every layer several times, so that
        # what it costs is how often a number leaves the cache.
        low, high = np.minimum.reduce(values, axis=1), np.maximum.reduce(values, axis=1)
        np.minimum(self.minimum[rows], low, out=self.minimum[rows])
        np.maximum(self.maximum[rows], high, out=self.maximum[rows])
        centred = np.subtract(values, mean, out=scratch.like(values, 1))
        scale = _scales(low, high, mean[:, 0])
        if scale is not None:
            centred *= scale[:, None]
        square = np.multiply(centred, centred, out=scratch.like(values, 0))
        sums = np.stack([np.vecdot(square, centred), np.vecdot(square, square)]).astype(np.float64)
        if scale is not None:
            sums /= scale.astype(np.float64) ** np.array([[3], [4]])
        self.powers[:, rows] += sums
        zero = np.equal(values, 0, out=scratch.flags(values))
        self.n_zeros[rows] += [np.count_nonzero(row) for row in zero]
        if low.min() < 0:
            self.negative[rows] -= _sum_rows(np.minimum(values, 0, out=scratch.like(values, 0)))

    def add(self, other: StimulusSums) -> None:
        """Add what was gathered of other units."""
        self.powers += other.powers
        np.minimum(self.minimum, other.minimum, out=self.minimum)
        np.maximum(self.maximum, other.maximum, out=self.maximum)
        self.n_zeros += other.n_zeros
        self.negative += other.negative


def _sum_rows(values: Floats) -> Vector:
    """The sum of each row; in float64 where float32 cannot hold one."""
    sums: Vector = np.add.reduce(values, axis=1).astype(np.float64)
    if not np.isfinite(sums).all():
        sums = np.add.reduce(values, axis=1, dtype=np.float64)
    return sums


def _scales(low: Floats, high: Floats, mean: Floats) -> Floats | None:
    """Powers of two, (batch,), that bring what is left of each row near to 1; None where float32 needs none."""
    peak = np.maximum(high - mean, mean - low)
    wild = (peak > TAME) | ((peak < 1 / TAME) & (peak > 0))
    if not wild.any():
        return None
    exponents = np.where(wild & np.isfinite(peak), np.frexp(peak)[1], 0)
    return np.ldexp(np.float32(1), -exponents).astype(np.float32)
