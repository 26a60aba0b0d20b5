"""The shared place of one run: a folder, or a prefix in an object store, that client and workers all see.

Arrays lie there as zarr arrays, cut by rows into the blocks that one task computes and by columns into the chunks
that one task sums, so that each file is written by one task alone. A task that is done again writes the same bytes;
in a folder a file is there whole or not at all.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.host.plans import StreamPlan
from layerwise.plugins.engines import block_files

FLOAT = np.dtype(np.float32)
_N_ARRAYS = 1000
_N_ATTEMPTS, _PAUSE_SECONDS = 3, 0.1
_IN_MEMORY = "/dev/shm"  # a folder of Linux that is no disk


class SharedPlace:
    """A folder of zarr arrays.

    Args:
        url: Path or URL of the folder.
    """

    def __init__(self, url: str) -> None:
        import fsspec

        self.url = url
        self._arrays: dict[str, Any] = {}
        try:
            self._files, self._root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise InputError(f"the shared place {url} cannot be used: {error}") from error
        self._is_folder = isinstance(self._files, fsspec.implementations.local.LocalFileSystem)
        self._is_plain = self._is_folder and sys.byteorder == "little"  # as zarr writes numbers

    def create(self) -> None:
        """Make the folder, and see that it can be written to.

        Raises:
            InputError: If it cannot.
        """
        try:
            self._files.makedirs(self._root, exist_ok=True)
            self._files.pipe_file(f"{self._root}/ready", b"")
        except OSError as error:
            raise InputError(f"cannot write to the shared place {self.url}: {explain(error)}") from error

    def make_array(self, name: str, shape: Sequence[int], blocks: Sequence[int], kind: np.dtype[Any] = FLOAT) -> None:
        """An array that is not written yet; where it is read before it is, there are no numbers.

        Args:
            name: Its name.
            shape: Its shape.
            blocks: What lies in one file.
            kind: Its type.
        """
        import zarr

        with self._guarded("writing to"):
            zarr.create_array(
                self._store(name),
                shape=tuple(shape),
                chunks=tuple(max(1, side) for side in blocks),
                dtype=kind,
                fill_value=np.nan if kind.kind == "f" else 0,
                compressors=None,
                overwrite=True,
                config={"write_empty_chunks": True},
            )

    def write_block(self, name: str, start: int, values: NDArray[Any]) -> None:
        """Rows of an array, from the beginning of a block on."""
        with self._guarded("writing to"):
            array = self._open(name)
            if self._is_plain:
                block_files.write(Path(self._root) / name, array, start, values)
            else:
                array[start : start + len(values)] = values

    def read(self, name: str, rows: slice = slice(None), into: NDArray[Any] | None = None) -> NDArray[Any]:
        """Some rows of an array, in memory that is given or fresh."""
        with self._guarded("reading from"):
            array = self._open(name)
            start, stop, _ = rows.indices(array.shape[0])
            found = np.empty((stop - start, *array.shape[1:]), array.dtype) if into is None else into
            if self._is_plain:
                block_files.read(Path(self._root) / name, array, start, found)
            else:
                found[:] = array[start:stop]
            return found

    def write_bytes(self, name: str, content: bytes) -> None:
        """A small file."""
        with self._guarded("writing to"):
            self._files.pipe_file(f"{self._root}/{name}", content)

    def read_bytes(self, name: str) -> bytes:
        """A small file's content."""
        with self._guarded("reading from"):
            content: bytes = self._files.cat_file(f"{self._root}/{name}")
            return content

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        with self._guarded("reading from"):
            return bool(self._files.exists(f"{self._root}/{name}"))

    def remove(self, name: str = "") -> None:
        """Remove an array, or everything; what is gone or cannot be reached any more is left at that."""
        path = f"{self._root}/{name}" if name else self._root
        for _ in range(_N_ATTEMPTS):  # a task that is called off may be writing yet
            with suppress(OSError):
                self._files.rm(path, recursive=True)
                return
            time.sleep(_PAUSE_SECONDS)

    def _open(self, name: str) -> Any:
        """An array; kept, since finding out what it is costs as much as reading a little of it."""
        import zarr

        if name not in self._arrays:
            if len(self._arrays) == _N_ARRAYS:
                self._arrays.clear()
            self._arrays[name] = zarr.open_array(self._store(name), mode="r+")
        return self._arrays[name]

    def _store(self, name: str) -> Any:
        import zarr

        if self._is_folder:
            return zarr.storage.LocalStore(Path(self._root) / name)  # whose files are there whole or not at all
        return zarr.storage.FsspecStore.from_url(f"{self.url}/{name}")

    @contextmanager
    def _guarded(self, doing: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise LayerwiseError(
                f"{where_we_are()} finds nothing at {self.url}: the shared place must be the same folder or URL for "
                "all workers and for who runs the analysis (--shared)"
            ) from error
        except OSError as error:
            remedy = "; make room, or name another place (--shared)" if error.errno == errno.ENOSPC else ""
            raise LayerwiseError(
                f"{doing} the shared place {self.url} failed at {where_we_are()}: {explain(error)}{remedy}"
            ) from error


def make_place(base: str) -> SharedPlace:
    """A new folder in a shared place, for one run; runs beside each other do not see each other's.

    Raises:
        InputError: If it cannot be written to.
    """
    if "://" not in base:
        base = str(Path(base).expanduser().absolute())
    place = SharedPlace(f"{base.rstrip('/')}/layerwise-{uuid.uuid4().hex}")
    place.create()
    return place


def temporary_folder(folder: Path | None) -> str:
    """Where workers of this machine share what they compute, unless they are told."""
    return str(folder or tempfile.gettempdir())


def local_folder(plan: StreamPlan, folder: Path | None) -> str:
    """Where workers of this machine alone share: in memory what the plan would hold there, otherwise on disk."""
    spools = any(segment.spool_bytes or segment.end_spooled for segment in plan.segments)
    if folder is None and not spools and os.access(_IN_MEMORY, os.W_OK):
        with suppress(OSError):
            if shutil.disk_usage(_IN_MEMORY).free > 2 * plan.memory_bytes:
                return _IN_MEMORY
    return temporary_folder(folder)


def explain(error: OSError) -> str:
    """Why, in the system's words."""
    return error.strerror or str(error) or type(error).__name__


def where_we_are() -> str:
    """The worker that this is, or the process that runs the analysis."""
    from distributed import get_worker

    try:
        return f"worker {get_worker().address}"
    except ValueError:
        return "this process"
