"""The process that answers one query, and can be killed: it is asked on stdin, and answers in parts on stdout.

It is run as a file, not as a module, and for SQLite imports nothing but the standard library, so that it is there in
a few hundredths of a second. Its memory, its processor time and what it may write are limited by the system; it ends
when stdin does, so that it never outlives who asked.
"""

from __future__ import annotations

import json
import os
import pickle
import sqlite3
import struct
import sys
import threading
from collections.abc import Iterator
from typing import IO, Any

ROWS_AT_ONCE = 1000
LONGEST_VALUE = 2**27
"""Bytes that a text or a blob may have while SQLite computes; the largest that a history stores are smaller."""

_READING = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE})
_HARMFUL_FUNCTIONS = frozenset({"load_extension", "fts3_tokenizer", "readfile", "writefile", "edit"})
_LONGEST_PATTERN = 1000
_MOST_WRITTEN = 2**32  # of what SQLite sorts on disk


def authorize(action: int, first: str | None, second: str | None, _database: str | None, _trigger: str | None) -> int:
    """What SQLite asks about each thing that a statement wants to do: reading and functions are allowed."""
    if action in _READING:
        return sqlite3.SQLITE_OK
    harmless = action == sqlite3.SQLITE_FUNCTION and (second or first or "").lower() not in _HARMFUL_FUNCTIONS
    return sqlite3.SQLITE_OK if harmless else sqlite3.SQLITE_DENY


def restrict(connection: sqlite3.Connection, longest: int) -> None:
    """Leave a connection to SQLite nothing but reading, of values of so many bytes at most."""
    connection.execute("PRAGMA query_only = ON")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, longest)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, _LONGEST_PATTERN)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.set_authorizer(authorize)


def answer(asked: dict[str, Any], out: IO[bytes]) -> None:
    """Write the names of the columns, then rows as they come, then that this is all; or what was wrong.

    Args:
        asked: `uri` of SQLite or `url` of PostgreSQL, `sql`, `max_rows`, `busy` seconds, and `seconds` of the server.
        out: Where to.
    """
    rows = _ask_sqlite(asked) if "uri" in asked else _ask_postgres(asked)
    try:
        for part in rows:
            _send(out, part)
        _send(out, ("end",))
    except MemoryError:
        _send(out, ("memory",))
    except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as error:
        _send(out, ("error", (str(error).strip().splitlines() or [type(error).__name__])[0]))


def _send(out: IO[bytes], part: tuple[Any, ...]) -> None:
    packed = pickle.dumps(part)
    out.write(struct.pack(">Q", len(packed)))
    out.write(packed)
    out.flush()


def _ask_sqlite(asked: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    connection = sqlite3.connect(asked["uri"], uri=True, timeout=asked["busy"], isolation_level=None)
    restrict(connection, min(LONGEST_VALUE, asked["max_bytes"]))
    yield from _fetch(connection.execute(asked["sql"]), asked["max_rows"])


def _ask_postgres(asked: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    import sqlalchemy as sa

    from layerwise.core.base.errors import LayerwiseError
    from layerwise.storage.asking.postgres import asking_postgres
    from layerwise.storage.connect import Database

    database = Database(sa.make_url(asked["url"]), read_only=True)
    try:
        with asking_postgres(database, asked["sql"], asked["seconds"]) as cursor:
            yield from _fetch(cursor, asked["max_rows"])
    except LayerwiseError as error:
        yield ("refused", error.message)


def _fetch(cursor: Any, most: int | None) -> Iterator[tuple[Any, ...]]:
    """The answer in parts: few rows at first, so that large ones are noticed."""
    yield "names", [column[0] for column in cursor.description or ()]
    left = sys.maxsize if most is None else most
    at_once = 1
    while left > 0:
        rows = cursor.fetchmany(min(at_once, left))
        if not rows:
            return
        yield "rows", [tuple(row) for row in rows]
        left -= len(rows)
        at_once = min(2 * at_once, ROWS_AT_ONCE)


def _limit(memory: int, seconds: float) -> None:
    try:
        import resource
    except ImportError:  # not on Windows; there the time limit remains
        return
    cpu = int(seconds) + 1
    for kind, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_FSIZE, _MOST_WRITTEN),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _end_with(stream: IO[bytes]) -> None:
    stream.read()
    os._exit(1)


def main() -> None:
    """Answer what is asked in the first line of stdin."""
    asked = json.loads(sys.stdin.buffer.readline())
    sys.path[:] = asked["path"]
    _limit(asked["memory"], asked["seconds"])
    threading.Thread(target=_end_with, args=(sys.stdin.buffer,), daemon=True).start()
    answer(asked, sys.stdout.buffer)
    sys.stdout.buffer.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
