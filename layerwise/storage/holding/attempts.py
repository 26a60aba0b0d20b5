"""Every attempt at a run: one may go on where another stopped, with other versions, on another machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from layerwise.core.history.costs import RunCosts
from layerwise.core.history.records import Attempt, RunHeader
from layerwise.storage.holding.sealing import seal_attempt
from layerwise.storage.schema import attempts, layers, representations

_PLAIN = ("number", "status", "command", "versions", "host", "started_at", "ended_at", "error")


def begin_attempt(
    connection: sa.Connection, run_id: str, number: int, header: RunHeader, process: Mapping[str, Any]
) -> None:
    """Write down who begins an attempt at a run, with what."""
    values = {
        "run_id": run_id,
        "number": number,
        "status": "running",
        "command": header.command,
        "versions": dict(header.versions),
        "plugins": list(header.plugins),
        "host": dict(header.host),
        "started_at": datetime.now(UTC),
        "pid": process["pid"],
        "hostname": process["hostname"],
    }
    connection.execute(sa.insert(attempts).values(values))


def end_attempt(
    connection: sa.Connection,
    run_id: str,
    status: str = "interrupted",
    error: str | None = None,
    ended_at: datetime | None = None,
    costs: RunCosts | None = None,
) -> None:
    """Write down how the attempt ended that is under way; where none is, nothing."""
    under_way = (attempts.c.run_id == run_id) & attempts.c.ended_at.is_(None) & (attempts.c.status == "running")
    values: dict[str, Any] = {"status": status, "error": error, "ended_at": ended_at or datetime.now(UTC)}
    values["costs"] = None if costs is None else costs.as_json()
    ended = connection.scalars(sa.select(attempts.c.number).where(under_way)).all()
    connection.execute(sa.update(attempts).where(under_way).values(values))
    for number in ended:
        seal_attempt(connection, run_id, number)


def read_attempts(connection: sa.Connection, run_ids: Sequence[str]) -> dict[str, list[Attempt]]:
    """The attempts at each of these runs, in order."""
    chosen = sa.select(attempts).where(attempts.c.run_id.in_(run_ids)).order_by(attempts.c.run_id, attempts.c.number)
    place = (layers.c.run_id, representations.c.attempt)
    counted = sa.select(*place, sa.func.count(sa.distinct(layers.c.id))).join_from(representations, layers)
    counted = counted.where(layers.c.run_id.in_(run_ids))
    n_layers = {(run_id, number): found for run_id, number, found in connection.execute(counted.group_by(*place))}
    found: dict[str, list[Attempt]] = {}
    for row in connection.execute(chosen).mappings():
        attempt = Attempt(
            plugins=tuple(row["plugins"]),
            n_layers=n_layers.get((row["run_id"], row["number"]), 0),
            costs=None if row["costs"] is None else RunCosts.from_json(row["costs"]),
            **{name: row[name] for name in _PLAIN},
        )
        found.setdefault(row["run_id"], []).append(attempt)
    return found
