"""A backup: one file that holds a history as it was at one moment, also while a run writes to it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.base.writing import replacing
from layerwise.storage.connect import BUSY_SECONDS, Database, sqlite_uri
from layerwise.storage.migrate import check_revision


def back_up(database: Database, path: Path) -> int:
    """Copy a history in SQLite to a file, whole or not at all; what was at `path` is replaced.

    Args:
        database: The history, which others may go on reading and writing.
        path: Of the copy, which is a history like any other.

    Returns:
        Its size in bytes.

    Raises:
        InputError: If the history is no file of SQLite, there is none, or nothing can be written at `path`.
        LayerwiseError: If the copy is not sound, or the disk is full.
    """
    if not database.is_sqlite:
        raise InputError("a backup is made of a history in SQLite; PostgreSQL has pg_dump")
    if path.resolve() == database.path.resolve():
        raise InputError(f"{path} is the history itself; name another file")
    check_revision(database)
    with replacing(path) as written:
        try:
            _copy(database.path, written)
        except sqlite3.Error as error:
            raise LayerwiseError(f"{database.place} cannot be copied to {path}: {error}") from error
        return written.stat().st_size


def _copy(source: Path, target: Path) -> None:
    reader = sqlite3.connect(sqlite_uri(source), uri=True, timeout=BUSY_SECONDS)
    with closing(reader), closing(sqlite3.connect(target, isolation_level=None)) as writer:
        reader.backup(writer)  # in one step, within which it sees one state of the database
        writer.execute("PRAGMA journal_mode = DELETE")  # nothing beside the file belongs to it
        said = writer.execute("PRAGMA quick_check").fetchone()[0]
    if said != "ok":
        raise sqlite3.DatabaseError(f"the copy is not sound: {said}")
