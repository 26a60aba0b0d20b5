"""Opening files that people name: only regular ones, and none larger than what it is for.

A pipe among the pictures would be waited for for ever, a device has no end, and a link may lead to either. So files
of users are opened here; where a library opens them by their path, they are checked here first.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from layerwise.core.base.errors import InputError

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a folder",
}
_MIB = 2**20


def check_regular(path: Path, limit: int | None = None) -> int:
    """Check that what a path leads to, through links, is a regular file.

    Args:
        path: The path.
        limit: How many bytes it may have at most; None for any number.

    Returns:
        How many bytes it has.

    Raises:
        InputError: If it is missing, cannot be reached, is something else, or is larger.
    """
    try:
        found = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a NUL in its name
        raise InputError(f"cannot read {path}: {explain(error)}") from error
    return _check(found, path, limit)


def read_regular(path: Path, limit: int | None = None) -> bytes:
    """All that is in a regular file.

    Raises:
        InputError: As `check_regular`, or if reading fails.
    """
    try:
        # What is opened is what is looked at; a pipe is not waited for meanwhile.
        with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            size = _check(os.fstat(file.fileno()), path, limit)
            return file.read(size if limit is None else limit)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {explain(error)}") from error


def explain(error: OSError | ValueError) -> str:
    """Why a file could not be opened, in TensorFlow's, Python's or the system's words."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _check(found: os.stat_result, path: Path, limit: int | None) -> int:
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "something else")
        raise InputError(f"{path} is not a regular file, but {kind}")
    if limit is not None and found.st_size > limit:
        raise InputError(
            f"{path} has {found.st_size / _MIB:,.0f} MiB, more than the {limit / _MIB:,.0f} MiB "
            "that such a file may have"
        )
    return found.st_size
