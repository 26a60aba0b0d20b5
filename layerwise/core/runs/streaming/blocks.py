"""Products of one chunk: all stimuli, some units, the mean stimulus taken out before anything is multiplied.

A chunk is multiplied in blocks of columns. Within a block products add up in float32, between blocks in float64: that
keeps their error near a hundred millionth of the lengths that are multiplied, however wide a layer is. What float32
cannot do is tell apart stimuli that are far nearer to each other than to the mean, as frames of a film are, or that
differ by hardly more than their brightness (`products.find_close`): those are multiplied again in float64, and where
they are many the whole chunk is. So are narrow layers and few stimuli (`products.multiplies_double`), where it costs
next to nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layerwise.core.network.model import Floats
from layerwise.core.network.products import are_many, find_close
from layerwise.core.network.resolution import SINGLE, Resolution
from layerwise.core.network.summary import Vector
from layerwise.core.runs.streaming.sums import TAME, Scratch

BLOCK = 4096
"""Columns whose products add up in float32. Part of what decides the last digits, so it is the same everywhere."""

DOUBLE_BLOCK = 512
"""Columns that are copied to float64 at a time: as many bytes as memory is planned for."""

SINGLE_PRODUCTS = Resolution(activations=SINGLE, products=2.0**-26, near=2.0**-20)
"""Of products in float32: measured on random, rectified and sparse activations, `benchmarks/product_error.py`."""

DOUBLE_PRODUCTS = Resolution(activations=SINGLE)

_PANEL = 32  # rows of a block that are centred and summed while they are in the cache


@dataclass(eq=False)
class ChunkSums:
    """What a chunk adds to its layer.

    Attributes:
        gram: float64 (n, n); products of the stimuli less the reference.
        own: float64 (n,); squared length of each stimulus less the reference: the diagonal, where products are
            taken in float32, summed by itself.
        total: float64 (n,); sum over units of each stimulus less the reference.
        inner: float64 (n,); sum over units of the square of each stimulus less its own level.
        along: float64 (n,); its product with the reference less `level`.
        reference_sum: Sum over units of the reference less `level`.
        reference_square: Sum over units of its square.
        unit_sums: float64 (width,); sum over stimuli.
        unit_squares: float64 (width,); sum over stimuli of squares about the reference.
        reference: float64 (width,); what was taken out: nearly the mean over stimuli.
        is_hard: Whether float32 would not do, for many of the stimuli: then all of it is taken in float64.
    """

    gram: Vector
    own: Vector
    total: Vector
    inner: Vector
    along: Vector
    reference_sum: float
    reference_square: float
    unit_sums: Vector
    unit_squares: Vector
    reference: Vector
    is_hard: bool = False


def scale_of(peak: float) -> float:
    """A power of two that brings activations as large as `peak` near to 1, where float32 could not hold squares."""
    if not math.isfinite(peak) or peak == 0 or 1 / TAME <= peak <= TAME:
        return 1.0
    return 2.0 ** -math.frexp(peak)[1]


def multiply_chunk(
    values: Floats, unit_sums: Vector, levels: Vector, peak: float, scratch: Callable[[], Scratch], *, in_double: bool
) -> ChunkSums:
    """The products and sums of a chunk once all stimuli have come.

    Args:
        values: (n, width); activations as the network gave them.
        unit_sums: (width,); their sums over stimuli, roughly: what they are off by is corrected in closed form.
        levels: (n,); the mean of each stimulus's activations in all of the layer, roughly.
        peak: Size of the layer's largest activation.
        scratch: The thread's temporary arrays.
        in_double: Whether to multiply in float64.
    """
    n_stimuli, width = values.shape
    level = float(levels.mean())
    reference = _find_reference(values, unit_sums, in_double=in_double)
    sums = ChunkSums(
        gram=np.zeros((n_stimuli, n_stimuli)),
        own=np.zeros(n_stimuli),
        total=np.zeros(n_stimuli),
        inner=np.zeros(n_stimuli),
        along=np.zeros(n_stimuli),
        reference_sum=float((reference - level).sum()),
        reference_square=float(((reference - level) ** 2).sum()),
        unit_sums=unit_sums,
        unit_squares=np.zeros(width),
        reference=reference,
    )
    step = DOUBLE_BLOCK if in_double else BLOCK
    for start in range(0, width, step):
        columns = slice(start, min(start + step, width))
        if in_double:
            _add_double(sums, values, columns, level, levels)
        else:
            _add_single(sums, values, columns, level, scale_of(peak), scratch())
    if not in_double:
        np.fill_diagonal(sums.gram, sums.own)
        _move(sums, level - levels, width)
    close = _find_close(sums, width)
    sums.is_hard = are_many(close, n_stimuli)
    if in_double or not len(close):
        return sums
    if sums.is_hard:
        return multiply_chunk(values, unit_sums, levels, peak, scratch, in_double=True)
    _repeat(sums, close, values, level, levels)
    return sums


def _find_reference(values: Floats, unit_sums: Vector, *, in_double: bool) -> Vector:
    """The mean over stimuli; a number that float32 holds, so that differences from it are as exact as they can be."""
    if in_double or not np.isfinite(unit_sums).all():
        first = values[0].astype(np.float64)
        exact: Vector = first + (values - first).mean(axis=0)
        return exact
    rounded: Vector = (unit_sums / len(values)).astype(np.float32).astype(np.float64)
    return rounded


def _move(sums: ChunkSums, shift: Vector, width: int) -> None:
    """Squares about each stimulus's own level, from sums about the common one, that plus `shift`."""
    sums.inner[:] = sums.own + 2 * sums.along + sums.reference_square
    sums.inner += shift * (2 * (sums.total + sums.reference_sum) + width * shift)


def _add_double(sums: ChunkSums, values: Floats, columns: slice, level: float, levels: Vector) -> None:
    sums.inner += _square(values[:, columns] - levels[:, None])
    reference = sums.reference[columns]
    centred = values[:, columns] - reference
    sums.gram += centred @ centred.T
    sums.total += centred.sum(axis=1)
    sums.along += centred @ (reference - level)
    sums.unit_squares[columns] = np.einsum("ij,ij->j", centred, centred)


def _add_single(
    sums: ChunkSums, values: Floats, columns: slice, level: float, scale: float, scratch: Scratch
) -> None:
    """Float32 within a block; what has one row a stimulus is summed row by row, wherever the stimulus stands."""
    n_stimuli = len(values)
    exact = sums.reference[columns]
    reference, about = exact.astype(np.float32), ((exact - level) * scale).astype(np.float32)
    centred = scratch.block(n_stimuli, columns.stop - columns.start)
    ones = scratch.ones[: centred.shape[1]]
    squares = np.zeros(centred.shape[1])
    for start in range(0, n_stimuli, _PANEL):
        rows = slice(start, start + _PANEL)
        panel = centred[rows]
        np.subtract(values[rows, columns], reference, out=panel)
        if scale != 1:
            panel *= np.float32(scale)
        sums.total[rows] += np.vecdot(panel, ones) / np.float64(scale)
        sums.along[rows] += np.vecdot(panel, about) / np.float64(scale) ** 2
        sums.own[rows] += np.vecdot(panel, panel) / np.float64(scale) ** 2
        squares += np.einsum("ij,ij->j", panel, panel)
    product = np.matmul(centred, centred.T, out=scratch.product(n_stimuli))
    sums.gram += product if scale == 1 else product / np.float64(scale) ** 2
    sums.unit_squares[columns] = squares / scale**2


def _square(rows: Vector) -> Vector:
    squares: Vector = np.einsum("ij,ij->i", rows, rows)
    return squares


def _repeat(sums: ChunkSums, rows: NDArray[np.intp], values: Floats, level: float, levels: Vector) -> None:
    """Compute in float64 what float32 may have lost of these stimuli.

    What is close in all of a layer is close in each chunk, or what a chunk adds is large against that chunk's error.
    """
    again = np.zeros((len(rows), len(rows)))
    total, along, inner = np.zeros((3, len(rows)))
    for start in range(0, values.shape[1], DOUBLE_BLOCK):
        columns = slice(start, start + DOUBLE_BLOCK)
        reference = sums.reference[columns]
        inner += _square(values[rows, columns] - levels[rows, None])
        centred = values[rows, columns] - reference
        again += centred @ centred.T
        total += centred.sum(axis=1)
        along += centred @ (reference - level)
    sums.gram[np.ix_(rows, rows)] = again
    sums.total[rows], sums.along[rows], sums.inner[rows] = total, along, inner


def _find_close(sums: ChunkSums, width: int) -> NDArray[np.intp]:
    pattern = sums.reference_square - sums.reference_sum**2 / width
    along = sums.along - sums.total * sums.reference_sum / width
    return find_close(sums.gram, sums.total, along, pattern, width)


def dead_units(values: Floats, sums: ChunkSums) -> NDArray[np.bool_]:
    """Which units are 0 for every stimulus; looked up where sums leave it open, since squares can underflow."""
    dead: NDArray[np.bool_] = (sums.unit_squares == 0) & (sums.reference == 0)
    suspect = np.flatnonzero(dead)
    dead[suspect] = ~values[:, suspect].any(axis=0)
    return dead
