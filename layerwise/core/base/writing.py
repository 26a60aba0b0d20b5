"""Writing files that are there completely or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from layerwise.core.base.errors import InputError, LayerwiseError

FULL = tuple(map(os.strerror, (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)))
"""What systems say when there is no room for more."""


def check_target(path: Path) -> None:
    """Check that a file can be written there, before any work is done for it.

    Raises:
        InputError: If its folder is missing or not writable, or what has its name is no file: a folder, a device.
    """
    folder = path.resolve().parent
    if path.is_dir():
        raise InputError(f"cannot write {path}: a folder has that name")
    if path.exists() and not path.is_file():
        raise InputError(f"cannot write {path}: it is there, and no file that could be replaced")
    if not folder.is_dir():
        raise InputError(f"cannot write {path}: there is no folder {folder}")
    if not os.access(folder, os.W_OK):
        raise InputError(f"cannot write {path}: the folder {folder} is not writable")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to, which takes the place of `path` once the block has ended without an error.

    Where `path` is a link, the file that it leads to is replaced.

    Raises:
        InputError: If `check_target` says so.
        LayerwiseError: If writing fails, on a full disk for instance; a file that was at `path` stays as it was.
    """
    check_target(path)
    target = path.resolve()
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{path.stem}-", suffix=path.suffix)
        os.close(handle)
        written = Path(name)
        try:
            yield written
            written.chmod(0o666 & ~_umask())
            _flush(written)
            written.replace(target)
        finally:
            written.unlink(missing_ok=True)
    except LayerwiseError:
        raise
    except Exception as error:
        reason = explain_writing(error)
        if reason is None:
            raise
        raise LayerwiseError(f"cannot write {path}: {reason}") from error


def explain_writing(error: Exception) -> str | None:
    """Why something could not be written; None where an error is of something else.

    What libraries raise of a full disk is of types of their own, and long.
    """
    said = str(error)
    full = next((words for words in FULL if words in said), None)
    if full is not None:
        return full
    return (error.strerror or said) if isinstance(error, OSError) else None


def _flush(path: Path) -> None:
    """Have what was written reach the disk before it takes the place of what was there."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _umask() -> int:
    """The umask, which can be read only by setting it for a moment."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
