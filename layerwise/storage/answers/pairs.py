"""Rows about two representations, found by the runs that these belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from layerwise.core.history.records import LayerAddress
from layerwise.storage.checking.soundness import check_rows
from layerwise.storage.rows import chunks
from layerwise.storage.schema import layers, representations

Pair = tuple[LayerAddress, LayerAddress, tuple[Any, ...]]
"""The two layers of a row, and what it says of them."""


def read_pairs(
    connection: sa.Connection, table: sa.Table, key: Mapping[str, Any], run_ids: Sequence[str], columns: Sequence[str]
) -> list[Pair]:
    """The rows of a key among the layers of some runs, in order of computation.

    They are looked up by their first representation. Left to themselves, databases may go through all rows of the key
    instead, which is every comparison that a measure has made in the whole history, or look up each representation
    with each: `+ 0` keeps them from that.

    Args:
        connection: To the database.
        table: One that has `first_id` and `second_id`.
        key: What its rows must hold.
        run_ids: Runs that both layers must belong to.
        columns: What is read of the table.

    Raises:
        LayerwiseError: If one of the rows is damaged.
    """
    ends = _read_ends(connection, run_ids)
    mine = sa.select(representations.c.id).join(layers).where(layers.c.run_id.in_(run_ids))
    chosen = (
        sa.select(table)
        .where(*(table.c[name] == value for name, value in key.items()))
        .where((table.c.second_id + 0).in_(mine))
    )
    found: list[sa.RowMapping] = []
    for some in chunks(sorted(ends)):
        rows = connection.execute(chosen.where(table.c.first_id.in_(some))).mappings().all()
        found += check_rows(connection, table, rows)
    found.sort(key=lambda row: (ends[row["first_id"]][0], ends[row["second_id"]][0]))
    return [
        (ends[row["first_id"]][1], ends[row["second_id"]][1], tuple(row[name] for name in columns)) for row in found
    ]


def _read_ends(
    connection: sa.Connection, run_ids: Sequence[str]
) -> dict[int, tuple[tuple[str, int, str], LayerAddress]]:
    """The representations of runs by id: their place in the order of computation, and their address."""
    columns = (representations.c.id, layers.c.run_id, layers.c.name, representations.c.transform, layers.c.position)
    chosen = sa.select(*columns).join_from(representations, layers)
    found = {}
    for some in chunks(run_ids):
        for owner, run_id, name, transform, position in connection.execute(chosen.where(layers.c.run_id.in_(some))):
            found[owner] = (run_id, position, transform), LayerAddress(run_id, name, transform)
    return found
