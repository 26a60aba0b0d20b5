"""What a run is of, written down: its model, its stimulus set, its layers, its tags; what is shared is there once."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from layerwise.core.history.records import RunHeader
from layerwise.core.network.layers import Layer
from layerwise.core.network.model import ModelInfo
from layerwise.core.network.stimuli import LoadedStimuli
from layerwise.storage.checking.shared import are_stimuli_intact, is_model_intact
from layerwise.storage.identity import model_checksum, stimuli_checksum
from layerwise.storage.schema import layers, models, runs, stimuli, stimulus_sets, tags, variants

_PLAIN = ("key", "batch_size", "chunk_width", "command", "checkpoint", "step", "lineage", "origin", "n_landmarks")


def restore(connection: sa.Connection, run_id: str, header: RunHeader) -> None:
    """Write down anew what a run is of, where some of it was damaged; what nobody refers to any more goes."""
    kept = {"status", "n_attempts", "timings"}
    values = {name: value for name, value in describe(header).items() if name not in kept}
    values |= {"model_id": model_id(connection, header.model)}
    values["stimulus_set_id"] = stimulus_set_id(connection, header.stimuli)
    connection.execute(sa.update(runs).where(runs.c.id == run_id).values(values))
    for table in (tags, variants):
        connection.execute(sa.delete(table).where(table.c.run_id == run_id))
    insert_tags(connection, run_id, header)
    for table, used in ((models, runs.c.model_id), (stimulus_sets, runs.c.stimulus_set_id)):
        connection.execute(sa.delete(table).where(table.c.id.not_in(sa.select(used))))


def insert_tags(connection: sa.Connection, run_id: str, header: RunHeader) -> None:
    """Write the tags of a run, and what it is a variant of."""
    if header.tags:
        rows = [{"run_id": run_id, "name": name, "value": value} for name, value in header.tags.items()]
        connection.execute(sa.insert(tags), rows)
    if header.variant:
        described = {**vars(header.variant), "layers": list(header.variant.layers)}
        connection.execute(sa.insert(variants).values(run_id=run_id, **described))


def describe(header: RunHeader) -> dict[str, Any]:
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


def insert_layers(connection: sa.Connection, run_id: str, wanted: tuple[Layer, ...] | list[Layer]) -> None:
    """Write the layers of a run, which are not computed yet."""
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


def model_id(connection: sa.Connection, model: ModelInfo) -> int:
    """The row of this model, made if there is none."""
    checksum = model_checksum(model)
    same = (models.c.fingerprint == model.fingerprint) & (models.c.checksum == checksum)
    found: int | None = connection.scalar(sa.select(models.c.id).where(same))
    if found is not None and is_model_intact(connection, found):
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
    if found is not None:  # it was damaged since it was written
        connection.execute(sa.update(models).where(models.c.id == found).values(values))
        return found
    return int(connection.execute(sa.insert(models).values(values).returning(models.c.id)).scalar_one())


def stimulus_set_id(connection: sa.Connection, loaded: LoadedStimuli) -> int:
    """The row of this stimulus set, made with all its stimuli if there is none."""
    described = zip(loaded.stimuli, loaded.content_hashes, loaded.thumbnails, strict=True)
    rows = [(stimulus.name, stimulus.label, content, image) for stimulus, content, image in described]
    skipped = list(loaded.skipped)
    checksum = stimuli_checksum([loaded.name, loaded.source, loaded.resize, loaded.fingerprint, skipped], rows)
    same = (stimulus_sets.c.fingerprint == loaded.fingerprint) & (stimulus_sets.c.checksum == checksum)
    found: int | None = connection.scalar(sa.select(stimulus_sets.c.id).where(same))
    if found is not None and are_stimuli_intact(connection, found):
        return found
    values: dict[str, Any] = {
        "fingerprint": loaded.fingerprint,
        "checksum": checksum,
        "name": loaded.name,
        "source": loaded.source,
    }
    values |= {"resize": loaded.resize, "n_stimuli": len(rows), "skipped": skipped}
    if found is None:
        made = sa.insert(stimulus_sets).values(values).returning(stimulus_sets.c.id)
        set_id = int(connection.execute(made).scalar_one())
    else:  # it was damaged since it was written
        set_id = found
        connection.execute(sa.update(stimulus_sets).where(stimulus_sets.c.id == found).values(values))
        connection.execute(sa.delete(stimuli).where(stimuli.c.stimulus_set_id == found))
    names = ("name", "label", "content_hash", "thumbnail")
    connection.execute(
        sa.insert(stimuli),
        [
            {"stimulus_set_id": set_id, "position": position, **dict(zip(names, row, strict=True))}
            for position, row in enumerate(rows)
        ],
    )
    return set_id
