"""Where the pixels of a decoded stimulus set lie, and how rows of them are read: a few at a time, never all.

An array in memory, and rows in a file as NumPy writes them. Both can be pickled; of a file only where it is, which is
what another process is told that reads its own rows of a set (`save_rows` makes such a file of any reader).
"""

from __future__ import annotations

import io
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from layerwise.core.base.errors import LayerwiseError
from layerwise.core.base.writing import replacing

_BLOCK_BYTES = 8 * 2**20


class StimuliReader(ABC):
    """Rows of an array whose first axis is stimuli, wherever it lies. Any thread may read. Provisional until 1.0.

    Attributes:
        shape: (n, ...); of decoded stimuli (n, height, width, 3).
        dtype: Type of the values.
        memory_bytes: What it holds in memory on behalf of a run; 0 where somebody else holds it anyway.
        spool_bytes: What it holds in a temporary file.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    memory_bytes: int = 0
    spool_bytes: int = 0

    @abstractmethod
    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Rows `start` to `stop`: (stop - start, ...), not to be changed.

        Raises:
            LayerwiseError: If they cannot be read any more.
        """

    def close(self) -> None:  # noqa: B027 - most hold nothing
        """Give back what is held beside memory; nothing is read from it afterwards."""

    @property
    def n_bytes(self) -> int:
        """Size of all rows."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def __len__(self) -> int:
        """Number of rows."""
        return self.shape[0]

    def __getitem__(self, rows: int | slice) -> NDArray[Any]:
        """A row, or rows from one to another, as of an array; read when they are asked for.

        Raises:
            TypeError: For anything else: `np.asarray` gives an array that can be indexed in other ways.
        """
        if isinstance(rows, slice) and rows.step in (None, 1):
            start, stop, _ = rows.indices(len(self))
            return self.read(start, max(start, stop))
        if isinstance(rows, slice | tuple):
            raise TypeError("rows are read one after the other: take np.asarray of the reader to index it otherwise")
        row = range(len(self))[rows]
        values: NDArray[Any] = self.read(row, row + 1)[0]
        return values

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """All rows in memory, for whoever has room for them."""
        values = self.read(0, len(self))
        return np.array(values, dtype) if copy else np.asarray(values, dtype)

    def blocks(self) -> Iterator[NDArray[Any]]:
        """All rows in order, a few MiB at a time."""
        n_stimuli = self.shape[0]
        step = max(1, _BLOCK_BYTES * n_stimuli // max(self.n_bytes, 1))
        for start in range(0, n_stimuli, step):
            yield self.read(start, min(start + step, n_stimuli))


class ArrayReader(StimuliReader):
    """Rows of an array in memory, which is not copied. Provisional until 1.0.

    Args:
        values: The array, (n, ...).
        borrowed: Whether it belongs to somebody else, so that a run that reads it holds nothing.
    """

    def __init__(self, values: NDArray[Any], *, borrowed: bool = False) -> None:
        self.shape, self.dtype = values.shape, values.dtype
        self.memory_bytes = 0 if borrowed else values.nbytes
        self._values = values.view(np.ndarray)
        self._values.flags.writeable = False

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """A view of the array."""
        return self._values[start:stop]


@dataclass(frozen=True, eq=False)
class FileReader(StimuliReader):
    """Rows of an array that lie in a file one after the other, such as a `.npy`. Provisional until 1.0.

    Pickled, it is the place alone: whoever sees the file under the same path can read his rows of it.

    Attributes:
        path: The file.
        offset: Where its first row begins, in bytes.
        shape: (n, ...).
        dtype: Type of the values.
        stamp: Size and time of the last change of the file, as it was when the reader was made.
    """

    path: Path
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    stamp: tuple[int, int]

    @classmethod
    def at(cls, path: Path, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> FileReader:
        """Rows from a place of a file that is there."""
        found = path.stat()
        return cls(path.absolute(), offset, shape, dtype, (found.st_size, found.st_mtime_ns))

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Rows, read anew.

        Raises:
            LayerwiseError: If the file is gone, or has been changed since it was opened.
        """
        rows = np.empty((stop - start, *self.shape[1:]), self.dtype)
        try:
            with self.path.open("rb", buffering=0) as file:
                found = os.fstat(file.fileno())
                file.seek(self.offset + start * rows[:1].nbytes)
                complete = _fill(file, rows)
        except OSError as error:
            raise LayerwiseError(f"cannot read {self.path} any more: {error.strerror or error}") from error
        if not complete or (found.st_size, found.st_mtime_ns) != self.stamp:
            raise LayerwiseError(f"{self.path} was changed while its stimuli were being used: run again")
        return rows


class ChosenRows(StimuliReader):
    """Some rows of another reader, in order: the first ones of a set, or those that can be decoded."""

    def __init__(self, rows: StimuliReader, indices: Sequence[int]) -> None:
        self.shape, self.dtype = (len(indices), *rows.shape[1:]), rows.dtype
        self.memory_bytes, self.spool_bytes = rows.memory_bytes, rows.spool_bytes
        self._rows = rows
        self._indices = np.asarray(indices, dtype=np.int64)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """The rows; those that are neighbours are read together."""
        chosen = self._indices[start:stop]
        if not chosen.size:
            return self._rows.read(0, 0)
        ends = [0, *(np.flatnonzero(np.diff(chosen) != 1) + 1), len(chosen)]
        pieces = [self._rows.read(int(chosen[low]), int(chosen[high - 1]) + 1) for low, high in pairwise(ends)]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def save_rows(rows: StimuliReader, path: Path) -> FileReader:
    """Write all rows to a `.npy` file, for processes that cannot see where they lie now.

    Raises:
        InputError: If a file cannot be written there.
        LayerwiseError: If writing fails, on a full disk for instance.
    """
    header = {"descr": np.lib.format.dtype_to_descr(rows.dtype), "fortran_order": False, "shape": rows.shape}
    with replacing(path) as written, written.open("wb") as file:
        np.lib.format.write_array_header_2_0(file, header)
        offset = file.tell()
        for block in rows.blocks():
            file.write(np.ascontiguousarray(block).data)
    return FileReader.at(path, offset, rows.shape, rows.dtype)


def _fill(file: io.FileIO, rows: NDArray[Any]) -> bool:
    """Read until the array is full; False if the file ends before."""
    view = rows.reshape(-1).view(np.uint8).data if rows.nbytes else memoryview(b"")
    while view:
        count = file.readinto(view)
        if not count:
            return False
        view = view[count:]
    return True
