"""Writing a run: its beginning, its layers one by one, its end.

Every call is one transaction, and begins by giving a sign of life in the run's row, if that still holds the token of
the claim. A process that was thought dead, and whose run another one goes on with, finds that out there and stops.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from layerwise.core.base.errors import LayerwiseError
from layerwise.core.history.costs import RunCosts
from layerwise.core.history.records import (
    Accuracy,
    Claim,
    LayerResult,
    Prediction,
    RunHeader,
    StatisticResult,
    WeightResult,
)
from layerwise.storage.connect import Database
from layerwise.storage.holding.attempts import end_attempt
from layerwise.storage.holding.claims import claim_run, held, sign
from layerwise.storage.holding.heartbeat import keep_alive
from layerwise.storage.holding.sealing import seal_run
from layerwise.storage.in_pieces.packing import pack_layer
from layerwise.storage.removal import remove_run
from layerwise.storage.rows import replace_rows
from layerwise.storage.schema import (
    layers,
    predictions,
    representations,
    run_weight_statistics,
    runs,
    statistics,
    tiles,
    weight_statistics,
    weights,
)
from layerwise.storage.schema.checksums import ROW_CHECKSUM, checksum_row
from layerwise.storage.tiles import Packed, encode_vector


class RunWriter:
    """The writing half of a store: `RunStore` of `layerwise.core.history.protocols`."""

    _database: Database

    def begin_run(self, header: RunHeader, *, force: bool = False) -> Claim:
        """Claim the analysis `header.key`: new, resumed where it was interrupted, or already finished.

        Raises:
            InputError: If it is being computed now.
        """
        return claim_run(self._database, header, force=force)

    def keep_alive(self, claim: Claim) -> AbstractContextManager[None]:
        """While within, give signs of life from a thread and a connection of their own."""
        return keep_alive(self._database.url, claim)

    def write_together(self) -> AbstractContextManager[None]:
        """One transaction for all that this thread writes within."""
        return self._database.write_together()

    def save_layer(self, claim: Claim, result: LayerResult) -> None:
        """Write one finished layer; one that is there already is replaced.

        Raises:
            LayerwiseError: If the claim is not held any more, or the result cannot be stored as it is.
        """
        what = f"run {claim.run_id}, layer '{result.layer}'"
        try:
            packed = pack_layer(result.representation)
        except ValueError as error:
            raise LayerwiseError(f"{what}: {error}") from error
        rows = _statistic_rows(result.statistics, what)
        with self._database.write() as connection:
            sign(connection, claim)
            layer_id = connection.scalar(
                sa.select(layers.c.id).where(layers.c.run_id == claim.run_id, layers.c.name == result.layer)
            )
            if layer_id is None:
                raise LayerwiseError(f"{what}: the run was begun without it")
            _replace_representation(connection, layer_id, result, packed)
            key = {"layer_id": layer_id, "transform": result.transform}
            connection.execute(sa.delete(statistics).filter_by(**key))
            if rows:
                connection.execute(sa.insert(statistics), [key | row for row in rows])

    def save_weights(self, claim: Claim, results: Sequence[WeightResult]) -> None:
        """Write the statistics of the run's model's weights, replacing those of the same providers."""
        with self._database.write(exclusive=True) as connection:
            sign(connection, claim)
            model_id = connection.scalar(sa.select(runs.c.model_id).where(runs.c.id == claim.run_id))
            _replace_weights(connection, model_id, results)
            used = {
                (row.name, row.provider.name, row.provider.revision) for each in results for row in each.statistics
            }
            connection.execute(sa.delete(run_weight_statistics).where(run_weight_statistics.c.run_id == claim.run_id))
            if used:
                names = ("name", "provider_name", "provider_revision")
                links = [{"run_id": claim.run_id, **dict(zip(names, key, strict=True))} for key in sorted(used)]
                connection.execute(sa.insert(run_weight_statistics), links)

    def save_predictions(self, claim: Claim, rows: Sequence[Prediction], accuracy: Accuracy | None) -> None:
        """Write the most probable classes of each stimulus, and the accuracy where labels are known."""
        scores: dict[str, float | None] = {"top1": None, "top5": None, "n_labelled": None}
        if accuracy is not None:
            scores = {
                "top1": float(accuracy.top1),
                "top5": float(accuracy.top5),
                "n_labelled": int(accuracy.n_labelled),
            }
        with self._database.write() as connection:
            sign(connection, claim, **scores)
            connection.execute(sa.delete(predictions).where(predictions.c.run_id == claim.run_id))
            if rows:
                connection.execute(sa.insert(predictions), [_prediction_row(claim.run_id, row) for row in rows])

    def finish_run(self, claim: Claim, timings: Mapping[str, float], costs: RunCosts | None = None) -> None:
        """Mark the run finished; `timings` (seconds by stage) are added to those of earlier attempts."""
        with self._database.write() as connection:
            sign(connection, claim)
            total = dict(connection.execute(sa.select(runs.c.timings).where(runs.c.id == claim.run_id)).scalar_one())
            for stage, seconds in timings.items():
                total[stage] = total.get(stage, 0.0) + seconds
            now = datetime.now(UTC)
            sign(connection, claim, status="finished", finished_at=now, timings=total, error=None, claim_token=None)
            end_attempt(connection, claim.run_id, "finished", costs=costs)
            seal_run(connection, claim.run_id)

    def fail_run(self, claim: Claim, error: str, *, interrupted: bool = False) -> None:
        """Mark the run failed or interrupted; it can be resumed either way.

        Called where something else has gone wrong already, so a run that is not held any more is silently left as
        it is.
        """
        status = "interrupted" if interrupted else "failed"
        with self._database.write() as connection:
            values = {"status": status, "error": error, "heartbeat_at": datetime.now(UTC), "claim_token": None}
            if connection.execute(sa.update(runs).where(*held(claim)).values(values)).rowcount:
                end_attempt(connection, claim.run_id, status, error)

    def discard_run(self, claim: Claim) -> None:
        """Take the run out, with all that no other run uses; silently nothing, if the claim is not held."""
        with self._database.write(exclusive=True) as connection:
            if connection.scalar(sa.select(runs.c.id).where(*held(claim)).with_for_update()):
                remove_run(connection, claim.run_id)


def _replace_representation(connection: sa.Connection, layer_id: int, result: LayerResult, packed: Packed) -> None:
    key = {"layer_id": layer_id, "transform": result.transform}
    attempt = connection.scalar(sa.select(runs.c.n_attempts).join(layers).where(layers.c.id == layer_id))
    connection.execute(sa.delete(representations).filter_by(**key))
    values = key | {
        "n_stimuli": result.representation.n_stimuli,
        "n_features": packed.n_features,
        "mean": packed.mean,
        "norm": packed.norm,
        "form": packed.form,
        "deviation": packed.deviation,
        "resolution": packed.resolution,
        "n_tiles": len(packed.tiles),
        "checksum": packed.checksum,
        "attempt": attempt,
        "n_landmarks": packed.n_landmarks,
        "n_statistics": len(result.statistics),
    }
    made = sa.insert(representations).values(values).returning(representations.c.id)
    owner = connection.execute(made).scalar_one()
    for position, tile in enumerate(packed.tiles):
        values = {"representation_id": owner, "position": position, "n_values": tile.n_values}
        values |= {"checksum": tile.checksum, "data": tile.data}
        connection.execute(sa.insert(tiles).values(values))


def _replace_weights(connection: sa.Connection, model_id: int | None, results: Sequence[WeightResult]) -> None:
    named = sa.select(weights.c.name, weights.c.id).where(weights.c.model_id == model_id)
    known = set(connection.scalars(named))
    facts: dict[str, dict[str, Any]] = {
        result.name: {
            "layer": result.layer,
            "position": result.position,
            "shape": list(result.shape),
            "n_values": math.prod(result.shape),
        }
        for result in results
    }
    for name, row in facts.items():
        row[ROW_CHECKSUM] = checksum_row(weights, {"model_id": model_id, "name": name, **row})
    changed = [{"b_name": name} | facts[name] for name in facts if name in known]
    if changed:
        mine = (weights.c.model_id == model_id) & (weights.c.name == sa.bindparam("b_name"))
        connection.execute(sa.update(weights).where(mine), changed)
    new = [{"model_id": model_id, "name": name} | facts[name] for name in facts if name not in known]
    if new:
        connection.execute(sa.insert(weights), new)
    ids = {row.name: row.id for row in connection.execute(named)}
    rows = [
        {"weight_id": ids[result.name]} | row
        for result in results
        for row in _statistic_rows(result.statistics, f"weights '{result.name}'")
    ]
    replace_rows(connection, weight_statistics, rows)


def _prediction_row(run_id: str, prediction: Prediction) -> dict[str, Any]:
    """The columns of a prediction; plain numbers, because SQLite would keep NumPy's as bytes."""
    return {
        "run_id": run_id,
        "position": int(prediction.position),
        "rank": int(prediction.rank),
        "class_index": int(prediction.class_index),
        "class_name": prediction.class_name,
        "probability": float(prediction.probability),
    }


def _statistic_rows(results: Sequence[StatisticResult], what: str) -> list[dict[str, Any]]:
    """The columns that all statistics have, whatever they belong to."""
    rows = []
    for position, result in enumerate(results):
        try:
            vector = None if result.vector is None else encode_vector(result.vector)
        except ValueError as error:
            raise LayerwiseError(f"{what}, statistic '{result.name}': {error}") from error
        value = None if result.value is None else float(result.value)
        row = {"name": result.name, "position": position, "value": value, "reason": result.reason}
        row |= {"provider_name": result.provider.name, "provider_revision": result.provider.revision}
        row |= {"provider_version": result.provider.version}
        rows.append(row | {"vector": vector})
    return rows
