"""A checksum for every row, the number of statistics of a representation, the number of all results of a run.

Rows that are there get theirs from what they hold now; one that cannot be read gets none, and counts as damaged.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_COLUMN = "row_checksum"
_AT_ONCE = 1000
_KEYS = {
    "attempts": ("run_id", "number"),
    "tags": ("run_id", "name"),
    "variants": ("run_id",),
    "layers": ("id",),
    "requests": ("digest",),
    "representations": ("id",),
    "statistics": ("layer_id", "transform", "name", "provider_name", "provider_revision"),
    "weights": ("id",),
    "weight_statistics": ("weight_id", "name", "provider_name", "provider_revision"),
    "run_weight_statistics": ("run_id", "name", "provider_name", "provider_revision"),
    "predictions": ("run_id", "position", "rank"),
    "outputs": ("run_id",),
    "comparisons": ("comparator_name", "comparator_revision", "parameters", "first_id", "second_id"),
    "orderings": ("representation_id", "reorderer_name", "reorderer_revision", "parameters"),
    "profiles": ("id",),
    "profile_layers": ("profile_id", "position"),
    "profile_intervals": ("profile_id", "number", "position", "method", "n_resamples", "seed", "level"),
    "intervals": (
        *("comparator_name", "comparator_revision", "parameters", "first_id", "second_id"),
        *("method", "n_resamples", "seed", "level"),
    ),
    "permutation_tests": (
        *("comparator_name", "comparator_revision", "parameters", "first_id", "second_id"),
        *("alternative", "n_permutations", "seed"),
    ),
    "runs": ("id",),  # last: it holds how many rows of the others belong to it
}
_OWN = ("tags", "variants", "attempts", "layers", "predictions", "outputs", "run_weight_statistics")
_REPRESENTATIONS = (
    "SELECT count(*) FROM representations p JOIN layers l ON l.id = p.layer_id WHERE l.run_id = :run_id"
)
_WEIGHT_STATISTICS = (
    "SELECT count(*) FROM weight_statistics t JOIN weights w ON w.id = t.weight_id "
    "JOIN runs r ON r.model_id = w.model_id JOIN run_weight_statistics u ON u.run_id = r.id AND u.name = t.name "
    "AND u.provider_name = t.provider_name AND u.provider_revision = t.provider_revision WHERE r.id = :run_id"
)
_OF_PROCESS = {"pid", "hostname", "pid_space", "process_started", "claim_token", "heartbeat_at"}
_ENDED = {"runs": "status = 'finished'", "attempts": "ended_at IS NOT NULL"}


def upgrade() -> None:
    """Add the columns and fill them."""
    op.add_column("representations", sa.Column("n_statistics", sa.Integer(), nullable=True))
    op.add_column("runs", sa.Column("contents", sa.JSON(), nullable=True))
    for table in _KEYS:
        op.add_column(table, sa.Column(_COLUMN, sa.BigInteger(), nullable=True))
    connection = op.get_bind()
    connection.execute(
        sa.text(
            "UPDATE representations SET n_statistics = (SELECT count(*) FROM statistics t "
            "WHERE t.layer_id = representations.layer_id AND t.transform = representations.transform)"
        )
    )
    for table in _KEYS:
        _fill(connection, table)


def downgrade() -> None:
    """Drop the columns again."""
    for table in reversed(_KEYS):
        op.drop_column(table, _COLUMN)
    op.drop_column("runs", "contents")
    op.drop_column("representations", "n_statistics")


def _fill(connection: sa.Connection, name: str) -> None:
    found = sa.inspect(connection).get_columns(name)
    table = sa.table(name, *(sa.column(column["name"]) for column in found))
    plain = {column: make for column, make in _covered(found).items() if name != "runs" or column not in _OF_PROCESS}
    key = _KEYS[name]
    chosen = sa.select(table)
    if name in _ENDED:
        chosen = chosen.where(sa.text(_ENDED[name]))
    same = [table.c[column] == sa.bindparam(f"b_{column}") for column in key]
    values: dict[str, Any] = {_COLUMN: sa.bindparam("b_checksum")}
    if name == "runs":
        values["contents"] = sa.bindparam("b_contents", type_=sa.JSON())
    change = sa.update(table).where(*same).values(values)
    rows = [dict(row) for row in connection.execute(chosen).mappings()]
    for start in range(0, len(rows), _AT_ONCE):
        changes = list(_changes(connection, name, rows[start : start + _AT_ONCE], plain))
        connection.execute(change, changes)


def _changes(
    connection: sa.Connection, name: str, rows: list[dict[str, Any]], plain: Mapping[str, Callable[[Any], Any]]
) -> Iterator[dict[str, Any]]:
    for row in rows:
        change = {f"b_{column}": row[column] for column in _KEYS[name]}
        if name == "runs":
            row["contents"] = change["b_contents"] = _count(connection, row["id"])
        yield change | {"b_checksum": _checksum(name, row, plain)}


def _count(connection: sa.Connection, run_id: str) -> dict[str, int]:
    counted = {table: f"SELECT count(*) FROM {table} WHERE run_id = :run_id" for table in _OWN}
    counted |= {"representations": _REPRESENTATIONS, "weight_statistics": _WEIGHT_STATISTICS}
    order = (*_OWN[:-1], "representations", _OWN[-1], "weight_statistics")
    return {table: connection.scalar(sa.text(counted[table]), {"run_id": run_id}) or 0 for table in order}


def _checksum(name: str, row: Mapping[str, Any], plain: Mapping[str, Callable[[Any], Any]]) -> int | None:
    try:
        cells = {column: make(row[column]) for column, make in plain.items() if row[column] is not None}
        text = json.dumps(
            [name, {column: cell for column, cell in cells.items() if cell is not None}], separators=(",", ":")
        )
    except (TypeError, ValueError, OverflowError):
        return None
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)


def _covered(found: list[Any]) -> dict[str, Callable[[Any], Any]]:
    """What makes the cells of the columns that count the same on every database."""
    kinds = {column["name"]: column["type"] for column in found}
    left_out = {_COLUMN} | {name for name, kind in kinds.items() if name == "id" and isinstance(kind, sa.Integer)}
    if "checksum" in kinds:
        left_out |= {name for name, kind in kinds.items() if isinstance(kind, sa.LargeBinary)}
    makers: dict[type[Any], Callable[[Any], Any]] = {
        sa.Float: _number,
        sa.Boolean: bool,
        sa.DateTime: _moment,
        sa.LargeBinary: _bytes,
        sa.JSON: _json,
    }
    return {
        name: next((make for kind, make in makers.items() if isinstance(kinds[name], kind)), _as_is)
        for name in sorted(kinds)
        if name not in left_out
    }


def _number(value: Any) -> float | None:
    number = float(value) + 0.0
    return None if math.isnan(number) else number


def _moment(value: Any) -> str:
    return (value if isinstance(value, datetime) else datetime.fromisoformat(value)).isoformat()


def _bytes(value: Any) -> str:
    return bytes(value).hex()


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str | bytes) else value


def _as_is(value: Any) -> Any:
    return value
