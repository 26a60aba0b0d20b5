"""A layer that is not held whole as bytes: its pairs are read once, a few rows at a time; its tiles wait in a file.

They wait until all of them are there, because a history is written in one transaction, and whoever else writes to it
waits for that.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, overload

from layerwise.core.base.spool import Spool
from layerwise.core.history.checks import check_vectors
from layerwise.storage.tiles import Packed, Tile, begin_digest, describe_layer, encode_tile, pack, tile_size

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from layerwise.core.network.matrices.pairs import Pairs


def pack_layer(layer: Pairs) -> Packed:
    """A layer to bytes, however it is held.

    Raises:
        ValueError: If it could not be given back as it is.
    """
    from layerwise.core.network.representation import Representation

    if isinstance(layer, Representation):
        return pack(layer)
    check_vectors(layer)
    packed, dtype = describe_layer(layer)
    spool = layer.make_spool()
    digest = begin_digest(packed)
    tiles: list[Tile] | SpooledTiles = [] if spool is None else SpooledTiles(spool)
    for values in cut_into_tiles(layer, dtype):
        digest.update(values.data)
        tiles.append(encode_tile(values))
    return replace(packed, tiles=tiles, checksum=digest.hexdigest())


def cut_into_tiles(layer: Pairs, dtype: np.dtype[np.floating]) -> Iterator[NDArray[np.floating]]:
    """The strict upper triangle, row by row, in stretches of a tile."""
    import numpy as np

    from layerwise.core.network.matrices.panels import above_diagonal

    n_each = tile_size(dtype)
    waiting: list[NDArray[np.floating]] = []
    n_waiting = 0
    for _, panel in layer.upper_panels():
        waiting.append(np.asarray(above_diagonal(panel.entries), dtype=dtype))
        n_waiting += len(waiting[-1])
        if n_waiting >= n_each:
            values = np.concatenate(waiting)
            n_whole = n_waiting // n_each * n_each
            yield from (values[at : at + n_each] for at in range(0, n_whole, n_each))
            waiting, n_waiting = [values[n_whole:].copy()], n_waiting - n_whole
    if n_waiting:
        yield np.concatenate(waiting)


class SpooledTiles(Sequence[Tile]):
    """Tiles in order, in a file that nobody else sees and that is gone with them."""

    def __init__(self, spool: Spool) -> None:
        """Begin with none."""
        self._spool = spool
        weakref.finalize(self, spool.close)
        self._heads: list[Tile] = []
        self._places: list[tuple[int, int]] = []

    def append(self, tile: Tile) -> None:
        """Add the next one."""
        import numpy as np

        offset = sum(self._places[-1]) if self._places else 0
        self._spool.write(offset, np.frombuffer(tile.data, dtype=np.uint8))
        self._places.append((offset, len(tile.data)))
        self._heads.append(replace(tile, data=b""))

    def __len__(self) -> int:
        """How many there are."""
        return len(self._heads)

    @overload
    def __getitem__(self, index: int) -> Tile: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Tile]: ...
    def __getitem__(self, index: int | slice) -> Tile | Sequence[Tile]:
        """One of them, or some."""
        import numpy as np

        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        offset, size = self._places[index]
        data = np.empty(size, dtype=np.uint8)
        self._spool.read(offset, data)
        return replace(self._heads[index], data=data.tobytes())
