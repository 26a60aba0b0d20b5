"""Memory without fresh pages: buffers that are made at once, and freed memory that is kept for the next batch.

The system hands out memory page by page when it is first written, zeroed, which costs as much as what is written. A
framework's tensors are freed and made anew for every batch; by default the C library gives the large ones back to the
system each time. And huge pages, which NumPy asks for, can cost ten times as much as small ones where the system has
to move others out of the way first: measured 2.4 s for 1 GiB against 0.3 s for small pages made at once.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_KEPT = 2**31 - 1  # bytes, the most that mallopt takes
_MMAP_DEFAULT, _TRIM_DEFAULT = 128 * 1024, 128 * 1024
_POPULATE = 0x8000  # MAP_POPULATE of Linux, which Python's mmap does not name everywhere
_LARGE = 2**24


def make_buffer(n_cells: int) -> NDArray[np.float32]:
    """A float32 array whose pages are there; for a large buffer that is written many times."""
    n_bytes = n_cells * 4
    if sys.platform != "linux" or n_bytes < _LARGE:
        return np.empty(n_cells, dtype=np.float32)
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_POPULATE", _POPULATE)
    try:
        return np.frombuffer(mmap.mmap(-1, n_bytes, flags=flags), dtype=np.float32)
    except OSError as error:
        raise MemoryError(f"{n_bytes:,} bytes of memory could not be had: {error.strerror}") from error


@contextmanager
def keep_pages() -> Iterator[None]:
    """Have the C library keep what is freed, until the block ends; does nothing where it is not glibc."""
    library = _glibc()
    if library is None:
        yield
        return
    library.mallopt(_MMAP_THRESHOLD, _KEPT)
    library.mallopt(_TRIM_THRESHOLD, _KEPT)
    try:
        yield
    finally:
        library.mallopt(_MMAP_THRESHOLD, _MMAP_DEFAULT)
        library.mallopt(_TRIM_THRESHOLD, _TRIM_DEFAULT)
        library.malloc_trim(0)


def give_back_pages() -> None:
    """Have the C library give freed memory back to the system, so that what is held can be seen from outside."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


def _glibc() -> Any:
    if sys.platform != "linux":
        return None
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt, library.malloc_trim, library.gnu_get_libc_version  # noqa: B018 - AttributeError elsewhere
        return library
    return None
