"""Checksums of rows: made when a row is written, compared when it is read.

A row's checksum covers every cell that has a value, under its column's name, but for numbers that a database gives
out by itself (`id`), bytes that have a checksum of their own, and which process computes a run. Cells without a value
do not count, so that a later migration may add a column without a default and every checksum stays what it was; one
that adds a column with a value makes the checksums of its table anew.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column

ROW_CHECKSUM = "row_checksum"
"""The column that holds a row's checksum."""

Row = sa.RowMapping | Mapping[str, Any]
"""Cells by the names of their columns."""

OF_PROCESS = ("pid", "hostname", "pid_space", "process_started", "claim_token", "heartbeat_at")
"""Columns of runs that say which process computes one, and are of no use afterwards."""

_encode = json.JSONEncoder(separators=(",", ":")).encode


def checksum_column() -> Column[Any]:
    """A column for the checksum of its row, which is filled in when a row is inserted."""
    return Column(ROW_CHECKSUM, BigInteger, default=_of_new_row)


def sealed_column() -> Column[Any]:
    """A column for the checksum of a row that changes until it is finished; it has none before."""
    return Column(ROW_CHECKSUM, BigInteger)


def checksum_row(table: sa.Table, row: Row) -> int:
    """64 bits of BLAKE2b over a row, as a whole number with a sign.

    Raises:
        TypeError, ValueError, OverflowError: If a cell is not what its column holds.
    """
    cells = {}
    for name, plain in _columns(table):
        value = row.get(name)
        if value is not None:
            value = plain(value)
        if value is not None:
            cells[name] = value
    digest = hashlib.blake2b(_encode([table.name, cells]).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def is_sound(table: sa.Table, row: Row) -> bool:
    """Whether a row is as it was written."""
    try:
        return bool(checksum_row(table, row) == row[ROW_CHECKSUM])
    except (TypeError, ValueError, OverflowError):  # SQLite gives whatever a damaged cell holds
        return False


def _of_new_row(context: Any) -> int:
    return checksum_row(context.current_column.table, context.get_current_parameters())


@lru_cache(maxsize=64)
def _columns(table: sa.Table) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    """The columns that a checksum covers, by name, each with what makes its cells the same on every database."""
    own_bytes = "checksum" in table.c
    covered = [
        column
        for column in table.c
        if column.name != ROW_CHECKSUM
        and not (table.name == "runs" and column.name in OF_PROCESS)
        and not (column.name == "id" and isinstance(column.type, sa.Integer))
        and not (own_bytes and isinstance(column.type, sa.LargeBinary))
    ]
    return tuple((column.name, _plainly(column.type)) for column in sorted(covered, key=lambda column: column.name))


def _plainly(kind: sa.types.TypeEngine[Any]) -> Callable[[Any], Any]:
    if isinstance(kind, sa.types.TypeDecorator):
        return _plain_moment
    for known, plain in _PLAIN.items():
        if isinstance(kind, known):
            return plain
    return _plain_text


def _plain_number(value: Any) -> float | None:
    """SQLite knows neither NaN, which it keeps as nothing, nor a zero with a sign."""
    number = float(value) + 0.0
    return None if math.isnan(number) else number


def _plain_integer(value: Any) -> int:
    if int(value) != value:
        raise ValueError(f"{value!r} is no whole number")
    return int(value)


def _plain_moment(value: datetime) -> str:
    return value.astimezone(UTC).replace(tzinfo=None).isoformat()


def _plain_text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return str(value)


def _plain_bytes(value: Any) -> str:
    return bytes(value).hex()


def _as_is(value: Any) -> Any:
    return value


_PLAIN: dict[type[Any], Callable[[Any], Any]] = {
    sa.Float: _plain_number,
    sa.Boolean: bool,
    sa.Integer: _plain_integer,
    sa.LargeBinary: _plain_bytes,
    sa.JSON: _as_is,
    sa.String: _plain_text,
}
