"""Sealing what changes until it is finished: the row of a run with the number of its results, and its attempts."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from layerwise.storage import schema
from layerwise.storage.schema import attempts, layers, representations, runs
from layerwise.storage.schema.checksums import ROW_CHECKSUM, checksum_row

_OWN = (schema.tags, schema.variants, attempts, layers, schema.predictions, schema.outputs)


def count_contents(connection: sa.Connection, run_id: str) -> dict[str, int]:
    """How many rows of each table make up a run: what a row that is missing is found by."""
    counts = {table.name: _count(connection, table, table.c.run_id == run_id) for table in _OWN}
    mine = representations.c.layer_id.in_(sa.select(layers.c.id).where(layers.c.run_id == run_id))
    counts[representations.name] = _count(connection, representations, mine)
    used, made = schema.run_weight_statistics, schema.weight_statistics
    counts[used.name] = _count(connection, used, used.c.run_id == run_id)
    same = [used.c[name] == made.c[name] for name in ("name", "provider_name", "provider_revision")]
    model = sa.select(runs.c.model_id).where(runs.c.id == run_id).scalar_subquery()
    of_model = made.c.weight_id.in_(sa.select(schema.weights.c.id).where(schema.weights.c.model_id == model))
    joined = sa.select(sa.func.count()).select_from(made.join(used, sa.and_(*same)))
    counts[made.name] = connection.scalar(joined.where(used.c.run_id == run_id, of_model)) or 0
    return counts


def seal_run(connection: sa.Connection, run_id: str) -> None:
    """Give a finished run its checksum, over its row and the number of its results."""
    _seal(connection, runs, runs.c.id == run_id, contents=count_contents(connection, run_id))


def seal_attempt(connection: sa.Connection, run_id: str, number: int) -> None:
    """Give an attempt that has ended its checksum."""
    _seal(connection, attempts, (attempts.c.run_id == run_id) & (attempts.c.number == number))


def _seal(connection: sa.Connection, table: sa.Table, which: sa.ColumnElement[bool], **values: Any) -> None:
    row = connection.execute(sa.select(table).where(which)).mappings().one()
    values[ROW_CHECKSUM] = checksum_row(table, {**row, **values})
    connection.execute(sa.update(table).where(which).values(values))


def _count(connection: sa.Connection, table: sa.Table, which: sa.ColumnElement[bool]) -> int:
    return connection.scalar(sa.select(sa.func.count()).select_from(table).where(which)) or 0
