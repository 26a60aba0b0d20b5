"""Taking a run out of a history, with all that no other run uses."""

from __future__ import annotations

import sqlalchemy as sa

from layerwise.storage import schema
from layerwise.storage.schema import models, runs, stimulus_sets


def remove_run(connection: sa.Connection, run_id: str) -> None:
    """Take a run out, within an exclusive transaction that has seen to it that it may be taken out."""
    connection.execute(sa.delete(runs).where(runs.c.id == run_id))
    connection.execute(sa.delete(models).where(models.c.id.not_in(sa.select(runs.c.model_id))))
    used = sa.select(runs.c.stimulus_set_id)
    connection.execute(sa.delete(stimulus_sets).where(stimulus_sets.c.id.not_in(used)))
    _drop_unused_weight_statistics(connection)


def _drop_unused_weight_statistics(connection: sa.Connection) -> None:
    """Weights are shared by the runs of a model; a revision that only deleted runs had computed goes with them."""
    stored, used, weights = schema.weight_statistics, schema.run_weight_statistics, schema.weights
    same = [used.c[name] == stored.c[name] for name in ("name", "provider_name", "provider_revision")]
    wanted = (
        sa.select(used.c.run_id)
        .join_from(used, runs)
        .join(weights, weights.c.model_id == runs.c.model_id)
        .where(weights.c.id == stored.c.weight_id, *same)
        .correlate(stored)
    )
    connection.execute(sa.delete(stored).where(~wanted.exists()))
