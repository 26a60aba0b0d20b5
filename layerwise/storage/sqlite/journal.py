"""How SQLite keeps what it writes safe: a write-ahead log, or, on a network file system, a rollback journal.

SQLite 3.7.0 to 3.51.2 can damage a database in WAL mode: while one connection copies the log into the database (a
checkpoint), another commits and begins the log anew, and the first does not notice (https://sqlite.org/wal.html,
"The WAL-Reset Bug"; mended in 3.51.3, and in 3.50.7 and 3.44.6). So SQLite's own checkpoints, which may begin with
any commit, are off, and this module makes them while it holds the lock of writers: nobody commits meanwhile, and
there is one at a time. The last connection that is closed makes one, too, for which SQLite itself keeps everybody
out. A newer SQLite is treated in the same way.

A write-ahead log needs memory that all processes share, which machines do not have in common; and memory that maps a
file spreads damage. So there is no log on a network file system, and a file is never mapped.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path

from layerwise.storage.sqlite.places import find_network

LOG_BYTES = 4 << 20
"""How large the write-ahead log grows before it is copied into the database."""

_MENDED = ((3, 44, 6), (3, 50, 7), (3, 51, 3))


def has_reset_fault(release: Iterable[int] = sqlite3.sqlite_version_info) -> bool:
    """Whether a release of SQLite has the fault by which a commit during a checkpoint damages a database."""
    known = tuple(release)
    if known < (3, 7, 0) or known >= _MENDED[-1]:
        return False
    return not any(known[:2] == mended[:2] and known >= mended for mended in _MENDED)


def describe_journal(path: Path) -> str:
    """How what is written to a history is kept safe, in a line for people."""
    network = find_network(path)
    if network:
        return f"rollback journal, because the file lies on a network file system ({network})"
    line = f"write-ahead log; SQLite {sqlite3.sqlite_version}"
    if has_reset_fault():
        line += " has the WAL-reset fault, which one checkpoint at a time under the writers' lock avoids"
    return line


def warn_of_network(path: Path) -> str:
    """What to say of a file on a network file system; nothing of one on a local one."""
    network = find_network(path)
    if not network:
        return ""
    return (
        f"{path} lies on a network file system ({network}), on whose locks SQLite cannot rely: let one machine at a "
        "time use it, or keep the history in PostgreSQL"
    )


def prepare_journal(connection: sqlite3.Connection, path: Path, patience: float) -> None:
    """Set up a connection that writes.

    SQLite does not wait for others when the kind of journal changes; `patience` says for how many seconds this does.

    Raises:
        sqlite3.OperationalError: If others use the database all this time.
    """
    connection.execute("PRAGMA mmap_size = 0")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
    _set_mode(connection, "DELETE" if find_network(path) else "WAL", patience)


def checkpoint(path: Path) -> bool:
    """Copy the write-ahead log into the database, if it has grown and nobody writes; and say whether it was done.

    Others may go on reading. Whoever writes just now does it in their turn.
    """
    with suppress(OSError):
        if Path(f"{path}-wal").stat().st_size > LOG_BYTES:
            return copy_log(path)
    return False


def copy_log(path: Path) -> bool:
    """The same however large the log is."""
    with closing(_connect(path)) as lock, closing(_connect(path)) as worker:
        try:
            lock.execute("BEGIN IMMEDIATE")
            worker.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            lock.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return False
    return True


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    return connection


def _set_mode(connection: sqlite3.Connection, mode: str, patience: float) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            connection.execute(f"PRAGMA journal_mode = {mode}").fetchone()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
