"""Rows that are kept under a key: found by who made them or by ids, and replaced where they are there already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa

from layerwise.core.base.parameters import NO_PARAMETERS
from layerwise.core.base.provider import Provider

_IDS_PER_QUERY = 500  # databases limit the number of values that one query is handed

Value = TypeVar("Value")


def chunks(values: Sequence[Value]) -> Iterator[Sequence[Value]]:
    """So many of the values at a time as one query may name."""
    return (values[at : at + _IDS_PER_QUERY] for at in range(0, len(values), _IDS_PER_QUERY))


def as_bytes(column: sa.Column[Any]) -> sa.Label[Any]:
    """A column as bytes, whatever SQLite finds in it: its checksum says that it is damaged."""
    return sa.cast(column, sa.LargeBinary).label(column.name)


def provider_key(kind: str, provider: Provider) -> dict[str, Any]:
    """The columns of a provider that are part of a key."""
    named = {f"{kind}_name": provider.name, f"{kind}_revision": provider.revision}
    return named | {"parameters": provider.parameters}


def provider_columns(kind: str, provider: Provider) -> dict[str, Any]:
    """All columns of a provider; the version says which release has computed, and is not looked up by."""
    return provider_key(kind, provider) | {f"{kind}_version": provider.version}


def provider_of(row: sa.RowMapping, kind: str) -> Provider:
    """The provider in a row; without settings where the row has none."""
    settings = row.get("parameters", NO_PARAMETERS)
    return Provider(row[f"{kind}_name"], row[f"{kind}_version"], settings, row[f"{kind}_revision"])


def replace_rows(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows, in place of those of the same primary key: two statements, however many rows there are."""
    if not rows:
        return
    key = [column.name for column in table.primary_key.columns]
    same = [table.c[name] == sa.bindparam(f"b_{name}") for name in key]
    connection.execute(sa.delete(table).where(*same), [{f"b_{name}": row[name] for name in key} for row in rows])
    connection.execute(sa.insert(table), rows)
