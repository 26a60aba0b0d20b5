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


def list_tiles(n_stimuli: int, n_landmarks: int | None = None) -> list[Place]:
    """The tiles of the upper triangle, row by row; with landmarks those of its first rows."""
    n_along = -(-n_stimuli // TILE)
    n_rows = n_along if n_landmarks is None else -(-n_landmarks // TILE)
    return [(row, column) for row in range(n_rows) for column in range(row, n_along)]


def tile_span(index: int, n_stimuli: int) -> slice:
    """The stimuli along one edge of a tile."""
    return slice(index * TILE, min((index + 1) * TILE, n_stimuli))


def tile_bytes(n_stimuli: int, n_landmarks: int | None = None) -> int:
    """Bytes of a tile; the last ones of a row may be narrower."""
    return min(TILE, n_landmarks or n_stimuli) * min(TILE, n_stimuli) * _DOUBLE_BYTES


def triangle_bytes(n_stimuli: int, n_landmarks: int | None = None) -> int:
    """Bytes of all tiles."""
    shapes = (tile_shape(place, n_stimuli, n_landmarks) for place in list_tiles(n_stimuli, n_landmarks))
    return _DOUBLE_BYTES * sum(n_rows * n_columns for n_rows, n_columns in shapes)


def tile_shape(place: Place, n_stimuli: int, n_landmarks: int | None = None) -> tuple[int, int]:
    """Rows and columns of a tile; no row is beyond the landmarks."""
    rows, columns = tile_span(place[0], n_landmarks or n_stimuli), tile_span(place[1], n_stimuli)
    return rows.stop - rows.start, columns.stop - columns.start


class TiledGram:
    """A symmetric (n, n) matrix of float64, of which tiles are taken out, changed and put back.

    Two threads may have different tiles at a time. One in memory can be pickled; one on disk is gone with the object.

    With landmarks there are only the tiles of its first rows; what follows from the others is held as vectors.

    Attributes:
        corrections: float64 (n,); what is to be added to the diagonal of its tiles.
        squares: float64 (n,); the diagonal. With landmarks alone.
        totals: float64 (n,); the sum of each row. Likewise.
    """

    def __init__(
        self, n_stimuli: int, folder: Path | None = None, *, on_disk: bool = False, n_landmarks: int | None = None
    ) -> None:
        """A matrix of zeros.

        Args:
            n_stimuli: Its number of rows n.
            folder: Where its file is made; None for the system's temporary folder.
            on_disk: Whether it lies in a file.
            n_landmarks: How many rows there are; None for all.
        """
        self.n_stimuli, self.n_landmarks = n_stimuli, n_landmarks
        self.corrections = np.zeros(n_stimuli)
        self.squares, self.totals = np.zeros((2, 0 if n_landmarks is None else n_stimuli))
        self._tiles: dict[Place, Matrix] = {}
        self._offsets: dict[Place, int] = {}
        self._folder = folder
        self._spool = Spool(folder) if on_disk else None
        if self._spool is not None:
            weakref.finalize(self, self._spool.close)
            offset = 0
            for place in self.list_places():
                self._offsets[place] = offset
                offset += _DOUBLE_BYTES * int(np.prod(self._shape(place)))
            self._spool.write(offset - _DOUBLE_BYTES, np.zeros(1))  # what was never put reads as zeros

    def list_places(self) -> list[Place]:
        """Where its tiles are."""
        return list_tiles(self.n_stimuli, self.n_landmarks)

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
        for place in self.list_places():
            values = self.take(place)
            values += other.take(place)
            self.put(place, values)
        self.add_vectors(other)
        return self

    def add_vectors(self, other: TiledGram) -> None:
        """Add what another one holds beside its tiles."""
        self.corrections += other.corrections
        self.squares += other.squares
        self.totals += other.totals

    def copy(self) -> TiledGram:
        """The same in memory."""
        copied = TiledGram(self.n_stimuli, n_landmarks=self.n_landmarks)
        for place in self.list_places():
            copied.put(place, self.take(place).copy())
        copied.add_vectors(self)
        return copied

    def diagonal(self) -> Vector:
        """Squared lengths, (n,)."""
        if self.n_landmarks is not None:
            return np.asarray(self.squares + self.corrections)
        n_along = -(-self.n_stimuli // TILE)
        found = np.concatenate([np.diagonal(self.take((index, index))) for index in range(n_along)])
        return np.asarray(found + self.corrections)

    def means(self) -> Vector:
        """Mean of each row, (n,)."""
        if self.n_landmarks is not None:
            return self.totals / self.n_stimuli
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
            own = tile_span(row, self.n_landmarks or self.n_stimuli)
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
        return tile_shape(place, self.n_stimuli, self.n_landmarks)


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
