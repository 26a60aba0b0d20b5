"""The buffer of a segment's layers until they become products; what exceeds it lies in a `Spool`.

Columns are stored in chunks of shape (n_stimuli, width), each contiguous, so that a batch's rows are written in
one piece and a chunk is multiplied without a stride.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from layerwise.core.base.spool import Spool
from layerwise.core.network.model import Floats
from layerwise.core.runs.streaming.plan import FLOAT_BYTES


class Rooms:
    """Arrays into which spooled chunks are read back: so many at a time, whoever wants more waits for one.

    Kept from one chunk to the next, since fresh pages cost as much as reading. An array for each thread would be more
    than a plan can allow for where there are many cores.
    """

    def __init__(self, n_rooms: int, n_cells: int) -> None:
        self._n_cells = n_cells
        self._free: queue.LifoQueue[Floats | None] = queue.LifoQueue()
        for _ in range(n_rooms):
            self._free.put(None)  # made when a chunk first needs it: often nothing is spooled

    @contextmanager
    def room(self, n_cells: int) -> Iterator[Floats]:
        """An array of so many cells, for as long as the block lasts."""
        array = self._free.get()
        try:
            if array is None:
                array = np.empty(self._n_cells, dtype=np.float32)
            yield array[:n_cells]
        finally:
            self._free.put(array)


class Chunk:
    """Some columns of one layer, for all stimuli: (n_stimuli, width), in memory or at an offset of the spool."""

    def __init__(self, n_stimuli: int, width: int, values: Floats | None, spool: Spool, offset: int) -> None:
        self.width = width
        self._n_stimuli = n_stimuli
        self._values = values
        self._spool = spool
        self._offset = offset

    def rows(self, start: int, stop: int, scratch: Floats) -> Floats:
        """Where rows `start` to `stop` are to be written: the buffer itself, or a piece of `scratch`."""
        if self._values is not None:
            return self._values[start:stop]
        return scratch[: (stop - start) * self.width].reshape(stop - start, self.width)

    def store(self, start: int, rows: Floats) -> None:
        """Keep what `rows` gave out; rows in memory are there already."""
        if self._values is None:
            self._spool.write(self._offset + start * self.width * FLOAT_BYTES, rows)

    @contextmanager
    def loaded(self, rooms: Rooms) -> Iterator[Floats]:
        """All rows, (n_stimuli, width), for as long as the block lasts; spooled ones are read into a room."""
        if self._values is not None:
            yield self._values
            return
        with rooms.room(self._n_stimuli * self.width) as room:
            self._spool.read(self._offset, room)
            yield room.reshape(self._n_stimuli, self.width)


class Arena:
    """One float32 buffer, allocated once and dealt out anew for each pass.

    Once, because the system hands out fresh pages one by one and zeroed: new buffers for each segment cost more than
    what is written to them.
    """

    def __init__(self, n_stimuli: int, memory_bytes: int, spool: Spool) -> None:
        self._n_stimuli = n_stimuli
        self._spool = spool
        self._memory = np.empty(memory_bytes // FLOAT_BYTES, dtype=np.float32)

    def deal(self, widths: Sequence[int]) -> list[Chunk]:
        """Chunks of these widths; what does not fit into the buffer lies on disk."""
        chunks = []
        used = offset = 0
        for width in widths:
            size = width * self._n_stimuli
            if used + size <= self._memory.size:
                values = self._memory[used : used + size].reshape(self._n_stimuli, width)
                chunks.append(Chunk(self._n_stimuli, width, values, self._spool, 0))
                used += size
            else:
                chunks.append(Chunk(self._n_stimuli, width, None, self._spool, offset))
                offset += size * FLOAT_BYTES
        return chunks


class Boundary:
    """The tensor between two segments, for all stimuli, batch by batch; in memory, or in a file of its own.

    In memory the network's own arrays are kept: copying them would only touch fresh pages.
    """

    def __init__(self, shape: tuple[int, ...], spool: Spool | None) -> None:
        self._shape = shape
        self._row_bytes = int(np.prod(shape, dtype=np.int64)) * FLOAT_BYTES
        self._spool = spool
        self._batches: dict[int, Floats] = {}

    def write(self, start: int, values: Floats) -> None:
        """Keep the tensors of one batch, the stimuli from `start` on."""
        if self._spool is None:
            self._batches[start] = values
        else:
            self._spool.write(start * self._row_bytes, values)

    def read(self, start: int, stop: int) -> Floats:
        """The tensors of the batch of stimuli `start` to `stop`."""
        if self._spool is None:
            return self._batches[start]
        values = np.empty((stop - start, *self._shape), dtype=np.float32)
        self._spool.read(start * self._row_bytes, values)
        return values

    def close(self) -> None:
        """Let go of what it holds."""
        self._batches.clear()
        if self._spool is not None:
            self._spool.close()
