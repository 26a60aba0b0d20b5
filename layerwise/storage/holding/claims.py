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
from layerwise.core.network.layers import Layer
from layerwise.core.network.model import ModelInfo
from layerwise.core.network.stimuli import LoadedStimuli
from layerwise.storage.connect import Database
from layerwise.storage.holding.attempts import begin_attempt, end_attempt
from layerwise.storage.holding.processes import can_look_up, process_exists, this_process
from layerwise.storage.identity import model_checksum, stimuli_checksum
from layerwise.storage.schema import layers, models, representations, runs, stimuli, stimulus_sets, tags, variants

SILENCE = timedelta(seconds=120)
"""How long after its last sign of life a process that cannot be looked up counts as dead."""

_held_here: set[str] = set()
"""Tokens that this process has been given and has not let go of. That it exists says nothing of a run of its own: a
notebook lives on after a run that failed together with its database."""

_PLAIN = ("key", "batch_size", "chunk_width", "command", "checkpoint", "step", "lineage", "origin", "n_landmarks")


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
    values |= {"n_attempts": run["n_attempts"] + 1, **claimed}
    connection.execute(sa.update(runs).where(runs.c.id == run_id).values(values))
    end_attempt(connection, run_id, ended_at=run["heartbeat_at"])
    begin_attempt(connection, run_id, run["n_attempts"] + 1, header, this_process())
    known = set(connection.scalars(sa.select(layers.c.name).where(layers.c.run_id == run_id)))
    _insert_layers(connection, run_id, [layer for layer in header.layers if layer.name not in known])
    stored = sa.select(layers.c.name, representations.c.transform).join_from(layers, representations)
    done = frozenset(
        (name, transform) for name, transform in connection.execute(stored.where(layers.c.run_id == run_id))
    )
    return Claim(run_id, done=done, resumed=True, token=claimed["claim_token"])


def _insert_run(connection: sa.Connection, header: RunHeader) -> Claim:
    now = datetime.now(UTC)
    run_id = new_run_id()
    values = {
        "id": run_id,
        "model_id": _model_id(connection, header.model),
        "stimulus_set_id": _stimulus_set_id(connection, header.stimuli),
        "started_at": now,
        "attempt_started_at": now,
        "heartbeat_at": now,
        **_recorded(header),
        **_new_claim(),
    }
    connection.execute(sa.insert(runs).values(values))
    begin_attempt(connection, run_id, 1, header, this_process())
    if header.tags:
        rows = [{"run_id": run_id, "name": name, "value": value} for name, value in header.tags.items()]
        connection.execute(sa.insert(tags), rows)
    if header.variant:
        described = {**vars(header.variant), "layers": list(header.variant.layers)}
        connection.execute(sa.insert(variants).values(run_id=run_id, **described))
    _insert_layers(connection, run_id, header.layers)
    return Claim(run_id, token=values["claim_token"])


def _recorded(header: RunHeader) -> dict[str, Any]:
    """The columns of a run that follow from what it was asked for."""
    return {
        "status": "running",
        "n_attempts": 1,
        "timings": {},
        "loader_name": header.loader.name,
        "loader_revision": header.loader.revision,
        "loader_version": header.loader.version,
        "engine_name": header.engine.name,
        "engine_revision": header.engine.revision,
        "engine_version": header.engine.version,
        "transforms": list(header.transforms),
        "versions": dict(header.versions),
        "plugins": list(header.plugins),
        "host": dict(header.host),
        **{name: getattr(header, name) for name in _PLAIN},
    }


def _insert_layers(connection: sa.Connection, run_id: str, wanted: tuple[Layer, ...] | list[Layer]) -> None:
    rows = [
        {
            "run_id": run_id,
            "name": layer.name,
            "position": layer.position,
            "node": layer.node,
            "op": layer.op,
            "shape": list(layer.shape),
            "n_features": layer.n_features,
            "role": layer.role,
            "is_main": layer.is_main,
            "block": layer.block,
            "branch": layer.branch,
            "parts": list(layer.parts),
        }
        for layer in wanted
    ]
    if rows:
        connection.execute(sa.insert(layers), rows)


def _model_id(connection: sa.Connection, model: ModelInfo) -> int:
    """The row of this model, made if there is none."""
    checksum = model_checksum(model)
    same = (models.c.fingerprint == model.fingerprint) & (models.c.checksum == checksum)
    found: int | None = connection.scalar(sa.select(models.c.id).where(same))
    if found is not None:
        return found
    values = {
        "fingerprint": model.fingerprint,
        "checksum": checksum,
        "name": model.name,
        "source": model.source,
        "input_shape": list(model.input_shape),
        "preprocessing": model.preprocessing,
        "resize": model.resize,
        "n_parameters": model.n_parameters,
        "class_names": list(model.class_names),
        "class_ids": list(model.class_ids),
        "has_probabilities": model.has_probabilities,
        "versions": dict(model.versions),
    }
    return int(connection.execute(sa.insert(models).values(values).returning(models.c.id)).scalar_one())


def _stimulus_set_id(connection: sa.Connection, loaded: LoadedStimuli) -> int:
    """The row of this stimulus set, made with all its stimuli if there is none."""
    described = zip(loaded.stimuli, loaded.content_hashes, loaded.thumbnails, strict=True)
    rows = [(stimulus.name, stimulus.label, content, image) for stimulus, content, image in described]
    skipped = list(loaded.skipped)
    checksum = stimuli_checksum([loaded.name, loaded.source, loaded.resize, loaded.fingerprint, skipped], rows)
    same = (stimulus_sets.c.fingerprint == loaded.fingerprint) & (stimulus_sets.c.checksum == checksum)
    found: int | None = connection.scalar(sa.select(stimulus_sets.c.id).where(same))
    if found is not None:
        return found
    values: dict[str, Any] = {
        "fingerprint": loaded.fingerprint,
        "checksum": checksum,
        "name": loaded.name,
        "source": loaded.source,
    }
    values |= {"resize": loaded.resize, "n_stimuli": len(rows), "skipped": skipped}
    made = sa.insert(stimulus_sets).values(values).returning(stimulus_sets.c.id)
    set_id = int(connection.execute(made).scalar_one())
    names = ("name", "label", "content_hash", "thumbnail")
    connection.execute(
        sa.insert(stimuli),
        [
            {"stimulus_set_id": set_id, "position": position, **dict(zip(names, row, strict=True))}
            for position, row in enumerate(rows)
        ],
    )
    return set_id
