"""Profiles: how the similarity of the inputs turns into that of the outputs, in numbers that are kept."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

VIEWS = {
    "profile_list": """
        SELECT r.id AS run_id, substr(r.id, 1, 6) AS run, m.name AS model, r.checkpoint, r.step, r.lineage,
               p.comparator_name AS comparator, p.comparator_version AS version, p.parameters, p.transform,
               p.definition, p.kind, p.n_layers, p.total, p.smoothness, p.effective_steps,
               p.crossing, p.crossing_after, p.crossing_before, p.n_crossings, p.reason
          FROM profiles p JOIN runs r ON r.id = p.run_id JOIN models m ON m.id = r.model_id""",
    "layer_profiles": """
        SELECT r.id AS run_id, substr(r.id, 1, 6) AS run, m.name AS model,
               p.comparator_name AS comparator, p.comparator_version AS version, p.parameters, p.transform,
               p.n_layers, l.position, l.layer, l.depth, l.to_input, l.to_output, l.step, l.share
          FROM profile_layers l JOIN profiles p ON p.id = l.profile_id JOIN runs r ON r.id = p.run_id
          JOIN models m ON m.id = r.model_id""",
}


def upgrade() -> None:
    """Make two tables, and two views of them."""
    op.create_table(
        "profiles",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.String(16), nullable=False),
        *(_text(name) for name in ("comparator_name", "comparator_version")),
        sa.Column("parameters", sa.Text(), nullable=False, server_default="{}"),
        _text("transform"),
        sa.Column("selection", sa.String(64), nullable=False),
        sa.Column("definition", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("n_layers", sa.Integer(), nullable=False),
        *(_real(name) for name in ("total", "smoothness", "effective_steps", "crossing")),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("crossing_after", "crossing_before")),
        sa.Column("crossings", sa.JSON(), nullable=False),
        sa.Column("n_crossings", sa.Integer(), nullable=False),
        _text("reason"),
        sa.PrimaryKeyConstraint("id", name="pk_profiles"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_profiles_run_id", ondelete="CASCADE"),
        sa.UniqueConstraint(
            *(
                "run_id",
                "comparator_name",
                "comparator_version",
                "parameters",
                "transform",
                "selection",
                "definition",
            ),
            name="uq_profiles",
        ),
    )
    op.create_table(
        "profile_layers",
        sa.Column("profile_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        _text("layer"),
        sa.Column("depth", sa.Float(53), nullable=False),
        *(_real(name) for name in ("to_input", "to_output", "step", "share")),
        sa.PrimaryKeyConstraint("profile_id", "position", name="pk_profile_layers"),
        sa.ForeignKeyConstraint(
            ["profile_id"], ["profiles.id"], name="fk_profile_layers_profile_id", ondelete="CASCADE"
        ),
    )
    for name, query in VIEWS.items():
        op.execute(f"CREATE VIEW {name} AS {query}")


def downgrade() -> None:
    """Drop them again."""
    for name in reversed(VIEWS):
        op.execute(f"DROP VIEW {name}")
    op.drop_table("profile_layers")
    op.drop_table("profiles")


def _text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=False)


def _real(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Float(53), nullable=True)
