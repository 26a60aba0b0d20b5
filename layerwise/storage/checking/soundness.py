"""Rows that are read are held to their checksums; what is damaged is named as people know it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import sqlalchemy as sa

from layerwise.core.base.errors import LayerwiseError
from layerwise.storage import schema
from layerwise.storage.schema import layers, models, representations, weights
from layerwise.storage.schema.checksums import Row, is_sound

AnyRow = TypeVar("AnyRow", bound=Row)

ALTERED = "is damaged: it is not as it was written"
REMEDY = "; `layerwise db check --repair` takes it out"

_NAMED = {
    "attempts": "attempt {number}",
    "tags": "tag '{name}'",
    "variants": "its ablation",
    "layers": "layer '{name}'",
    "requests": "request {digest}",
    "statistics": "statistic '{name}'",
    "weights": "weights '{name}'",
    "weight_statistics": "statistic '{name}'",
    "run_weight_statistics": "statistic '{name}' of its weights",
    "predictions": "prediction {rank} of stimulus {position}",
    "outputs": "outputs",
    "comparisons": "comparison by {comparator_name}",
    "intervals": "interval by {comparator_name}",
    "permutation_tests": "permutation test by {comparator_name}",
    "orderings": "order by {reorderer_name}",
    "profiles": "profile by {comparator_name}",
    "profile_layers": "profile, layer '{layer}'",
    "profile_intervals": "interval of its profile's {number}",
}

_OWNERS = (
    (
        schema.weight_statistics.c.weight_id,
        sa.select(models.c.name, weights.c.name).join(weights).where(weights.c.id == sa.bindparam("id")),
        "model '{}', weights '{}'",
    ),
    (weights.c.model_id, sa.select(models.c.name).where(models.c.id == sa.bindparam("id")), "model '{}'"),
    (
        schema.profile_layers.c.profile_id,
        sa.select(schema.profiles.c.run_id).where(schema.profiles.c.id == sa.bindparam("id")),
        "run {}",
    ),
)


def check_row(connection: sa.Connection, table: sa.Table, row: AnyRow) -> AnyRow:
    """A row as it is, if it is as it was written.

    Raises:
        LayerwiseError: If it is not.
    """
    if is_sound(table, row):
        return row
    raise LayerwiseError(f"{describe_row(connection, table, row)} {ALTERED}{REMEDY}")


def check_rows(connection: sa.Connection, table: sa.Table, rows: Iterable[AnyRow]) -> list[AnyRow]:
    """Rows as they are, if all of them are as they were written.

    Raises:
        LayerwiseError: If one is not.
    """
    return [check_row(connection, table, row) for row in rows]


def describe_row(connection: sa.Connection, table: sa.Table, row: Row) -> str:
    """What a row is, in words: whose it is, then what."""
    if table is schema.runs:
        return f"run {row['id']}, its own row"
    owners = ", with ".join(_find_owners(connection, row))
    said = _NAMED.get(table.name, "").format_map(_Cells(row))
    return ", ".join(part for part in (owners, said) if part) or f"a row of {table.name}"


class _Cells(dict[str, Any]):
    """Cells by name; what is not there is a question mark."""

    def __missing__(self, key: str) -> str:
        return "?"


def _find_owners(connection: sa.Connection, row: Row) -> list[str]:
    if "first_id" in row:
        return [_name_representation(connection, row[name]) for name in ("first_id", "second_id")]
    if "representation_id" in row:
        return [_name_representation(connection, row["representation_id"])]
    if "layer_id" in row:
        return [_name_layer(connection, row["layer_id"])]
    if "run_id" in row:
        return [f"run {row['run_id']}"]
    for column, chosen, said in _OWNERS:
        if column.name in row and (found := connection.execute(chosen, {"id": row[column.name]}).first()):
            return [said.format(*found)]
    return []


def _name_layer(connection: sa.Connection, number: Any) -> str:
    found = connection.execute(sa.select(layers.c.run_id, layers.c.name).where(layers.c.id == number)).first()
    return f"layer {number}" if found is None else f"run {found.run_id}, layer '{found.name}'"


def _name_representation(connection: sa.Connection, number: Any) -> str:
    owner = connection.scalar(sa.select(representations.c.layer_id).where(representations.c.id == number))
    return f"representation {number}" if owner is None else _name_layer(connection, owner)
