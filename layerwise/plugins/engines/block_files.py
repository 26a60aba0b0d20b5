"""Blocks of rows of a zarr array in a folder, read and written without a copy.

An array that is not compressed, and is cut by rows alone, is a file of plain numbers for each block: `c/3/0` is the
fourth one of a matrix. Zarr reads and writes the same files, but copies each block two or three times on the way,
into fresh memory, which costs three times what reading and writing do.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def write(folder: Path, array: Any, start: int, values: NDArray[Any]) -> None:
    """Write a block whole or not at all, as zarr does.

    Args:
        folder: The array's.
        array: The zarr array.
        start: Its first row, where a block begins.
        values: The block, shorter where it is the last one.
    """
    n_rows = array.chunks[0]
    path = _path(folder, array, start // n_rows)
    for parent in list(reversed(path.relative_to(folder).parents))[1:]:
        (folder / parent).mkdir(exist_ok=True)  # but not the array's own folder: where that is gone, the run is over
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")
    content = np.ascontiguousarray(values)
    view = content.reshape(-1).view(np.uint8).data
    try:
        with partial.open("wb", buffering=0) as file:
            written = 0
            while written < len(view):
                written += file.write(view[written:]) or 0
            file.truncate(n_rows * (content.nbytes // len(content)))  # zarr's blocks have all rows, the last one too
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def read(folder: Path, array: Any, start: int, into: NDArray[Any]) -> None:
    """Fill a contiguous array with the rows from `start` on.

    Raises:
        FileNotFoundError: If a block is not there.
    """
    n_rows, done = array.chunks[0], 0
    while done < len(into):
        block, offset = divmod(start + done, n_rows)
        part = into[done : done + n_rows - offset]
        view = part.reshape(-1).view(np.uint8).data
        with _path(folder, array, block).open("rb", buffering=0) as file:
            file.seek(offset * (part.nbytes // len(part)))
            filled = 0
            while filled < len(view):
                count = file.readinto(view[filled:])
                if not count:
                    raise OSError(f"{file.name} ends early")
                filled += count
        done += len(part)


def _path(folder: Path, array: Any, block: int) -> Path:
    return folder.joinpath("c", str(block), *["0"] * (len(array.shape) - 1))
