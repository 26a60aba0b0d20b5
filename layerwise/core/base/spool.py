"""What does not fit into memory lies in a file that nobody else sees: layers, boundaries, decoded stimuli.

Plain reads and writes serve the file, not a memory map, whose pages would count as the process's memory: what is
spooled because memory is short would be what gets it killed.
"""

from __future__ import annotations

import io
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from layerwise.core.base.errors import LayerwiseError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_N_VIEWS = 1024  # pieces that a system takes at once


class SpoolGauge:
    """Bytes that all spools of this process take up on disk, now and at most."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = self.peak = 0

    def add(self, n_bytes: int) -> None:
        """So many more, or fewer."""
        with self._lock:
            self._now += n_bytes
            self.peak = max(self.peak, self._now)

    @contextmanager
    def watching(self) -> Iterator[SpoolGauge]:
        """Within, `peak` is the most since the beginning of the block; of one block at a time."""
        with self._lock:
            self.peak = self._now
        yield self


SPOOLED = SpoolGauge()


class Spool:
    """An anonymous file that is gone when it is closed, however the process ends. Any thread may read and write."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._file: io.FileIO | None = None
        self._end = 0
        self._opening = threading.Lock()
        self._moving = threading.Lock()  # the file's position, where reads and writes need one

    def _opened(self) -> io.FileIO:
        with self._opening:
            if self._file is None:
                self._file = self._open()
            return self._file

    def _open(self) -> io.FileIO:
        try:
            return tempfile.TemporaryFile(dir=self._folder, prefix="layerwise-spool-", buffering=0)
        except OSError as error:
            where = self._folder or tempfile.gettempdir()
            raise LayerwiseError(f"cannot spool to {where}: {error.strerror}") from error

    def write(self, offset: int, values: NDArray[Any]) -> None:
        """Write the values of an array, whatever their type, at a byte offset; rows that are whole are not copied."""
        views = _view_rows(values)
        file = self._opened()
        self._grow(offset + values.nbytes)
        try:
            while views:
                some, views = views[:_N_VIEWS], views[_N_VIEWS:]
                written = self._write_at(file, some, offset)
                offset, views = offset + written, _rest(some, written) + views
        except OSError as error:
            where = self._folder or tempfile.gettempdir()
            raise LayerwiseError(
                f"spooling to {where} failed: {error.strerror}; --spool limits how much, --spool-dir says where"
            ) from error

    def _grow(self, end: int) -> None:
        with self._opening:
            if end > self._end:
                SPOOLED.add(end - self._end)
                self._end = end

    def read(self, offset: int, into: NDArray[Any]) -> None:
        """Fill a contiguous array from a byte offset."""
        view = memoryview(into.data).cast("B")
        file = self._opened()
        while view:
            count = self._read_at(file, view, offset)
            if not count:
                raise LayerwiseError("the spool file ended early")
            offset, view = offset + count, view[count:]

    # Reads and writes at a place leave the file's position alone, so that threads need not wait for each other.
    # Windows has neither: there the position is moved under a lock, which is slower and as right.

    def _write_at(self, file: io.FileIO, views: list[memoryview], offset: int) -> int:
        if len(views) > 1 and hasattr(os, "pwritev"):
            return os.pwritev(file.fileno(), views, offset)
        if hasattr(os, "pwrite"):
            return os.pwrite(file.fileno(), views[0], offset)
        with self._moving:
            file.seek(offset)
            return file.write(views[0])

    def _read_at(self, file: io.FileIO, view: memoryview, offset: int) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(file.fileno(), [view], offset)
        with self._moving:
            file.seek(offset)
            return file.readinto(view)

    def close(self) -> None:
        """Give the disk space back."""
        if self._file is not None:
            self._file.close()
            self._file = None
            SPOOLED.add(-self._end)
            self._end = 0

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _view_rows(values: NDArray[Any]) -> list[memoryview]:
    """The bytes of an array in order, in pieces: its rows where each is in one piece, as columns of a tensor are."""
    if not values.size:
        return []
    if values.ndim == 2 and not values.flags.c_contiguous and values[0].flags.c_contiguous:
        return [memoryview(row).cast("B") for row in values]
    import numpy as np  # late: whoever lists runs spools nothing

    return [memoryview(np.ascontiguousarray(values).data).cast("B")]


def _rest(views: list[memoryview], n_bytes: int) -> list[memoryview]:
    """What is left of some pieces when so many bytes of them are done."""
    for index, view in enumerate(views):
        if n_bytes < len(view):
            return [view[n_bytes:], *views[index + 1 :]]
        n_bytes -= len(view)
    return []
