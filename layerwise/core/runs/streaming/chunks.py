"""The sums of one chunk, by NumPy and the compiled pass: all stimuli, some units.

A chunk is multiplied in blocks of columns. Within a block products add up in float32, between blocks in float64: that
keeps their error near a hundred millionth of the lengths that are multiplied, however wide a layer is. What float32
cannot do is tell apart stimuli that are far nearer to each other than to the mean, as frames of a film are, or that
differ by hardly more than their brightness (`products.find_close`): those are multiplied again in float64, and where
they are many the whole chunk is. So are narrow layers and few stimuli (`products.multiplies_double`), where it costs
next to nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from layerwise.core.network.model import Floats
from layerwise.core.network.partial import PartialSums, summarize_units
from layerwise.core.network.products import are_many, find_close, find_shared
from layerwise.core.network.summary import LayerSummary, Moments, Vector, concatenate_moments, concatenate_summaries
from layerwise.core.runs.streaming.passes import TAME, Gathered, gather

BLOCK = 4096
"""Columns whose products add up in float32. Part of what decides the last digits, so it is the same everywhere."""

DOUBLE_BLOCK = 512
"""Columns that are copied to float64 at a time: as many bytes as memory is planned for."""

_ROWS_SAMPLED, _COLUMNS_SAMPLED = 8, 128
_PADDING = (
    80  # cells between rows of a block: a power of two from row to row would have them share cache lines' places
)


class Scratch:
    """Temporary arrays of one worker, kept from one chunk to the next: fresh pages cost as much as the sums."""

    def __init__(self) -> None:
        self._product = np.empty((0, 0), dtype=np.float32)
        self._block = np.empty(0, dtype=np.float32)

    def block(self, n_rows: int, n_columns: int) -> Floats:
        """An array of this shape for a block of a chunk; each row is contiguous."""
        stride = n_columns + _PADDING
        if self._block.size < n_rows * stride:
            self._block = np.empty(n_rows * stride, dtype=np.float32)
        return self._block[: n_rows * stride].reshape(n_rows, stride)[:, :n_columns]

    def product(self, n_stimuli: int) -> Floats:
        """An (n, n) array for the products of a block."""
        if len(self._product) != n_stimuli:
            self._product = np.empty((n_stimuli, n_stimuli), dtype=np.float32)
        return self._product


@dataclass(eq=False)
class Along:
    """What tells close stimuli: sums about a number near the activations, the anchor.

    Attributes:
        own: (n,); squared length of each stimulus less the reference.
        total: (n,); sum over units of it.
        along: (n,); its product with the reference less the anchor.
        sum: Sum over units of the reference less the anchor.
        square: Sum over units of its square.
    """

    own: Vector
    total: Vector
    along: Vector
    sum: float = 0.0
    square: float = 0.0

    def add(self, own: Vector, total: Vector, along: Vector, reference: Vector, anchor: float) -> None:
        """Add a block's."""
        self.own += own
        self.total += total
        self.along += along
        self.sum += float((reference - anchor).sum())
        self.square += float(((reference - anchor) ** 2).sum())

    def find_close(self, gram: Vector, width: int) -> NDArray[np.intp]:
        """Stimuli that float32 does not tell apart."""
        return find_close(gram, self.total, *self._about_mean(width), width)

    def find_shared(self, width: int) -> NDArray[np.bool_]:
        """Which stimuli are nearly the mean stimulus but for their level and gain, (n,)."""
        return find_shared(self.own, self.total, *self._about_mean(width), width)

    def _about_mean(self, width: int) -> tuple[Vector, float]:
        return self.along - self.total * self.sum / width, self.square - self.sum**2 / width


def sum_chunk(values: Floats, scratch: Scratch, *, in_double: bool) -> PartialSums:
    """All that is wanted of a chunk, once all stimuli have come.

    Args:
        values: float32 (n, width), contiguous; activations as the network gave them.
        scratch: The worker's temporary arrays.
        in_double: Whether to multiply in float64.
    """
    n_stimuli, width = values.shape
    sums = Along(*np.zeros((3, n_stimuli)))
    gram = np.zeros((n_stimuli, n_stimuli))
    anchor = find_anchor(values)
    step = DOUBLE_BLOCK if in_double else BLOCK
    parts, references = [], []
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is reported when a layer is finished
        for start in range(0, width, step):
            columns = slice(start, min(start + step, width))
            if in_double:
                parts.append(add_double(gram, sums, values, columns, anchor)[0])
                continue
            found = _add_single(gram, sums, values, columns, anchor, scratch)
            parts.append(summarize_block(values, columns, found))
            references.append(found.reference)
        if not in_double:
            np.fill_diagonal(gram, sums.own)
        close = sums.find_close(gram, width)
        is_hard = are_many(close, n_stimuli)
        if is_hard and not in_double:
            return sum_chunk(values, scratch, in_double=True)
        summary = concatenate_summaries(parts)
        if len(close) and not in_double:
            summary = _repeat(gram, summary, close, values, np.concatenate(references))
    return PartialSums(gram, summary, in_double=in_double, is_hard=is_hard, samples=(sample(values),))


def find_anchor(values: Floats) -> float:
    """A number near the activations of a chunk."""
    finite = values[0][np.isfinite(values[0])]
    return float(finite.mean(dtype=np.float64)) if len(finite) else 0.0


def sample(values: Floats) -> Floats:
    """A few activations of a chunk."""
    rows, columns = (
        max(1, size // most) for size, most in zip(values.shape, (_ROWS_SAMPLED, _COLUMNS_SAMPLED), strict=True)
    )
    return values[::rows, ::columns].flatten()


def scale_of(peak: float) -> float:
    """A power of two that brings activations as large as `peak` near to 1, where float32 could not hold squares."""
    if not math.isfinite(peak) or peak == 0 or 1 / TAME <= peak <= TAME:
        return 1.0
    return 2.0 ** -math.frexp(peak)[1]


def _add_single(
    gram: Vector, sums: Along, values: Floats, columns: slice, anchor: float, scratch: Scratch
) -> Gathered:
    """Float32 within a block, float64 between them."""
    n_stimuli = len(values)
    centred = scratch.block(n_stimuli, columns.stop - columns.start)
    found = gather(values, columns, centred, anchor)
    scale = scale_of(found.peak)
    if scale != 1:
        found = gather(values, columns, centred, anchor, scale)
    product = np.matmul(centred, centred.T, out=scratch.product(n_stimuli))
    gram += product if scale == 1 else product / np.float64(scale) ** 2
    sums.add(found.own, found.total, found.along, found.reference, anchor)
    return found


def summarize_block(values: Floats, columns: slice, found: Gathered) -> LayerSummary:
    """Moments and counts of a block that was gathered."""
    suspect = (found.unit_squares == 0) & (found.reference == 0)  # or squares that underflowed
    dead = suspect.copy()
    dead[suspect] = ~values[:, columns][:, suspect].any(axis=0)
    negative = bool((found.minimum < 0).any())
    n_dead, lifetime, variance2 = summarize_units(
        found.unit_sums, found.unit_squares, found.reference, len(values), dead=dead, negative=negative
    )
    width = columns.stop - columns.start
    return LayerSummary(
        n_features=width,
        mean=found.mean,
        power2=found.powers[0],
        power3=found.powers[1],
        power4=found.powers[2],
        minimum=found.minimum.astype(np.float64),
        maximum=found.maximum.astype(np.float64),
        n_zeros=found.n_zeros,
        absolute=width * found.mean - 2 * found.negative,
        n_dead=n_dead,
        lifetime_sum=lifetime,
        unit_variance2=variance2,
    )


def add_double(
    gram: Vector | None, sums: Along, values: Floats, columns: slice, anchor: float
) -> tuple[LayerSummary, Vector]:
    """Sum some columns in float64; gives moments and counts, and what was taken out of each column.

    Args:
        gram: (n, n); products are added to it. None where they are not wanted.
        sums: Added to.
        values: float32 (n, width).
        columns: Which.
        anchor: See `Along`.
    """
    block = values[:, columns].astype(np.float64)
    reference = block[0] + (block - block[0]).mean(axis=0)
    centred = block - reference
    if gram is not None:
        gram += centred @ centred.T
    own = np.einsum("ij,ij->i", centred, centred)
    total = centred.sum(axis=1)
    sums.add(own, total, centred @ (reference - anchor), reference, anchor)
    squares = np.einsum("ij,ij->j", centred, centred)
    dead = np.asarray(~block.any(axis=0))
    minimum = block.min(axis=1)
    n_dead, lifetime, variance2 = summarize_units(
        block.sum(axis=0), squares, reference, len(block), dead=dead, negative=bool((minimum < 0).any())
    )
    mean, power2, power3, power4 = sum_moments(block)
    summary = LayerSummary(
        n_features=block.shape[1],
        mean=mean,
        power2=power2,
        power3=power3,
        power4=power4,
        minimum=minimum,
        maximum=block.max(axis=1),
        n_zeros=np.count_nonzero(block == 0, axis=1).astype(np.float64),
        absolute=np.abs(block).sum(axis=1),
        n_dead=n_dead,
        lifetime_sum=lifetime,
        unit_variance2=variance2,
    )
    return summary, reference


def sum_moments(block: Vector) -> Moments:
    """Mean over units of each row of float64, and sums of squares, third and fourth powers about it."""
    mean = block.mean(axis=1)
    apart = block - mean[:, None]
    left = apart.mean(axis=1)  # by rounding of the first mean
    apart -= left[:, None]
    square = np.square(apart)
    third, fourth = np.einsum("ij,ij->i", square, apart), np.einsum("ij,ij->i", square, square)
    return mean + left, square.sum(axis=1), third, fourth


def _repeat(
    gram: Vector, summary: LayerSummary, rows: NDArray[np.intp], values: Floats, reference: Vector
) -> LayerSummary:
    """Compute in float64 what float32 may have lost of these stimuli: their products in place, their moments anew.

    What is close in all of a layer is close in each chunk, or what a chunk adds is large against that chunk's error.
    """
    again = np.zeros((len(rows), len(rows)))
    parts = []
    for start in range(0, values.shape[1], DOUBLE_BLOCK):
        columns = slice(start, start + DOUBLE_BLOCK)
        some = values[rows, columns].astype(np.float64)
        parts.append((some.shape[1], sum_moments(some)))
        some -= reference[columns]
        again += some @ some.T
    gram[np.ix_(rows, rows)] = again
    found = [np.array(each) for each in (summary.mean, summary.power2, summary.power3, summary.power4)]
    for vector, exact in zip(found, concatenate_moments(parts), strict=True):
        vector[rows] = exact
    mean, power2, power3, power4 = found
    return replace(summary, mean=mean, power2=power2, power3=power3, power4=power4)
