"""Claims: which process may compute and write a run, decided in one transaction.

The same analysis is computed once: a finished one is pointed to, one whose process has died is gone on
with, and one that lives is left alone. Where its process can be looked up, a run lives as long as that exists;
elsewhere as long as it gives signs of life, for which the clocks of the machines must agree to within a minute.

Who begins a run is given a token, which the row of the run holds, too, until the run ends or is taken over. Every
write compares the two in its own transaction.
"""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.history.records import Claim, RunHeader
from layerwise.core.history.run_ids import new_run_id
from layerwise.storage.checking.damage import REPAIRED
from layerwise.storage.connect import Database
from layerwise.storage.holding.attempts import begin_attempt, end_attempt
from layerwise.storage.holding.describing import (
    describe,
    insert_layers,
    insert_tags,
    model_id,
    restore,
    stimulus_set_id,
)
from layerwise.storage.holding.processes import can_look_up, process_exists, this_process
from layerwise.storage.schema import layers, representations, runs, statistics
from layerwise.storage.schema.checksums import ROW_CHECKSUM

SILENCE = timedelta(seconds=120)
"""How long after its last sign of life a process that cannot be looked up counts as dead."""

_held_here: set[str] = set()
"""Tokens that this process has been given and has not let go of. That it exists says nothing of a run of its own: a
notebook lives on after a run that failed together with its database."""


def claim_run(database: Database, header: RunHeader, *, force: bool) -> Claim:
    """Claim an analysis; see `RunStore.begin_run`."""
    with database.write(exclusive=True) as connection:
        newest = sa.select(runs).where(runs.c.key == header.key).order_by(runs.c.started_at.desc(), runs.c.id)
        # For update: a write under way ends first, and its sign of life is seen.
        known = list(connection.execute(newest.with_for_update()).mappings())
        if not force:
            finished = [run for run in known if run["status"] == "finished"]
            if finished:
                return Claim(max(finished, key=lambda run: run["finished_at"])["id"], finished=True)
        for run in known:
            if is_live(run):
                raise InputError(
                    f"run {run['id']} is computing the same analysis now (process {run['pid']} on {run['hostname']}, "
                    f"since {run['attempt_started_at']:%Y-%m-%d %H:%M:%S} UTC)"
                )
        unfinished = [run for run in known if run["status"] != "finished"]
        if unfinished and not force:
            return _resume(connection, unfinished[0], header)
        return _insert_run(connection, header)


def is_live(run: sa.RowMapping) -> bool:
    """Whether the process that computes a run is at work, as far as can be told from here."""
    if run["status"] != "running":
        return False
    if not can_look_up(run):
        return bool(datetime.now(UTC) - run["heartbeat_at"] <= SILENCE)
    if run["pid"] == os.getpid():
        return str(run["claim_token"]) in _held_here
    return process_exists(run)


def held(claim: Claim) -> list[sa.ColumnElement[bool]]:
    """The conditions under which a claim's run is still its own."""
    return [runs.c.id == claim.run_id, runs.c.claim_token == claim.token, runs.c.status == "running"]


def sign(connection: sa.Connection, claim: Claim, **values: Any) -> None:
    """Begin a write to a run: see that the claim is held, and give a sign of life with it.

    Raises:
        LayerwiseError: If it is not held any more.
    """
    values["heartbeat_at"] = datetime.now(UTC)
    if connection.execute(sa.update(runs).where(*held(claim)).values(values)).rowcount:
        return
    run = connection.execute(sa.select(runs).where(runs.c.id == claim.run_id)).mappings().one_or_none()
    if run is None:
        raise LayerwiseError(f"run {claim.run_id} is not in the history any more")
    why = f"process {run['pid']} on {run['hostname']} goes on with it"
    if run["status"] != "running":
        why = f"it is {run['status']}"
    raise LayerwiseError(f"run {claim.run_id} is not held by this process any more: {why}")


def let_go(claim: Claim) -> None:
    """Remember that nobody in this process computes a run any more, whatever the history could be told of it."""
    _held_here.discard(claim.token)


def _new_claim() -> dict[str, Any]:
    """The columns of a run that say who holds it: a new token, for this process."""
    token = secrets.token_hex(16)
    _held_here.add(token)
    return {"claim_token": token, **this_process()}


def _resume(connection: sa.Connection, run: sa.RowMapping, header: RunHeader) -> Claim:
    """Go on with a run where an earlier attempt stopped; the time that one took is kept."""
    run_id = run["id"]
    now = datetime.now(UTC)
    spent = (run["heartbeat_at"] - run["attempt_started_at"]).total_seconds()
    timings = dict(run["timings"])
    timings["interrupted"] = timings.get("interrupted", 0.0) + max(0.0, spent)
    values = {"status": "running", "error": None, "attempt_started_at": now, "heartbeat_at": now, "timings": timings}
    claimed = _new_claim()
    values |= {"n_attempts": run["n_attempts"] + 1, "contents": None, ROW_CHECKSUM: None, **claimed}
    connection.execute(sa.update(runs).where(runs.c.id == run_id).values(values))
    if run["error"] == REPAIRED:
        restore(connection, run_id, header)
    end_attempt(connection, run_id, ended_at=run["heartbeat_at"])
    begin_attempt(connection, run_id, run["n_attempts"] + 1, header, this_process())
    known = set(connection.scalars(sa.select(layers.c.name).where(layers.c.run_id == run_id)))
    insert_layers(connection, run_id, [layer for layer in header.layers if layer.name not in known])
    return Claim(run_id, done=_find_done(connection, run_id), resumed=True, token=claimed["claim_token"])


def _find_done(connection: sa.Connection, run_id: str) -> frozenset[tuple[str, str]]:
    """Layer and transform of what need not be computed: representations that have all of their statistics.

    Where it is not said how many these are, something that came with the representation was damaged and taken out.
    """
    same = (statistics.c.layer_id == layers.c.id) & (statistics.c.transform == representations.c.transform)
    n_there = sa.select(sa.func.count()).select_from(statistics).where(same).scalar_subquery()
    stored = sa.select(layers.c.name, representations.c.transform).join_from(layers, representations)
    whole = representations.c.n_statistics <= n_there
    return frozenset(map(tuple, connection.execute(stored.where(layers.c.run_id == run_id, whole))))


def _insert_run(connection: sa.Connection, header: RunHeader) -> Claim:
    now = datetime.now(UTC)
    run_id = new_run_id()
    values = {
        "id": run_id,
        "model_id": model_id(connection, header.model),
        "stimulus_set_id": stimulus_set_id(connection, header.stimuli),
        "started_at": now,
        "attempt_started_at": now,
        "heartbeat_at": now,
        **describe(header),
        **_new_claim(),
    }
    connection.execute(sa.insert(runs).values(values))
    begin_attempt(connection, run_id, 1, header, this_process())
    insert_tags(connection, run_id, header)
    insert_layers(connection, run_id, header.layers)
    return Claim(run_id, token=values["claim_token"])
