"""Sums of products of many stimuli with each other, in square tiles: in memory, or in a file that nobody else sees.

Of a symmetric matrix only the tiles on and above the diagonal are kept. For 20,000 stimuli they are 1.7 GB where the
whole matrix is 3.2 GB, and none of it need be in memory but the tiles that are being added to.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.spool import Spool

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Place = tuple[int, int]
"""Row and column of a tile, which lies on or above the diagonal."""

TILE = 1024
"""Stimuli along an edge. Part of what decides the last digits of products, so it is the same everywhere."""

MOST_WHOLE = 2_000
"""Up to so many stimuli matrices are held whole: 32 MB in float64, which fit into any memory."""

_DOUBLE_BYTES = 8


def list_tiles(n_stimuli: int) -> list[Place]:
    """The tiles of the upper triangle, row by row."""
    n_along = -(-n_stimuli // TILE)
    return [(row, column) for row in range(n_along) for column in range(row, n_along)]


def tile_span(index: int, n_stimuli: int) -> slice:
    """The stimuli along one edge of a tile."""
    return slice(index * TILE, min((index + 1) * TILE, n_stimuli))


def tile_bytes(n_stimuli: int) -> int:
    """Bytes of a tile; the last ones of a row may be narrower."""
    return min(TILE, n_stimuli) ** 2 * _DOUBLE_BYTES


def triangle_bytes(n_stimuli: int) -> int:
    """Bytes of all tiles."""
    sizes = [len(range(n_stimuli)[tile_span(index, n_stimuli)]) for index in range(-(-n_stimuli // TILE))]
    return _DOUBLE_BYTES * sum(sizes[row] * sizes[column] for row, column in list_tiles(n_stimuli))


class TiledGram:
    """A symmetric (n, n) matrix of float64, of which tiles are taken out, changed and put back.

    Two threads may have different tiles at a time. One in memory can be pickled; one on disk is gone with the object.

    Attributes:
        corrections: float64 (n,); what is to be added to the diagonal of its tiles.
    """

    def __init__(self, n_stimuli: int, folder: Path | None = None, *, on_disk: bool = False) -> None:
        """A matrix of zeros.

        Args:
            n_stimuli: Its number of rows n.
            folder: Where its file is made; None for the system's temporary folder.
            on_disk: Whether it lies in a file.
        """
        self.n_stimuli = n_stimuli
        self.corrections = np.zeros(n_stimuli)
        self._tiles: dict[Place, Matrix] = {}
        self._offsets: dict[Place, int] = {}
        self._folder = folder
        self._spool = Spool(folder) if on_disk else None
        if self._spool is not None:
            weakref.finalize(self, self._spool.close)
            offset = 0
            for place in list_tiles(n_stimuli):
                self._offsets[place] = offset
                offset += _DOUBLE_BYTES * int(np.prod(self._shape(place)))
            self._spool.write(offset - _DOUBLE_BYTES, np.zeros(1))  # what was never put reads as zeros

    def make_spool(self) -> Spool | None:
        """Another file beside its own; None where it is in memory."""
        return None if self._spool is None else Spool(self._folder)

    def take(self, place: Place) -> Matrix:
        """A tile, (r, c): in memory the very one, else a copy."""
        if self._spool is None:
            if place not in self._tiles:
                self._tiles[place] = np.zeros(self._shape(place))
            return self._tiles[place]
        values = np.empty(self._shape(place))
        self._spool.read(self._offsets[place], values)
        return values

    def put(self, place: Place, values: Matrix) -> None:
        """Keep a tile."""
        if self._spool is None:
            self._tiles[place] = values
        else:
            self._spool.write(self._offsets[place], values)

    def __iadd__(self, other: TiledGram) -> TiledGram:
        """Add another one, tile by tile."""
        for place in list_tiles(self.n_stimuli):
            values = self.take(place)
            values += other.take(place)
            self.put(place, values)
        self.corrections += other.corrections
        return self

    def copy(self) -> TiledGram:
        """The same in memory."""
        copied = TiledGram(self.n_stimuli)
        for place in list_tiles(self.n_stimuli):
            copied.put(place, self.take(place).copy())
        copied.corrections += self.corrections
        return copied

    def diagonal(self) -> Vector:
        """Squared lengths, (n,)."""
        n_along = -(-self.n_stimuli // TILE)
        found = np.concatenate([np.diagonal(self.take((index, index))) for index in range(n_along)])
        return np.asarray(found + self.corrections)

    def means(self) -> Vector:
        """Mean of each row, (n,)."""
        sums = np.zeros(self.n_stimuli)
        for row, column in list_tiles(self.n_stimuli):
            values = self.take((row, column))
            sums[self._span(row)] += values.sum(axis=1)
            if column > row:
                sums[self._span(column)] += values.sum(axis=0)
        return np.asarray((sums + self.corrections) / self.n_stimuli)

    def read_rows(self, rows: slice) -> Matrix:
        """Some rows from their first stimulus on, (k, n - rows.start); the diagonal without corrections."""
        found = np.empty((rows.stop - rows.start, self.n_stimuli - rows.start))
        first = rows.start // TILE
        for row in range(first, -(-rows.stop // TILE)):
            own = self._span(row)
            mine = slice(max(own.start, rows.start), min(own.stop, rows.stop))
            out = found[mine.start - rows.start : mine.stop - rows.start]
            inside = slice(mine.start - own.start, mine.stop - own.start)
            for column in range(first, -(-self.n_stimuli // TILE)):
                columns = self._span(column)
                skipped = max(rows.start - columns.start, 0)
                values = self._read(row, column, inside)[:, skipped:]
                out[:, columns.start + skipped - rows.start : columns.stop - rows.start] = values
        return found

    def _read(self, row: int, column: int, rows: slice) -> Matrix:
        """Some rows of a tile, from disk no others; below the diagonal those of its mirror image."""
        if column < row:
            return self.take((column, row))[:, rows].T
        if self._spool is None:
            return self.take((row, column))[rows]
        width = self._shape((row, column))[1]
        values = np.empty((rows.stop - rows.start, width))
        self._spool.read(self._offsets[row, column] + rows.start * width * _DOUBLE_BYTES, values)
        return values

    def _span(self, index: int) -> slice:
        return tile_span(index, self.n_stimuli)

    def _shape(self, place: Place) -> tuple[int, int]:
        row, column = (self._span(index) for index in place)
        return row.stop - row.start, column.stop - column.start


def fill_tiles(
    n_stimuli: int, read: Callable[[slice, slice], Matrix], folder: Path | None, *, on_disk: bool
) -> TiledGram:
    """The upper triangle of a matrix that lies elsewhere, fetched tile by tile.

    Args:
        n_stimuli: Its number of rows.
        read: Gives some rows and columns of it, (r, c).
        folder: Where a file is made; None for the system's temporary folder.
        on_disk: Whether tiles lie in a file.
    """
    gram = TiledGram(n_stimuli, folder, on_disk=on_disk)
    for row, column in list_tiles(n_stimuli):
        gram.put((row, column), np.array(read(tile_span(row, n_stimuli), tile_span(column, n_stimuli)), np.float64))
    return gram
