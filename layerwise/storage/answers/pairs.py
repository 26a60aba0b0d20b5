"""Rows about two representations, found by the runs that these belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from layerwise.storage.schema import layers, representations


def select_pairs(
    table: sa.Table, key: Mapping[str, Any], run_ids: Sequence[str], columns: Sequence[str]
) -> sa.Select[Any]:
    """A query of the rows of a key among the layers of some runs, in order of computation.

    Rows are looked up by their first representation. Left to itself, SQLite goes through all rows of the key instead,
    which is every comparison that a measure has made in the whole history.

    Args:
        table: One that has `first_id` and `second_id`.
        key: What its rows must hold.
        run_ids: Runs that both layers must belong to.
        columns: Of the table; they come after those of the two ends.
    """
    first, second = layers.alias("first"), layers.alias("second")
    one, other = representations.alias("one"), representations.alias("other")
    ends = [first.c.run_id, first.c.name, one.c.transform, second.c.run_id, second.c.name, other.c.transform]
    mine = sa.select(representations.c.id).join(layers).where(layers.c.run_id.in_(run_ids))
    return (
        sa.select(*ends, *(table.c[name] for name in columns))
        .join(one, one.c.id == table.c.first_id)
        .join(first, first.c.id == one.c.layer_id)
        .join(other, other.c.id == table.c.second_id)
        .join(second, second.c.id == other.c.layer_id)
        .where(*(table.c[name] == value for name, value in key.items()))
        .where(table.c.first_id.in_(mine), second.c.run_id.in_(run_ids))
        .order_by(first.c.run_id, first.c.position, second.c.run_id, second.c.position)
    )
