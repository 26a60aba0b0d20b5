"""Whether a database has the tables, columns and views that a history is made of."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from layerwise.storage.schema import VERSION_TABLE, VIEWS, metadata


def find_schema_faults(connection: sa.Connection) -> Iterator[str]:
    """One line for each table, column, index or view that is missing or of which there is too much."""
    inspector = sa.inspect(connection)
    known = set(inspector.get_table_names())
    for table in metadata.sorted_tables:
        if table.name not in known:
            yield f"the table {table.name} is missing"
            continue
        columns = {column["name"] for column in inspector.get_columns(table.name)}
        for name in sorted({column.name for column in table.c} - columns):
            yield f"the table {table.name} has no column {name}"
        for name in sorted(columns - {column.name for column in table.c}):
            yield f"the table {table.name} has a column {name} that no history has"
        made = {index["name"] for index in inspector.get_indexes(table.name)}
        for name in sorted({str(index.name) for index in table.indexes} - made):
            yield f"the table {table.name} has no index {name}"
    for name in sorted(set(VIEWS) - set(inspector.get_view_names())):
        yield f"the view {name} is missing"
    yield from _check_version(connection)


def _check_version(connection: sa.Connection) -> Iterator[str]:
    n_rows = connection.scalar(sa.select(sa.func.count()).select_from(sa.table(VERSION_TABLE)))
    if n_rows != 1:
        yield f"the table {VERSION_TABLE} has {n_rows} rows where one is expected"
