"""Opening files that people name: only regular ones, and none larger than what it is for; and unpacking.

A pipe among the pictures would be waited for for ever, a device has no end, and a link may lead to either. So files
of users are opened here; where a library opens them by their path, they are checked here first.
"""

from __future__ import annotations

import os
import stat
import zlib
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
MOST_TEXT = 2**28
"""Bytes of a table or a list of names at most."""


class FileError(InputError):
    """A file that cannot be read as it is.

    Attributes:
        reason: Why, without the file's name.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path} {reason}" if reason.startswith(("is ", "has ")) else f"cannot read {path}: {reason}"
        )
        self.reason = reason


def check_regular(path: Path, limit: int | None = None) -> int:
    """Check that what a path leads to, through links, is a regular file.

    Args:
        path: The path.
        limit: How many bytes it may have at most; None for any number.

    Returns:
        How many bytes it has.

    Raises:
        FileError: If it is missing, cannot be reached, is something else, or is larger.
    """
    try:
        found = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a NUL in its name
        raise FileError(path, _explain(error)) from error
    return _check(found, path, limit)


def read_regular(path: Path, limit: int | None = None) -> bytes:
    """All that is in a regular file.

    Raises:
        FileError: As `check_regular`, or if reading fails.
    """
    try:
        # What is opened is what is looked at; a pipe is not waited for meanwhile.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            size = _check(os.fstat(handle), path, limit)
        except FileError:
            os.close(handle)
            raise
        with os.fdopen(handle, "rb") as file:
            return file.read(size if limit is None else limit)
    except (OSError, ValueError) as error:
        raise FileError(path, _explain(error)) from error


def inflate(data: bytes, most: int) -> bytes:
    """What a zlib stream holds.

    Args:
        data: The stream.
        most: Bytes that it may hold; one more is never unpacked.

    Raises:
        zlib.error: If it is damaged, does not end, or holds more.
    """
    stream = zlib.decompressobj()
    found = stream.decompress(data, most + 1)
    if len(found) > most:
        raise zlib.error(f"it holds more than the {most} bytes that it should")
    if not stream.eof:
        raise zlib.error("it is cut short")
    return found


def _explain(error: OSError | ValueError) -> str:
    """Why a file could not be opened; a ValueError is one of a NUL in its name."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return f"cannot be the name of a file: {error}"


def _check(found: os.stat_result, path: Path, limit: int | None) -> int:
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "something else")
        raise FileError(path, f"is not a regular file, but {kind}")
    if limit is not None and found.st_size > limit:
        raise FileError(
            path, f"has {found.st_size / _MIB:,.0f} MiB, more than the {limit / _MIB:,.0f} MiB that it may have"
        )
    return found.st_size
