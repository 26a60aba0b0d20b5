"""The first schema: models, stimuli, runs, layers, and what is known of them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MADE = """
models stimulus_sets stimuli runs tags layers representations tiles statistics weights weight_statistics
run_weight_statistics predictions comparisons orderings
"""


def upgrade() -> None:
    """Make the tables, those that others refer to first."""
    _create_shared()
    _create_runs()
    _create_layers()
    _create_weights()
    _create_results()


def downgrade() -> None:
    """Drop all of it, rows before what they refer to."""
    for name in reversed(MADE.split()):
        op.drop_table(name)


def _text(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _json(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.JSON(), nullable=False)


def _number(name: str, *, big: bool = False, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger() if big else sa.Integer(), nullable=nullable)


def _real(name: str, *, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, sa.Float(53), nullable=nullable)


def _blob(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.LargeBinary(), nullable=nullable)


def _word(name: str, length: int) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length), nullable=False)


def _moment(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(), nullable=nullable)


def _link(table: str, column: str, target: str, *, cascade: bool = True) -> sa.ForeignKeyConstraint:
    ondelete = "CASCADE" if cascade else None
    return sa.ForeignKeyConstraint([column], [target], name=f"fk_{table}_{column}", ondelete=ondelete)


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def _create_shared() -> None:
    op.create_table(
        "models",
        _number("id"),
        _word("fingerprint", 128),
        _word("checksum", 64),
        _text("name"),
        _text("source"),
        _json("input_shape"),
        _text("preprocessing"),
        _text("resize"),
        _number("n_parameters", big=True),
        _json("class_names"),
        _json("class_ids"),
        sa.Column("has_probabilities", sa.Boolean(), nullable=False),
        _json("versions"),
        _key("models", "id"),
        sa.UniqueConstraint("fingerprint", "checksum", name="uq_models"),
    )
    op.create_table(
        "stimulus_sets",
        _number("id"),
        _word("fingerprint", 128),
        _word("checksum", 64),
        _text("name"),
        _text("source"),
        _text("resize"),
        _number("n_stimuli"),
        _json("skipped"),
        _key("stimulus_sets", "id"),
        sa.UniqueConstraint("fingerprint", "checksum", name="uq_stimulus_sets"),
    )
    op.create_table(
        "stimuli",
        _number("stimulus_set_id"),
        _number("position"),
        _text("name"),
        _text("label", nullable=True),
        _word("content_hash", 128),
        _blob("thumbnail"),
        _key("stimuli", "stimulus_set_id", "position"),
        _link("stimuli", "stimulus_set_id", "stimulus_sets.id"),
    )


def _create_runs() -> None:
    op.create_table(
        "runs",
        _word("id", 16),
        _word("key", 128),
        _word("status", 16),
        _number("model_id"),
        _number("stimulus_set_id"),
        *(_text(f"{who}_{what}") for who in ("loader", "engine") for what in ("name", "version")),
        _json("transforms"),
        _number("batch_size"),
        _number("chunk_width"),
        _text("command"),
        _text("checkpoint", nullable=True),
        _number("step", big=True, nullable=True),
        _text("lineage", nullable=True),
        *(_json(name) for name in ("versions", "plugins", "host", "timings")),
        _real("top1"),
        _real("top5"),
        _number("n_labelled", nullable=True),
        _moment("started_at"),
        _moment("finished_at", nullable=True),
        _text("error", nullable=True),
        _number("n_attempts"),
        _moment("attempt_started_at"),
        _moment("heartbeat_at"),
        _number("pid", big=True),
        _text("hostname"),
        _key("runs", "id"),
        _link("runs", "model_id", "models.id", cascade=False),
        _link("runs", "stimulus_set_id", "stimulus_sets.id", cascade=False),
        sa.CheckConstraint("status IN ('running', 'finished', 'failed', 'interrupted')", name="ck_runs_status"),
    )
    for column in ("key", "model_id", "stimulus_set_id"):
        op.create_index(f"ix_runs_{column}", "runs", [column])
    op.create_table(
        "tags",
        _word("run_id", 16),
        _text("name"),
        _text("value"),
        _key("tags", "run_id", "name"),
        _link("tags", "run_id", "runs.id"),
    )


def _create_layers() -> None:
    op.create_table(
        "layers",
        _number("id"),
        _word("run_id", 16),
        _text("name"),
        _number("position"),
        _text("node"),
        _text("op"),
        _json("shape"),
        _number("n_features", big=True),
        _word("role", 16),
        sa.Column("is_main", sa.Boolean(), nullable=False),
        _text("block", nullable=True),
        _text("branch", nullable=True),
        _json("parts"),
        _key("layers", "id"),
        _link("layers", "run_id", "runs.id"),
        sa.UniqueConstraint("run_id", "name", name="uq_layers"),
    )
    op.create_table(
        "representations",
        _number("id"),
        _number("layer_id"),
        _text("transform"),
        _number("n_stimuli"),
        _number("n_features", big=True),
        _blob("mean"),
        _blob("norm"),
        _number("n_tiles"),
        _word("checksum", 64),
        _key("representations", "id"),
        _link("representations", "layer_id", "layers.id"),
        sa.UniqueConstraint("layer_id", "transform", name="uq_representations"),
    )
    op.create_table(
        "tiles",
        _number("representation_id"),
        _number("position"),
        _number("n_values"),
        _number("checksum", big=True),
        _blob("data"),
        _key("tiles", "representation_id", "position"),
        _link("tiles", "representation_id", "representations.id"),
    )
    op.create_table(
        "statistics",
        _number("layer_id"),
        _text("transform"),
        *_statistic_columns(),
        _key("statistics", "layer_id", "transform", "name", "provider_name", "provider_version"),
        _link("statistics", "layer_id", "layers.id"),
    )


def _statistic_columns() -> list[sa.Column[Any]]:
    names = [_text("name"), _text("provider_name"), _text("provider_version")]
    return [*names, _number("position"), _real("value"), _text("reason"), _blob("vector", nullable=True)]


def _create_weights() -> None:
    op.create_table(
        "weights",
        _number("id"),
        _number("model_id"),
        _text("name"),
        _text("layer"),
        _number("position"),
        _json("shape"),
        _number("n_values", big=True),
        _key("weights", "id"),
        _link("weights", "model_id", "models.id"),
        sa.UniqueConstraint("model_id", "name", name="uq_weights"),
    )
    op.create_table(
        "weight_statistics",
        _number("weight_id"),
        *_statistic_columns(),
        _key("weight_statistics", "weight_id", "name", "provider_name", "provider_version"),
        _link("weight_statistics", "weight_id", "weights.id"),
    )
    op.create_table(
        "run_weight_statistics",
        _word("run_id", 16),
        *(_text(name) for name in ("name", "provider_name", "provider_version")),
        _key("run_weight_statistics", "run_id", "name", "provider_name", "provider_version"),
        _link("run_weight_statistics", "run_id", "runs.id"),
    )


def _create_results() -> None:
    op.create_table(
        "predictions",
        _word("run_id", 16),
        _number("position"),
        _number("rank"),
        _number("class_index"),
        _text("class_name", nullable=True),
        _real("probability", nullable=False),
        _key("predictions", "run_id", "position", "rank"),
        _link("predictions", "run_id", "runs.id"),
    )
    op.create_table(
        "comparisons",
        _text("comparator_name"),
        _text("comparator_version"),
        sa.Column("parameters", sa.Text(), nullable=False, server_default="{}"),
        _number("first_id"),
        _number("second_id"),
        _real("value"),
        _text("reason"),
        _real("low"),
        _real("high"),
        _key("comparisons", "comparator_name", "comparator_version", "parameters", "first_id", "second_id"),
        _link("comparisons", "first_id", "representations.id"),
        _link("comparisons", "second_id", "representations.id"),
    )
    for column in ("first_id", "second_id"):
        op.create_index(f"ix_comparisons_{column}", "comparisons", [column])
    op.create_table(
        "orderings",
        _number("representation_id"),
        _text("reorderer_name"),
        _text("reorderer_version"),
        sa.Column("parameters", sa.Text(), nullable=False, server_default="{}"),
        _json("permutation"),
        _key("orderings", "representation_id", "reorderer_name", "reorderer_version", "parameters"),
        _link("orderings", "representation_id", "representations.id"),
    )
