"""The buffer of a segment's layers until they become products; what exceeds it lies in a `Spool`.

Columns are stored in chunks of shape (n_stimuli, width), each contiguous, so that a batch's rows are written in
one piece and a chunk is multiplied without a stride.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from layerwise.core.base.spool import Spool
from layerwise.core.network.arrays import Arrays
from layerwise.core.runs.streaming.plan import FLOAT_BYTES

_FEW_CELLS = 2**18  # that are not worth holding


class Rooms:
    """Arrays into which spooled chunks are read back: so many at a time, whoever wants more waits for one.

    Kept from one chunk to the next, since fresh pages cost as much as reading. An array for each thread would be more
    than a plan can allow for where there are many cores.
    """

    def __init__(self, n_rooms: int, n_cells: int, arrays: Arrays) -> None:
        self._n_cells = n_cells
        self._arrays = arrays
        self._free: queue.LifoQueue[Any] = queue.LifoQueue()
        for _ in range(n_rooms):
            self._free.put(None)  # made when a chunk first needs it: often nothing is spooled

    @contextmanager
    def room(self, n_cells: int) -> Iterator[Any]:
        """An array of so many cells, for as long as the block lasts."""
        array = self._free.get()
        try:
            if array is None:
                array = self._arrays.empty(self._n_cells)
            yield array[:n_cells]
        finally:
            self._free.put(array)

    def clear(self) -> None:
        """Let go of the arrays; no room may be in use."""
        for _ in range(self._free.qsize()):
            self._free.get()
            self._free.put(None)


class Chunk:
    """Some columns of one layer, for all stimuli: (n_stimuli, width), in the buffer or at an offset of the spool."""

    def __init__(self, n_stimuli: int, width: int, values: Any, spool: Spool, offset: int, arrays: Arrays) -> None:
        self.width = width
        self._n_stimuli = n_stimuli
        self._values = values
        self._spool = spool
        self._offset = offset
        self._arrays = arrays

    def put(self, start: int, values: Any) -> None:
        """Keep these columns of a batch, (batch, width), the stimuli from `start` on."""
        if self._values is not None:
            self._arrays.write(self._values[start : start + len(values)], values)
        else:
            rows = np.asarray(self._arrays.fetch(values), dtype=np.float32)
            self._spool.write(self._offset + start * self.width * FLOAT_BYTES, rows)

    @contextmanager
    def loaded(self, rooms: Rooms) -> Iterator[Any]:
        """All rows, (n_stimuli, width), for as long as the block lasts; spooled ones are read into a room."""
        if self._values is not None:
            yield self._values
            return
        with rooms.room(self._n_stimuli * self.width) as room:
            self._read(room)
            yield room.reshape(self._n_stimuli, self.width)

    def _read(self, room: Any) -> None:
        if isinstance(room, np.ndarray):
            self._spool.read(self._offset, room)
            return
        values = np.empty(self._n_stimuli * self.width, dtype=np.float32)
        self._spool.read(self._offset, values)
        self._arrays.write(room, self._arrays.send(values))


class Arena:
    """One float32 buffer, allocated once and dealt out anew for each pass.

    Once, because the system hands out fresh pages one by one and zeroed: new buffers for each segment cost more than
    what is written to them.
    """

    def __init__(self, n_stimuli: int, memory_bytes: int, spool: Spool, arrays: Arrays) -> None:
        self._n_stimuli = n_stimuli
        self._spool = spool
        self._arrays = arrays
        self._n_cells = memory_bytes // FLOAT_BYTES
        self._memory: Any = None

    def deal(self, widths: Sequence[int]) -> list[Chunk]:
        """Chunks of these widths; what does not fit into the buffer lies on disk."""
        if self._memory is None:
            self._memory = self._arrays.empty(self._n_cells)
        chunks = []
        used = offset = 0
        for width in widths:
            size = width * self._n_stimuli
            values = None
            if used + size <= self._n_cells:
                values = self._memory[used : used + size].reshape(self._n_stimuli, width)
                used += size
            chunks.append(Chunk(self._n_stimuli, width, values, self._spool, offset, self._arrays))
            if values is None:
                offset += size * FLOAT_BYTES
        return chunks

    def halve(self) -> bool:
        """Hold half as much, or nothing where that would be hardly anything; false where nothing was held already.

        The chunks that were dealt out must be gone.
        """
        if not self._n_cells:
            return False
        half = self._n_cells // 2
        self._n_cells = half if half > _FEW_CELLS else 0
        self._memory = None
        return True


class Boundary:
    """The tensor between two segments, for all stimuli, batch by batch; on the device, or in a file of its own.

    On the device the network's own arrays are kept: copying them would only touch fresh pages.
    """

    def __init__(self, shape: tuple[int, ...], spool: Spool | None, arrays: Arrays) -> None:
        self._shape = shape
        self._row_bytes = int(np.prod(shape, dtype=np.int64)) * FLOAT_BYTES
        self._spool = spool
        self._arrays = arrays
        self._batches: dict[int, Any] = {}

    def write(self, start: int, values: Any) -> None:
        """Keep the tensors of one batch, the stimuli from `start` on."""
        if self._spool is None:
            self._batches[start] = values
        else:
            rows = np.asarray(self._arrays.fetch(values), dtype=np.float32)
            self._spool.write(start * self._row_bytes, rows)

    def read(self, start: int, stop: int) -> Any:
        """The tensors of the batch of stimuli `start` to `stop`."""
        if self._spool is None:
            return self._batches[start]
        values = np.empty((stop - start, *self._shape), dtype=np.float32)
        self._spool.read(start * self._row_bytes, values)
        return self._arrays.send(values)

    def spill(self, folder: Path | None) -> None:
        """Keep it in a file of its own from now on, with what it holds already."""
        if self._spool is None:
            self._spool = Spool(folder)
            for start in list(self._batches):
                self.write(start, self._batches.pop(start))

    def close(self) -> None:
        """Let go of what it holds."""
        self._batches.clear()
        if self._spool is not None:
            self._spool.close()
