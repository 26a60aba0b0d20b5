"""Models and stimulus sets, which runs share: whether they are as they were written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from layerwise.storage.identity import model_checksum, model_from_row, stimuli_checksum
from layerwise.storage.schema import models, runs, stimuli, stimulus_sets

Found = tuple[str, sa.Column[Any], int]
"""What is wrong, the column of runs that refers to it, and its number there."""


def find_models(connection: sa.Connection) -> Iterator[Found]:
    """Models that are not as they were written."""
    for number, name in connection.execute(sa.select(models.c.id, models.c.name)).all():
        if not is_model_intact(connection, number):
            yield f"model '{name}' (row {number}) is not as it was written", runs.c.model_id, number


def find_stimuli(connection: sa.Connection) -> Iterator[Found]:
    """Stimulus sets that are not."""
    for number, name in connection.execute(sa.select(stimulus_sets.c.id, stimulus_sets.c.name)).all():
        if not are_stimuli_intact(connection, number):
            yield f"stimulus set '{name}' (row {number}) is not as it was written", runs.c.stimulus_set_id, number


def is_model_intact(connection: sa.Connection, number: int) -> bool:
    """Whether the description of a model gives the checksum that is kept with it."""
    try:
        row = connection.execute(sa.select(models).where(models.c.id == number)).mappings().one()
        return model_checksum(model_from_row(row)) == str(row["checksum"])
    except (ValueError, TypeError):  # SQLite gives whatever a damaged row holds: half a JSON text, bytes for a number
        return False


def are_stimuli_intact(connection: sa.Connection, number: int) -> bool:
    """Whether a stimulus set and its stimuli give the checksum that is kept with it, and are as many as it says."""
    columns = (stimuli.c.position, stimuli.c.name, stimuli.c.label, stimuli.c.content_hash, stimuli.c.thumbnail)
    chosen = sa.select(*columns).where(stimuli.c.stimulus_set_id == number).order_by(stimuli.c.position)
    try:
        found = connection.execute(sa.select(stimulus_sets).where(stimulus_sets.c.id == number)).mappings().one()
        rows = [tuple(row) for row in connection.execute(chosen)]
        described = [found[name] for name in ("name", "source", "resize", "fingerprint", "skipped")]
        in_order = all(at == position for at, (position, *_) in enumerate(rows))
        return (
            in_order
            and len(rows) == found["n_stimuli"]
            and stimuli_checksum(described, [row[1:] for row in rows]) == str(found["checksum"])
        )
    except (ValueError, TypeError):
        return False
