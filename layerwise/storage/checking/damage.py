"""Damage, and what is done about it: what is damaged goes, what is sound stays, and runs compute the rest again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from layerwise.storage.holding.sealing import seal_run
from layerwise.storage.schema import layers, predictions, representations, runs
from layerwise.storage.schema.checksums import ROW_CHECKSUM, checksum_row

REPAIRED = "damage was found and taken out; what is missing is computed again"
"""The error of a run that was damaged: who goes on with it writes down anew what is known of it."""

Affected = Literal["count", "rest", "layer", "output"]


@dataclass(frozen=True)
class Damage:
    """Something that is not as it was written.

    Attributes:
        said: What it is, in one line.
        table: Where rows are taken out for it; None where nothing is.
        key: The columns that these rows hold.
        run_ids: Runs that lack something then.
        again: What is to be done about these: `count` what they have now, for what they lack cannot be computed;
            compute the `rest`, whatever is missing; or also a `layer`, that of `layer_id` and `transform` in `key`,
            or the `output`, because something came with it.
    """

    said: str
    table: sa.Table | None = None
    key: Mapping[str, Any] | None = None
    run_ids: Sequence[str] = ()
    again: Affected = "rest"

    @property
    def can_be_repaired(self) -> bool:
        """Whether there is a way to keep the rest."""
        return self.table is not None or bool(self.run_ids)


def take_out(connection: sa.Connection, damages: Sequence[Damage]) -> list[str]:
    """Delete what is damaged, and mark the runs that lack something as interrupted.

    Returns:
        The ids of these runs.
    """
    for damage in damages:
        if damage.table is not None and damage.key is not None:
            _delete(connection, damage.table, damage.key)
    reopened, counted = _find_runs(damages)
    for damage in damages:
        for run_id in damage.run_ids:
            _ask_again(connection, run_id, damage)
    for run_id in reopened:
        _reopen(connection, run_id)
    for row in connection.execute(sa.select(runs).where(runs.c.id.in_(counted - set(reopened)))).mappings().all():
        if row["status"] == "finished":
            seal_run(connection, row["id"])
    return reopened


def _find_runs(damages: Sequence[Damage]) -> tuple[list[str], set[str]]:
    """The runs that have something to compute, and those of which only the number of rows changes."""
    reopened = {run_id: None for damage in damages if damage.again != "count" for run_id in damage.run_ids}
    return list(reopened), {run_id for damage in damages if damage.again == "count" for run_id in damage.run_ids}


def _delete(connection: sa.Connection, table: sa.Table, key: Mapping[str, Any]) -> None:
    columns: list[sa.ColumnElement[Any]] = [table.c.get(name, sa.literal_column(name)) for name in key]
    same = [
        sa.type_coerce(column, sa.types.NullType()) == value
        for column, value in zip(columns, key.values(), strict=True)
    ]
    connection.execute(sa.delete(table).where(*same))


def _ask_again(connection: sa.Connection, run_id: str, damage: Damage) -> None:
    mine = sa.select(layers.c.id).where(layers.c.run_id == run_id)
    if damage.again == "layer" and damage.key is not None:
        _forget(connection, *(representations.c[name] == damage.key[name] for name in ("layer_id", "transform")))
    if damage.again == "output":
        connection.execute(sa.delete(predictions).where(predictions.c.run_id == run_id))
        scores = dict.fromkeys(("top1", "top5", "n_labelled"))
        connection.execute(sa.update(runs).where(runs.c.id == run_id).values(scores))
        _forget(connection, representations.c.layer_id.in_(mine.where(layers.c.role == "output")))


def _forget(connection: sa.Connection, *which: sa.ColumnElement[bool]) -> None:
    """Have representations computed again, and keep them until then."""
    for row in connection.execute(sa.select(representations).where(*which)).mappings().all():
        values = {"n_statistics": None, ROW_CHECKSUM: checksum_row(representations, {**row, "n_statistics": None})}
        connection.execute(sa.update(representations).where(representations.c.id == row["id"]).values(values))


def _reopen(connection: sa.Connection, run_id: str) -> None:
    """Mark a run as interrupted, unless somebody is computing it."""
    values = {"status": "interrupted", "error": REPAIRED, "contents": None, ROW_CHECKSUM: None, "claim_token": None}
    chosen = (runs.c.id == run_id) & (runs.c.status != "running")
    connection.execute(sa.update(runs).where(chosen).values(values))
