"""A layer whose pairs stay where they are stored: tiles are read when their rows are asked for, and let go."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import count

import numpy as np
from numpy.typing import NDArray

from layerwise.core.history.checks import diagonal_of
from layerwise.core.network.matrices.landmarks import count_pairs
from layerwise.core.network.matrices.pairs import Pairs
from layerwise.core.network.matrices.panels import Panel, Side, panels, read_only
from layerwise.core.network.representation import Representation
from layerwise.storage.tiles import Packed, Tile, TileError, begin_digest, decode_tile, tile_size

_AT_ONCE = 4  # tiles of a query, each at most a mebibyte: a query takes as long as decoding one
Read = Callable[[int, int], Sequence[Tile]]
Telling = Callable[[], AbstractContextManager[None]]
Values = Generator[NDArray[np.floating], int, None]


class StoredPairs(Pairs):
    """What a database knows of a layer, of which a few tiles are in memory at a time.

    Each tile is checked as it is read; the checksum over all of them, which `layerwise db check` looks at, is not.
    """

    def __init__(
        self,
        head: Representation,
        dtype: np.dtype[np.floating],
        read: Read,
        telling: Telling,
        n_landmarks: int | None = None,
    ) -> None:
        """Stand before stored tiles.

        Args:
            head: The layer's vectors and numbers; its entries do not count.
            dtype: Of the values in its tiles.
            read: Gives so many tiles from a position on, or as many as there are.
            telling: Within it, a `TileError` becomes one that names the layer.
            n_landmarks: Of how many stimuli there are rows; None of all.
        """
        self.landmarks = n_landmarks
        self.deviation, self.mean, self.norm = head.deviation, head.mean, head.norm
        self.n_features, self.resolution, self.has_zero = head.n_features, head.resolution, head.has_zero
        self._digest: hashlib._Hash | None = None
        self._dtype, self._read, self._telling = dtype, read, telling

    @property
    def entry_type(self) -> np.dtype[np.floating]:
        """The type in which pairs are stored."""
        return self._dtype.newbyteorder("=")

    def upper_panels(self, n_rows: int | None = None) -> Iterator[tuple[slice, Panel]]:
        """All pairs of different stimuli once; see `Pairs`."""
        values = self._values()
        next(values)
        side = Side(self.deviation, self.mean, self.norm)
        for rows in panels(self.landmarks or self.n_stimuli, n_rows):
            entries = self._fill(rows, values)
            rest = side.take(slice(rows.start, None))
            yield rows, Panel(entries, side.take(rows), rest, self.n_features, self.resolution)

    def gather(self, head: Packed) -> NDArray[np.floating]:
        """The whole matrix, (n, n), filled tile by tile; what is stored is never there twice.

        Raises:
            TileError: If the checksum over all of it does not match.
        """
        self._digest = digest = begin_digest(head)
        n_values = count_pairs(self.n_stimuli, self.landmarks)
        last = max(0, -(-n_values // tile_size(self._dtype)) - 1)
        if n_values and not list(
            self._read(last, 1)
        ):  # before there is room: a damaged mean can stand for any number
            raise TileError(f"tile {last} is missing")
        matrix = np.empty((self.n_stimuli, self.n_stimuli), dtype=self.entry_type)
        for rows, panel in self.upper_panels():
            matrix[rows, rows.start :] = panel.entries
            matrix[rows.start :, rows] = panel.entries.T
        self._digest = None
        if digest.hexdigest() != head.checksum:
            raise TileError("the checksum over all of it does not match")
        return matrix

    def _fill(self, rows: slice, values: Values) -> NDArray[np.floating]:
        """A panel from the next values of the upper triangle, with what lies below the diagonal beside it."""
        n_rows = rows.stop - rows.start
        entries = np.empty((n_rows, self.n_stimuli - rows.start), dtype=self.entry_type)
        for row in range(n_rows):
            entries[row, row] = diagonal_of(entries.dtype)
            entries[row, row + 1 :] = values.send(entries.shape[1] - row - 1)
            entries[row + 1 :, row] = entries[row, row + 1 : n_rows]
        return read_only(entries)

    def _values(self) -> Values:
        """A reader of the upper triangle: send it how many values come next. It holds one tile, and reads a few."""
        decoded, rest = self._decode_all(), np.empty(0, dtype=self._dtype)
        n_wanted = yield rest
        while True:
            found = [rest[:n_wanted]]
            n_lacking = n_wanted - len(found[0])
            rest = rest[n_wanted:]
            while n_lacking > 0:
                rest = next(decoded)
                found.append(rest[:n_lacking])
                n_lacking, rest = n_lacking - len(found[-1]), rest[n_lacking:]
            n_wanted = yield found[0] if len(found) == 1 else np.concatenate(found)

    def _decode_all(self) -> Iterator[NDArray[np.floating]]:
        """The values of one tile after the other, without end: what is missing is an error."""
        for start in count(0, _AT_ONCE):
            with self._telling():
                tiles = deque(self._read(start, _AT_ONCE))
            for position in range(start, start + _AT_ONCE):
                with self._telling():
                    if not tiles:
                        raise TileError(f"tile {position} is missing")
                    values = self._decode(tiles.popleft(), position)
                yield values

    def _decode(self, tile: Tile, position: int) -> NDArray[np.floating]:
        n_values = count_pairs(self.n_stimuli, self.landmarks)
        n_expected = min(tile_size(self._dtype), n_values - position * tile_size(self._dtype))
        if tile.n_values != n_expected:
            raise TileError(f"tile {position} has {tile.n_values} values where {n_expected} are expected")
        values = decode_tile(tile, position, self._dtype)
        if self._digest is not None:
            self._digest.update(values.data)
        return values
