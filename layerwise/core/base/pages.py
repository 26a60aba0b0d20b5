"""Memory without fresh pages: buffers that are made ahead, and freed memory that is kept for the next batch.

The system hands out memory page by page when it is first written, zeroed, which costs as much as what is written. A
framework's tensors are freed and made anew for every batch; by default the C library gives the large ones back to the
system each time. And huge pages, which NumPy asks for, can cost ten times as much as small ones where the system has
to move others out of the way first: measured 2.4 s for 1 GiB against 0.3 s for small pages made at once.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_KEPT = 2**31 - 1  # bytes, the most that mallopt takes
_MMAP_DEFAULT, _TRIM_DEFAULT = 128 * 1024, 128 * 1024
_POPULATE_WRITE = 23  # of madvise(2), since Linux 5.14
_LARGE = 2**24
_AT_ONCE = 2**25  # bytes whose pages are made in one call: whoever asks the system for memory waits for it


def make_buffer(n_cells: int) -> NDArray[np.float32]:
    """A float32 array for a large buffer that is written many times; a thread makes its pages, from the first on.

    So whoever asks need not wait; it may write at once, and makes those pages itself that the thread has not come to.
    """
    n_bytes = n_cells * 4
    if sys.platform != "linux" or n_bytes < _LARGE:
        return np.empty(n_cells, dtype=np.float32)
    try:
        memory = mmap.mmap(-1, n_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"{n_bytes:,} bytes of memory could not be had: {error.strerror}") from error
    buffer = np.frombuffer(memory, dtype=np.float32)
    threading.Thread(target=_make_pages, args=(buffer,), name="layerwise-pages", daemon=True).start()
    return buffer


def _make_pages(buffer: NDArray[np.float32]) -> None:
    """Have the system make a buffer's pages, without changing what is in them; else they are made one by one."""
    library = _glibc()
    for start in range(0, buffer.nbytes if library else 0, _AT_ONCE):
        place, size = buffer.ctypes.data + start, min(_AT_ONCE, buffer.nbytes - start)
        if library.madvise(ctypes.c_void_p(place), ctypes.c_size_t(size), _POPULATE_WRITE):
            return  # an older Linux


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
