"""Where decoded stimuli are kept until the network has seen them: in memory as far as there is room, else in a file.

Each is handed over once, in order, and written to its place; nothing is held twice.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.base.spool import Spool
from layerwise.core.network.pixels import ArrayReader, StimuliReader

_SHARE = 8  # of the memory for a run: an eighth, as workers, products and rooms may have
_MIB = 2**20


@dataclass(frozen=True)
class KeepingBudget:
    """What decoded stimuli may use.

    Attributes:
        memory: Bytes of memory; None for as many as it takes.
        spool: Bytes of disk for what is more than that. Where they do not fit there either, they stay in memory.
        most: Bytes of memory that are there at all, beyond which a set is refused.
        folder: Where to spool; None for the system's temporary folder.
    """

    memory: int | None = None
    spool: int = 0
    most: int | None = None
    folder: Path | None = None

    @classmethod
    def of_run(cls, memory: int, spool: int, folder: Path | None) -> KeepingBudget:
        """The share that stimuli have in what a run may use."""
        return cls(memory // _SHARE, spool, memory, folder)

    def spools(self, n_bytes: int) -> bool:
        """Whether so many bytes belong on disk."""
        return self.memory is not None and self.memory < n_bytes <= self.spool


class SpooledPixels(StimuliReader):
    """Rows in a temporary file without a name, which is gone with this object, or with the process."""

    def __init__(self, spool: Spool, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.shape, self.dtype = shape, dtype
        self.spool_bytes = self.n_bytes
        self._spool = spool
        self._closing = weakref.finalize(self, spool.close)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Rows, read anew.

        Raises:
            LayerwiseError: If the file has been closed.
        """
        if not self._closing.alive:
            raise LayerwiseError("stimuli that were spooled are gone once their run has ended: decode them again")
        rows = np.empty((stop - start, *self.shape[1:]), self.dtype)
        if rows.size:
            self._spool.read(start * rows[0].nbytes, rows)
        return rows

    def close(self) -> None:
        """Give the disk space back."""
        self._closing()

    def __reduce__(self) -> str:
        """Refuse to be pickled: nobody else sees the file."""
        raise TypeError("spooled pixels belong to one process; `save_rows` writes them where another one can read")


class _Memory:
    """Rows on their way into an array. Memory is taken up as they come, not when the array is made."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._values = np.empty(shape, dtype)

    def write(self, start: int, rows: NDArray[Any]) -> None:
        self._values[start : start + len(rows)] = rows

    def take(self, n_rows: int) -> StimuliReader:
        return ArrayReader(self._values[:n_rows])

    def close(self) -> None:
        self._values = self._values[:0].copy()


class _Disk:
    """Rows on their way into a temporary file."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], folder: Path | None) -> None:
        self._shape, self._dtype = shape, dtype
        self._spool = Spool(folder)

    def write(self, start: int, rows: NDArray[Any]) -> None:
        values = np.ascontiguousarray(rows, dtype=self._dtype)
        self._spool.write(start * values[0].nbytes, values)

    def take(self, n_rows: int) -> StimuliReader:
        return SpooledPixels(self._spool, (n_rows, *self._shape[1:]), self._dtype)

    def close(self) -> None:
        self._spool.close()


class PixelKeeper:
    """Takes decoded stimuli one by one, and gives a reader of them.

    Args:
        n_stimuli: How many may come.
        shape: Of each.
        budget: What may be used.

    Raises:
        InputError: If there is room for so many neither in memory nor on disk.
    """

    def __init__(self, n_stimuli: int, shape: tuple[int, ...], budget: KeepingBudget) -> None:
        self._shape = (n_stimuli, *shape)
        self._budget = budget
        self._n_kept = 0
        self._dtype: np.dtype[Any] = np.dtype(np.uint8)
        self._place = self._make_place()

    def add(self, pixels: NDArray[Any]) -> None:
        """Keep one more, uint8 or float32; one that is float32 makes all of them so.

        Raises:
            InputError: If there is not the room for that.
            LayerwiseError: If the disk is full.
        """
        if pixels.dtype != np.uint8 and self._dtype == np.uint8:
            self._widen()
        self._place.write(self._n_kept, pixels[None])
        self._n_kept += 1

    def finish(self) -> StimuliReader:
        """What has been kept."""
        return self._place.take(self._n_kept)

    def close(self) -> None:
        """Let go of everything, where there will be no reader."""
        self._place.close()

    def _make_place(self) -> _Memory | _Disk:
        n_bytes = int(np.prod(self._shape, dtype=np.int64)) * self._dtype.itemsize
        budget = self._budget
        if budget.spools(n_bytes):
            return _Disk(self._shape, self._dtype, budget.folder)
        if budget.most is not None and n_bytes > budget.most:
            raise InputError(_refusal(self._shape, n_bytes, budget.most, budget.spool))
        return _Memory(self._shape, self._dtype)

    def _widen(self) -> None:
        narrow, self._dtype = self._place, np.dtype(np.float32)
        try:
            self._place = self._make_place()
            start = 0
            for block in narrow.take(self._n_kept).blocks():
                self._place.write(start, block)
                start += len(block)
        finally:
            narrow.close()


def spool_rows(rows: StimuliReader, folder: Path | None) -> SpooledPixels:
    """The same rows on disk, for a run that needs the memory.

    Raises:
        LayerwiseError: If the disk is full.
    """
    place, start = Spool(folder), 0
    try:
        for block in rows.blocks():
            place.write(start, block)
            start += block.nbytes
    except BaseException:
        place.close()
        raise
    return SpooledPixels(place, rows.shape, rows.dtype)


def _refusal(shape: tuple[int, ...], n_bytes: int, memory: int, spool: int) -> str:
    is_picture = len(shape) == 4 and shape[3] == 3
    sides = f"{shape[1]} x {shape[2]} pixels" if is_picture else f"{' x '.join(map(str, shape[1:]))} values"
    return (
        f"{shape[0]} stimuli of {sides} are {-(-n_bytes // _MIB)} MiB once they are decoded, "
        f"and {memory // _MIB} MiB of memory (--memory) or {spool // _MIB} MiB of disk (--spool) may be used: "
        "allow more, or take fewer stimuli (--limit)"
    )
