"""The sums of one chunk of many stimuli: vectors for the whole chunk, products tile by tile.

What a tile gives depends on the chunk and on the tile's place alone: who adds it, when, and what else is in memory
never shows. Precision is that of `chunks`: float32 within a chunk, float64 between chunks, and float64 throughout
where float32 does not tell stimuli apart. Pairs that are close are found and multiplied again within their tile; a
chunk whose stimuli differ by hardly more than brightness is in float64 altogether.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from layerwise.core.network.matrices.tiles import TILE, Matrix, Place, TiledGram, list_tiles, tile_span
from layerwise.core.network.model import Floats
from layerwise.core.network.partial import PartialSums
from layerwise.core.network.products import CLOSE, are_many
from layerwise.core.network.summary import LayerSummary, Vector, concatenate_moments, concatenate_summaries
from layerwise.core.runs.streaming.chunks import (
    Along,
    add_double,
    find_anchor,
    sample,
    scale_of,
    sum_moments,
    summarize_block,
)
from layerwise.core.runs.streaming.passes import Gathered, gather

Flags = NDArray[np.bool_]

DOUBLE_COLUMNS = 1024
"""Columns that are multiplied in float64 at a time."""

_DOUBLE_CELLS = 2**20  # that are copied to float64 at a time, to be summed
_SQUARES_AT_ONCE = 64
N_DOUBLE_COPIES = 6
"""Arrays of so many cells that are there meanwhile."""


def double_bytes(n_stimuli: int) -> int:
    """Bytes that summing a chunk in float64 takes."""
    return 8 * N_DOUBLE_COPIES * max(_DOUBLE_CELLS, 16 * n_stimuli)


def scratch_bytes(width: int) -> int:
    """Bytes of the temporary arrays in which a worker multiplies tiles of chunks of so many columns."""
    return TILE**2 * (4 + 4 + 1 + 8) + 2 * TILE * min(width, DOUBLE_COLUMNS) * 8


class TileScratch:
    """Temporary arrays of one worker, kept from one tile to the next."""

    def __init__(self) -> None:
        self._cells: dict[str, NDArray[np.floating]] = {}

    def take(self, name: str, dtype: type[np.floating], n_rows: int, n_columns: int) -> NDArray[np.floating]:
        """The array of this name, (n_rows, n_columns)."""
        cells = self._cells.get(name)
        if cells is None or len(cells) < n_rows * n_columns:
            cells = self._cells[name] = np.empty(n_rows * n_columns, dtype=dtype)
        return cells[: n_rows * n_columns].reshape(n_rows, n_columns)


@dataclass(eq=False)
class Survey:
    """What is known of a chunk of n stimuli and w units before its products.

    Attributes:
        summary: Moments and counts.
        reference: float64 (w,); nearly the mean over stimuli.
        in_double: Whether its products are taken in float64.
        is_hard: Whether they are because float32 would not do.
        own: float64 (n,); squared length of each stimulus less the reference.
        shared: (n,); stimuli of which float32 loses what is not level and gain.
        centred: float32 (n, w); the chunk less the reference, times the scale; of float32 products.
        scale: A power of two.
        close: (n,); stimuli of which a pair was multiplied again, as far as tiles were added.
        residual: float64 (w,); the exact mean over stimuli less the reference; of float32 products.
    """

    summary: LayerSummary
    reference: Vector
    in_double: bool
    is_hard: bool = False
    own: Vector = field(default_factory=lambda: np.zeros(0))
    shared: Flags = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    centred: Floats = field(default_factory=lambda: np.zeros((0, 0), dtype=np.float32))
    scale: float = 1.0
    close: Flags = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    residual: Vector = field(default_factory=lambda: np.zeros(0))

    def conclude(self, values: Floats, gram: TiledGram) -> PartialSums:
        """The chunk's sums without its products, once all of its tiles were added to `gram`.

        Squared lengths of stimuli that were multiplied again are corrected: what is left of their distances is less
        than the error of the others.
        """
        summary = self.summary
        if gram.n_landmarks is not None:
            self._add_vectors(gram)
        rows = np.flatnonzero(self.close | self.shared)
        if len(rows) and not self.in_double:
            summary = _repeat_moments(summary, values, rows)
            gram.corrections[rows] += _repeat_squares(values, self.reference, rows) - self.own[rows]
        return PartialSums(None, summary, self.in_double, self.is_hard, samples=(sample(values),))

    def _add_vectors(self, gram: TiledGram) -> None:
        """What the tiles that are left out would say of each stimulus: its square, and its products with all."""
        gram.squares += self.own
        if not self.in_double:  # where the reference is the mean
            along = (self.centred @ self.residual.astype(np.float32)).astype(np.float64)
            gram.totals += len(along) / self.scale * along


def survey_chunk(values: Floats, room: Floats, *, in_double: bool) -> Survey:
    """Moments, counts, and what multiplying needs.

    Args:
        values: float32 (n, w), contiguous; activations as the network gave them.
        room: float32, at least n w cells; what is centred is written there, and used until the last tile was added.
        in_double: Whether to multiply in float64.
    """
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is reported when a layer is finished
        if in_double:
            return _survey_double(values)
        n_stimuli, width = values.shape
        columns = slice(0, width)
        centred = room.reshape(-1)[: values.size].reshape(values.shape)
        found, scale = _gather_scaled(values, columns, centred)
        along = Along(*np.zeros((3, n_stimuli)))
        along.add(found.own, found.total, found.along, found.reference, find_anchor(values))
        shared = along.find_shared(width)
        if are_many(np.flatnonzero(shared), n_stimuli):
            return replace(_survey_double(values), is_hard=True)
        summary = summarize_block(values, columns, found)
        none = np.zeros(n_stimuli, dtype=np.bool_)
        residual = found.unit_sums / n_stimuli - found.reference
        return Survey(summary, found.reference, False, False, found.own, shared, centred, scale, none, residual)


def _gather_scaled(values: Floats, columns: slice, centred: Floats) -> tuple[Gathered, float]:
    anchor = find_anchor(values)
    found = gather(values, columns, centred, anchor)
    scale = scale_of(found.peak)
    return (found, scale) if scale == 1 else (gather(values, columns, centred, anchor, scale), scale)


def _survey_double(values: Floats) -> Survey:
    n_stimuli, width = values.shape
    anchor = find_anchor(values)
    along = Along(*np.zeros((3, n_stimuli)))
    parts, references = [], []
    for columns in _few_columns(n_stimuli, width):
        summary, reference = add_double(None, along, values, columns, anchor)
        parts.append(summary)
        references.append(reference)
    return Survey(concatenate_summaries(parts), np.concatenate(references), in_double=True, own=along.own)


def _few_columns(n_stimuli: int, width: int) -> Iterator[slice]:
    """Columns of which float64 copies are small, however many stimuli there are; a function of both numbers alone."""
    step = max(16, _DOUBLE_CELLS // n_stimuli // 16 * 16)
    return (slice(start, min(start + step, width)) for start in range(0, width, step))


def _repeat_moments(summary: LayerSummary, values: Floats, rows: NDArray[np.intp]) -> LayerSummary:
    """Moments of some stimuli in float64."""
    parts = [
        (columns.stop - columns.start, sum_moments(values[rows, columns].astype(np.float64)))
        for columns in _few_columns(len(values), values.shape[1])
    ]
    found = [np.array(each) for each in (summary.mean, summary.power2, summary.power3, summary.power4)]
    for vector, exact in zip(found, concatenate_moments(parts), strict=True):
        vector[rows] = exact
    mean, power2, power3, power4 = found
    return replace(summary, mean=mean, power2=power2, power3=power3, power4=power4)


def _repeat_squares(values: Floats, reference: Vector, rows: NDArray[np.intp]) -> Vector:
    """Squared lengths of some stimuli less the reference, added up as their products with others are."""
    found = np.zeros(len(rows))
    for some in _wide_columns(values.shape[1]):
        for start in range(0, len(rows), _SQUARES_AT_ONCE):
            few = rows[start : start + _SQUARES_AT_ONCE]
            left = values[few, some].astype(np.float64) - reference[some]
            found[start : start + len(few)] += np.diagonal(left @ left.T)
    return found


def add_tile(into: Matrix, values: Floats, survey: Survey, place: Place, scratch: TileScratch) -> None:
    """Add a chunk's products of some stimuli with some others to a tile.

    Different threads may add to different tiles, with a scratch each.
    """
    rows = slice(place[0] * TILE, place[0] * TILE + len(into))
    columns = tile_span(place[1], len(values))
    with np.errstate(invalid="ignore", over="ignore"):
        if survey.in_double:
            for some in _wide_columns(values.shape[1]):
                into += _multiply_double(values, survey.reference, rows, columns, some, scratch)
            return
        shape = into.shape
        product = np.matmul(
            survey.centred[rows], survey.centred[columns].T, out=scratch.take("product", np.float32, *shape)
        )
        near = _find_near(product, survey, rows, columns, scratch)
        if place[0] == place[1]:
            np.fill_diagonal(near, False)
        again = _choose_pairs(near, survey, rows, columns)
        exact = None if again is None else into[again] + _multiply_again(values, survey.reference, place, again)
        diagonal = np.diagonal(into) + survey.own[rows] if place[0] == place[1] else None
        into += product if survey.scale == 1 else product / np.float64(survey.scale) ** 2
        if again is not None:
            into[again] = exact
        if diagonal is not None:
            np.fill_diagonal(into, diagonal)


def _wide_columns(width: int) -> Iterator[slice]:
    return (slice(start, min(start + DOUBLE_COLUMNS, width)) for start in range(0, width, DOUBLE_COLUMNS))


def _multiply_double(
    values: Floats, reference: Vector, rows: slice, columns: slice, some: slice, scratch: TileScratch
) -> NDArray[np.floating]:
    """Products of some columns, (r, c)."""
    left = _centre_double(values, reference, rows, some, scratch.take("left", np.float64, *_size(rows, some)))
    right = left
    if columns != rows:
        room = scratch.take("right", np.float64, *_size(columns, some))
        right = _centre_double(values, reference, columns, some, room)
    product = scratch.take("double", np.float64, *_size(rows, columns))
    np.matmul(left, right.T, out=product)
    return product


def _centre_double(
    values: Floats, reference: Vector, rows: slice, columns: slice, into: NDArray[np.floating]
) -> NDArray[np.floating]:
    np.subtract(values[rows, columns], reference[columns], out=into)
    return into


def _size(rows: slice, columns: slice) -> tuple[int, int]:
    return rows.stop - rows.start, columns.stop - columns.start


def _find_near(
    product: NDArray[np.floating], survey: Survey, rows: slice, columns: slice, scratch: TileScratch
) -> Flags:
    """Pairs that float32 does not tell apart: of whose squared lengths their distance is a small share."""
    half = (survey.own * (survey.scale**2 * (1 - CLOSE) / 2)).astype(np.float32)
    bound = np.add.outer(half[rows], half[columns], out=scratch.take("bound", np.float32, *product.shape))
    return np.asarray(product > bound)


def _choose_pairs(near: Flags, survey: Survey, rows: slice, columns: slice) -> tuple[NDArray[np.intp], ...] | None:
    """Places in a tile that are multiplied again: stimuli that are near another one, or nearly the mean stimulus."""
    which = [near.any(axis=axis) | survey.shared[span] for axis, span in ((1, rows), (0, columns))]
    if not all(flags.any() for flags in which):
        return None
    for flags, span in zip(which, (rows, columns), strict=True):
        survey.close[span] |= flags
    return np.ix_(*which)


def _multiply_again(values: Floats, reference: Vector, place: Place, again: tuple[NDArray[np.intp], ...]) -> Matrix:
    """Products of these places of a tile in float64."""
    rows = again[0].ravel() + place[0] * TILE
    columns = again[1].ravel() + place[1] * TILE
    is_square = np.array_equal(rows, columns)
    found = np.zeros((len(rows), len(columns)))
    for some in _wide_columns(values.shape[1]):
        left = values[rows, some].astype(np.float64) - reference[some]
        right = left if is_square else values[columns, some].astype(np.float64) - reference[some]
        found += left @ right.T
    return found


def sum_in_tiles(values: Floats, scratch: TileScratch, *, in_double: bool) -> PartialSums:
    """All that is wanted of a chunk, its products in tiles that are held in memory; see `chunks.sum_chunk`."""
    n_stimuli = len(values)
    survey = survey_chunk(values, np.empty(values.size, dtype=np.float32), in_double=in_double)
    gram = TiledGram(n_stimuli)
    for place in list_tiles(n_stimuli):
        add_tile(gram.take(place), values, survey, place, scratch)
    return replace(survey.conclude(values, gram), gram=gram)
