"""Reading all rows of a table, also those that hold what their columns do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import sqlalchemy as sa

from layerwise.storage.schema.checksums import Row

_AT_ONCE = 1000
_UNREADABLE = (TypeError, ValueError, OverflowError)  # what a column's type says to a cell of another kind
_RAW = sa.types.NullType()

Convert = Callable[[Any], Any]


def read_all(
    connection: sa.Connection, table: sa.Table, where: sa.ColumnElement[bool] | None = None
) -> Iterator[tuple[Row, bool]]:
    """Every row, and whether it is readable; one that is not is as the database gives it.

    Large bytes that have a checksum of their own are left out.
    """
    columns = [column for column in table.c if not _has_own_checksum(column)]
    converts = {column.name: _converter(column, connection.dialect) for column in columns}
    chosen = sa.select(*(sa.type_coerce(column, _RAW).label(column.name) for column in columns)).select_from(table)
    if where is not None:
        chosen = chosen.where(where)
    for some in connection.execute(chosen).mappings().partitions(_AT_ONCE):
        for row in some:
            yield _convert(row, converts)


def _convert(row: Row, converts: Mapping[str, Convert | None]) -> tuple[Row, bool]:
    try:
        cells = {
            name: row[name] if convert is None or row[name] is None else convert(row[name])
            for name, convert in converts.items()
        }
    except _UNREADABLE:
        return row, False
    return cells, True


def _converter(column: sa.Column[Any], dialect: sa.Dialect) -> Convert | None:
    """What makes a value of what a driver gives; PostgreSQL's gives values already."""
    if dialect.name != "sqlite":
        kind = column.type
        return partial(_decorate, kind, dialect) if isinstance(kind, sa.types.TypeDecorator) else None
    return column.type.dialect_impl(dialect).result_processor(dialect, None)


def _decorate(kind: sa.types.TypeDecorator[Any], dialect: sa.Dialect, value: Any) -> Any:
    return kind.process_result_value(value, dialect)


def _has_own_checksum(column: sa.Column[Any]) -> bool:
    return isinstance(column.type, sa.LargeBinary) and "checksum" in column.table.c
