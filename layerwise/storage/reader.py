"""Runs and what belongs to them, read back as the records they were written from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import sqlalchemy as sa

from layerwise.core.history.records import (
    Accuracy,
    Attempt,
    LayerStatistic,
    Prediction,
    RunField,
    RunFilter,
    RunRecord,
    StatisticResult,
    StimulusRecord,
    WeightResult,
)
from layerwise.core.history.references import (
    explain_missing,
    find_named,
    find_referenced,
    is_reference,
    only_named,
)
from layerwise.core.history.run_ids import LATEST, check_only, is_id_prefix
from layerwise.core.history.variants import Variant
from layerwise.core.network.layers import Layer
from layerwise.core.network.model import ModelInfo
from layerwise.storage import listing
from layerwise.storage.checking.soundness import check_row, check_rows
from layerwise.storage.connect import Database
from layerwise.storage.holding.attempts import read_attempts
from layerwise.storage.holding.claims import is_live
from layerwise.storage.identity import model_from_row
from layerwise.storage.rows import chunks, provider_of
from layerwise.storage.schema import (
    attempts,
    layers,
    models,
    predictions,
    representations,
    run_weight_statistics,
    runs,
    statistics,
    stimuli,
    stimulus_sets,
    tags,
    variants,
    weight_statistics,
    weights,
)
from layerwise.storage.schema.checksums import ROW_CHECKSUM
from layerwise.storage.tiles import decode_vector

_EVERYTHING = RunFilter()
_PROVIDED = ("name", "provider_name", "provider_revision")
_PLAIN = (
    "batch_size",
    "chunk_width",
    "n_landmarks",
    "command",
    "checkpoint",
    "step",
    "lineage",
    "versions",
    "host",
    "timings",
    "started_at",
    "finished_at",
    "error",
    "origin",
)


class RunReader:
    """Runs, layers, stimuli, statistics, weights and predictions: the first half of `History`."""

    _database: Database

    def find_run(self, run: str) -> RunRecord:
        """The run with this id, unique prefix of an id, `latest` (the finished one that ended last), or a reference.

        Raises:
            InputError: If there is none, or the prefix is ambiguous.
            LayerwiseError: If what is recorded of it is damaged. (A list shows the others, and does not look.)
        """
        run_id = self.find_id(run)
        with self._database.read() as connection:
            _check_run(connection, run_id)
            return _read_records(connection, [run_id])[0]

    def find_id(self, run: str) -> str:
        """The id of the run that is meant, also of one that is damaged.

        Raises:
            InputError: If there is none, or the prefix is ambiguous.
        """
        if is_reference(run):
            return find_referenced(self, run).id
        with self._database.read() as connection:
            ids = _find_ids(connection, run)
        if not ids and (named := find_named(self, run)):
            return only_named(run, named).id
        check_only(run, ids, "" if ids else explain_missing(self, run))
        return ids[0]

    def list_runs(self, where: RunFilter = _EVERYTHING) -> list[RunRecord]:
        """The runs that the filter means, newest first unless it says otherwise."""
        with self._database.read() as connection:
            return _read_records(connection, listing.choose_ids(connection, where))

    def count_runs(self, where: RunFilter = _EVERYTHING) -> int:
        """How many runs the filter means, whatever its limit."""
        with self._database.read() as connection:
            return listing.count_runs(connection, where)

    def count_values(self, field: RunField, where: RunFilter = _EVERYTHING) -> dict[str, int]:
        """How many of the runs that the filter means have each value of a field; those without one do not count."""
        with self._database.read() as connection:
            return listing.count_values(connection, field, where)

    def list_layers(self, run_id: str) -> list[Layer]:
        """The layers of a run whose representation is stored, in order of computation."""
        stored = sa.select(representations.c.layer_id)
        chosen = sa.select(layers).where(layers.c.run_id == run_id, layers.c.id.in_(stored))
        with self._database.read() as connection:
            found = connection.execute(chosen.order_by(layers.c.position)).mappings().all()
            return [_layer(row) for row in check_rows(connection, layers, found)]

    def list_stimuli(self, run_id: str) -> list[StimulusRecord]:
        """The stimuli of a run, in order."""
        columns = (getattr(stimuli.c, name) for name in ("position", "name", "label", "content_hash", "thumbnail"))
        joined = stimuli.join(runs, stimuli.c.stimulus_set_id == runs.c.stimulus_set_id)
        chosen = sa.select(*columns).select_from(joined).where(runs.c.id == run_id).order_by(stimuli.c.position)
        with self._database.read() as connection:
            return [StimulusRecord(*row) for row in connection.execute(chosen)]

    def read_statistics(self, run_id: str) -> list[LayerStatistic]:
        """All statistics of a run's layers, in order of computation; of several revisions of one, the newest."""
        chosen = (
            sa.select(statistics, layers.c.name.label("layer_name"))
            .join_from(statistics, layers)
            .where(layers.c.run_id == run_id)
            .order_by(layers.c.position, statistics.c.transform, statistics.c.position)
        )
        with self._database.read() as connection:
            rows = check_rows(connection, statistics, connection.execute(chosen).mappings().all())
        newest: dict[tuple[str, ...], int] = {}
        for row in rows:
            key = _without_revision(row)
            newest[key] = max(row["provider_revision"], newest.get(key, row["provider_revision"]))
        return [
            LayerStatistic(row["layer_name"], row["transform"], _statistic(row))
            for row in rows
            if row["provider_revision"] == newest[_without_revision(row)]
        ]

    def read_weights(self, run_id: str) -> list[WeightResult]:
        """The weight tensors of a run's model, in order, with the statistics that were computed for this run."""
        with self._database.read() as connection:
            return _read_weights(connection, run_id)

    def read_predictions(self, run_id: str) -> list[Prediction]:
        """The most probable classes, by stimulus and rank."""
        names = ("position", "rank", "class_index", "class_name", "probability")
        chosen = sa.select(predictions).where(predictions.c.run_id == run_id)
        chosen = chosen.order_by(predictions.c.position, predictions.c.rank)
        with self._database.read() as connection:
            rows = check_rows(connection, predictions, connection.execute(chosen).mappings().all())
        return [Prediction(*(row[name] for name in names)) for row in rows]


def _find_ids(connection: sa.Connection, run: str) -> list[str]:
    """The ids that begin with this, four at most."""
    prefix = run.strip().lower()
    chosen = sa.select(runs.c.id)
    if run == LATEST:
        chosen = chosen.where(runs.c.status == "finished").order_by(runs.c.finished_at.desc(), runs.c.id).limit(1)
    else:
        chosen = chosen.where(runs.c.id.startswith(prefix)).order_by(runs.c.id).limit(4)
    return list(connection.execute(chosen).scalars()) if run == LATEST or is_id_prefix(prefix) else []


def _check_run(connection: sa.Connection, run_id: str) -> None:
    """See that what is recorded of a run is as it was written."""
    row = connection.execute(sa.select(runs).where(runs.c.id == run_id)).mappings().one()
    if row["status"] == "finished" or row[ROW_CHECKSUM] is not None:
        check_row(connection, runs, row)
    for table in (tags, variants):
        found = connection.execute(sa.select(table).where(table.c.run_id == run_id)).mappings().all()
        check_rows(connection, table, found)
    tried = sa.select(attempts).where(attempts.c.run_id == run_id, attempts.c.ended_at.is_not(None))
    check_rows(connection, attempts, connection.execute(tried).mappings().all())


def _read_records(connection: sa.Connection, ids: Sequence[str]) -> list[RunRecord]:
    """The records of runs, in this order; so many at a time that each query may name them."""
    found: dict[str, RunRecord] = {}
    for some in chunks(ids):
        found.update((record.id, record) for record in _records(connection, some))
    return [found[run_id] for run_id in ids]


def _records(connection: sa.Connection, ids: Sequence[str]) -> Iterator[RunRecord]:
    """Records in any order. Models are read once each, for they are large."""
    prefixed = [column.label(f"stimuli_{column.name}") for column in stimulus_sets.c if column.name != "id"]
    varied = [column.label(f"variant_{column.name}") for column in variants.c if column.name != "run_id"]
    joined = runs.join(stimulus_sets).outerjoin(variants)
    chosen = sa.select(runs, *prefixed, *varied).select_from(joined).where(runs.c.id.in_(ids))
    rows = connection.execute(chosen).mappings().all()
    used = sa.select(models).where(models.c.id.in_({row["model_id"] for row in rows}))
    known = {row["id"]: model_from_row(row) for row in connection.execute(used).mappings()}
    tagged = sa.select(tags.c.run_id, tags.c.name, tags.c.value).where(tags.c.run_id.in_(ids)).order_by(tags.c.name)
    by_run: dict[str, dict[str, str]] = {}
    for run_id, name, value in connection.execute(tagged):
        by_run.setdefault(run_id, {})[name] = value
    counted = connection.execute(listing.count_layers().where(layers.c.run_id.in_(ids)))
    n_layers = {str(run_id): int(n_stored) for run_id, n_stored in counted}
    tried = read_attempts(connection, ids)
    for row in rows:
        run_id = row["id"]
        rest = by_run.get(run_id, {}), tried.get(run_id, []), n_layers.get(run_id, 0)
        yield _record(row, known[row["model_id"]], *rest)


def _record(
    row: sa.RowMapping, model: ModelInfo, tagged: Mapping[str, str], attempts: Sequence[Attempt], n_layers: int
) -> RunRecord:
    accuracy = None
    if row["n_labelled"] is not None:
        accuracy = Accuracy(row["top1"], row["top5"], row["n_labelled"])
    dead = row["status"] == "running" and not is_live(row)
    if dead and attempts:
        cut_off = replace(attempts[-1], status="interrupted", ended_at=row["heartbeat_at"])
        attempts = [*attempts[:-1], cut_off]
    return RunRecord(
        id=row["id"],
        key=row["key"],
        status="interrupted" if dead else row["status"],
        model=model,
        loader=provider_of(row, "loader"),
        stimuli_name=row["stimuli_name"],
        stimuli_source=row["stimuli_source"],
        stimuli_fingerprint=row["stimuli_fingerprint"],
        n_stimuli=row["stimuli_n_stimuli"],
        resize=row["stimuli_resize"],
        skipped=tuple(row["stimuli_skipped"]),
        transforms=tuple(row["transforms"]),
        engine=provider_of(row, "engine"),
        tags=tagged,
        plugins=tuple(row["plugins"]),
        accuracy=accuracy,
        attempts=tuple(attempts),
        n_layers=n_layers,
        variant=_variant(row),
        **{name: row[name] for name in _PLAIN},
    )


def _variant(row: sa.RowMapping) -> Variant | None:
    if row["variant_baseline"] is None:
        return None
    known = {name: row[f"variant_{name}"] for name in ("baseline", "substitute", "seed")}
    return Variant(layers=tuple(row["variant_layers"]), **known)


def _layer(row: sa.RowMapping) -> Layer:
    return Layer(
        name=row["name"],
        node=row["node"],
        op=row["op"],
        shape=tuple(row["shape"]),
        position=row["position"],
        role=row["role"],
        is_main=row["is_main"],
        block=row["block"],
        branch=row["branch"],
        parts=tuple(row["parts"]),
    )


def _without_revision(row: sa.RowMapping) -> tuple[str, ...]:
    return row["layer_name"], row["transform"], row["name"], row["provider_name"]


def _statistic(row: sa.RowMapping) -> StatisticResult:
    vector = None if row["vector"] is None else decode_vector(row["vector"])
    return StatisticResult(row["name"], provider_of(row, "provider"), row["value"], row["reason"], vector)


def _read_weights(connection: sa.Connection, run_id: str) -> list[WeightResult]:
    used = run_weight_statistics
    chosen = (
        sa.select(weight_statistics)
        .join(used, sa.and_(*(used.c[name] == weight_statistics.c[name] for name in _PROVIDED)))
        .where(used.c.run_id == run_id)
        .order_by(weight_statistics.c.position)
    )
    by_weight: dict[int, list[StatisticResult]] = {}
    model = sa.select(runs.c.model_id).where(runs.c.id == run_id).scalar_subquery()
    of_model = sa.select(weights).where(weights.c.model_id == model).order_by(weights.c.position)
    tensors = check_rows(connection, weights, connection.execute(of_model).mappings().all())
    chosen = chosen.where(
        weight_statistics.c.weight_id.in_(sa.select(weights.c.id).where(weights.c.model_id == model))
    )
    for row in check_rows(connection, weight_statistics, connection.execute(chosen).mappings().all()):
        by_weight.setdefault(row["weight_id"], []).append(_statistic(row))
    return [
        WeightResult(
            row["name"], row["layer"], tuple(row["shape"]), row["position"], tuple(by_weight.get(row["id"], ()))
        )
        for row in tensors
    ]
