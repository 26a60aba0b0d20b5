"""Read-only SQL queries for people, with limits of time and size.

Three locks, one behind the other: only a statement that begins like a question is taken; the connection is
one that cannot write (a file opened for reading, a transaction set to read only); and on SQLite an authorizer
is asked about every single thing that a statement wants to do, and allows reading.
"""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from layerwise.core.base.errors import InputError
from layerwise.core.base.machine import available_memory
from layerwise.core.base.words import near_names
from layerwise.storage.asking.inside import LONGEST_VALUE, restrict
from layerwise.storage.asking.postgres import REMARKS, asking_postgres
from layerwise.storage.connect import BUSY_SECONDS, Database, first_line, sqlite_uri
from layerwise.storage.schema import VIEWS, metadata

if TYPE_CHECKING:
    import polars as pl

TIMEOUT_SECONDS = 300.0
_CELL_BYTES = 64  # of memory that a cell takes, whatever is in it
_ROWS_AT_ONCE = 1000
_LEAST_MEMORY = 2**26
_STEPS_BETWEEN_LOOKS = 20_000  # of SQLite's virtual machine: about a millisecond
_EXPLAIN = r"(?:EXPLAIN\b(?:\s|QUERY|PLAN|ANALYZE|VERBOSE|\([^)]*\))*)?"
_QUESTION = re.compile(rf"{REMARKS}{_EXPLAIN}{REMARKS}(?:SELECT|WITH|VALUES)\b", re.IGNORECASE)


class Queries:
    """Read-only SQL over a history."""

    _database: Database

    def table_names(self) -> list[str]:
        """Views, which are made for people, then tables."""
        return [*VIEWS, *metadata.tables]

    def column_names(self, name: str) -> list[str]:
        """The columns of a table or view, in order; nothing of it is read."""
        return self.query(f'SELECT * FROM "{name}" LIMIT 0').columns

    def read_table(self, name: str) -> pl.DataFrame:
        """A whole table or view.

        Raises:
            InputError: If there is none of this name.
        """
        names = self.table_names()
        if name not in names:
            near = near_names(name, names) or f"; there are: {', '.join(names)}"
            raise InputError(f"there is no table '{name}'{near}")
        return self.query(whole_table(name))

    def query(
        self,
        sql: str,
        *,
        max_rows: int | None = None,
        max_bytes: int | None = None,
        seconds: float = TIMEOUT_SECONDS,
    ) -> pl.DataFrame:
        """The answer to one SELECT, WITH, VALUES or EXPLAIN statement, as a Polars frame.

        Columns of the same name are told apart by a number; bytes come as binary columns. `read_columns` has the
        arguments and errors.
        """
        return make_frame(self.read_columns(sql, max_rows=max_rows, max_bytes=max_bytes, seconds=seconds))

    def read_columns(
        self,
        sql: str,
        *,
        max_rows: int | None = None,
        max_bytes: int | None = None,
        seconds: float = TIMEOUT_SECONDS,
    ) -> dict[str, list[Any]]:
        """The same as plain values by column, which takes no library to load.

        Args:
            sql: The statement.
            max_rows: Read no more rows than this.
            max_bytes: Give up where the answer takes more memory than about this.
            seconds: Give up after this time.

        Raises:
            InputError: If it is another kind of statement, more than one, wrong, takes too long, or gives too much.
        """
        _check_question(sql)
        ask = _ask_sqlite if self._database.is_sqlite else _ask_postgres
        return _by_column(*ask(self._database, sql, _Bounds(max_rows, max_bytes, seconds)))

    def ask_apart(
        self,
        sql: str,
        *,
        max_rows: int | None = None,
        max_bytes: int | None = None,
        seconds: float = TIMEOUT_SECONDS,
    ) -> dict[str, list[Any]]:
        """The same from a process of its own, which is killed when its time or its memory is used up.

        For what people type and browsers send. Where `max_bytes` is None, an answer may take half of the memory that
        is left. See `read_columns`.
        """
        from layerwise.storage.asking.apart import Limits, ask_apart

        _check_question(sql)
        most = max(available_memory() // 2, _LEAST_MEMORY) if max_bytes is None else max_bytes
        return _by_column(*ask_apart(self._database, sql, Limits(max_rows, most, seconds)))


def _check_question(sql: str) -> None:
    if not _QUESTION.match(sql):
        raise InputError("a query is one statement that begins with SELECT, WITH, VALUES or EXPLAIN")


def _by_column(names: Iterable[str], rows: Sequence[Sequence[Any]]) -> dict[str, list[Any]]:
    unique = _tell_apart(names)
    return {name: _alike([_plain(row[place]) for row in rows]) for place, name in enumerate(unique)}


def whole_table(name: str) -> str:
    """The query that gives all of a table or view."""
    return f'SELECT * FROM "{name}"'


def make_frame(columns: Mapping[str, list[Any]]) -> pl.DataFrame:
    """A Polars frame of these columns."""
    import polars as pl

    return pl.DataFrame([pl.Series(name, values, strict=False) for name, values in columns.items()])


@dataclass(frozen=True)
class _Bounds:
    """How much of an answer is read, and how long is waited for it."""

    max_rows: int | None
    max_bytes: int | None
    seconds: float

    def fetch(self, cursor: Any) -> list[Sequence[Any]]:
        """The rows of an answer that is still in the database; few at first, so that large ones are noticed."""
        deadline = time.monotonic() + self.seconds
        rows: list[Sequence[Any]] = []
        n_bytes, at_once = 0, 1
        while self.max_rows is None or len(rows) < self.max_rows:
            some = cursor.fetchmany(at_once if self.max_rows is None else min(at_once, self.max_rows - len(rows)))
            if not some:
                break
            rows += some
            at_once = min(2 * at_once, _ROWS_AT_ONCE)
            if self.max_bytes is not None:
                n_bytes += sum(map(_count_bytes, some))
                if n_bytes > self.max_bytes:
                    most = f"{self.max_bytes // 2**20} MiB"
                    raise InputError(f"query: its answer is larger than {most}; ask for fewer rows or columns")
            if time.monotonic() > deadline:
                raise InputError(_too_long(self.seconds))
        return rows


def _count_bytes(row: Sequence[Any]) -> int:
    return sum(_CELL_BYTES + (len(cell) if isinstance(cell, bytes | str) else 0) for cell in row)


def _too_long(seconds: float) -> str:
    return f"query: took longer than {seconds:.0f} s, and was stopped"


def _ask_sqlite(database: Database, sql: str, bounds: _Bounds) -> tuple[list[str], list[Sequence[Any]]]:
    deadline = time.monotonic() + bounds.seconds
    try:
        connection = sqlite3.connect(sqlite_uri(database.path), uri=True, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            restrict(connection, LONGEST_VALUE if bounds.max_bytes is None else bounds.max_bytes)
            connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS_BETWEEN_LOOKS)
            cursor = connection.execute(sql)
            return [column[0] for column in cursor.description or ()], bounds.fetch(cursor)
        finally:
            connection.close()
    except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as error:
        said = first_line(error)
        if said == "interrupted" and time.monotonic() <= deadline:
            raise KeyboardInterrupt from error  # Python's own was lost in the handler that looks at the clock
        if said == "interrupted":
            raise InputError(_too_long(bounds.seconds)) from error
        refused = "not authorized" in said or "prohibited" in said
        raise InputError(f"query: {said}{'; a query can only read' if refused else ''}") from error


def _ask_postgres(database: Database, sql: str, bounds: _Bounds) -> tuple[list[str], list[Sequence[Any]]]:
    with asking_postgres(database, sql, bounds.seconds) as cursor:
        return [column.name for column in cursor.description or ()], bounds.fetch(cursor)


def _tell_apart(names: Iterable[str]) -> Iterator[str]:
    """The names, those that come again with a number behind them."""
    seen: dict[str, int] = {}
    for name in names:
        unique = name
        while unique in seen:
            seen[name] += 1
            unique = f"{name}_{seen[name]}"
        seen[unique] = 1
        yield unique


def _plain(value: Any) -> Any:
    """A value as Polars takes it, the same from both databases."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict | list):
        return json.dumps(value)
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if isinstance(value, UUID):
        return str(value)
    return value


def _alike(values: list[Any]) -> list[Any]:
    """Values of one column; where SQLite mixes kinds that do not go together, all become text."""
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) <= 1 or kinds <= {int, float, bool}:
        return values
    return [value if value is None or isinstance(value, str) else str(value) for value in values]
