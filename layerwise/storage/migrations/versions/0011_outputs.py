"""Whole outputs, and variants: runs of a network without some of its layers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; runs that are there have no outputs, and none of them counts as a variant."""
    op.create_table(
        "outputs",
        sa.Column("run_id", sa.String(16), nullable=False),
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("scale", sa.String(32), nullable=False),
        sa.Column("form", sa.String(16), nullable=False),
        sa.Column("n_stimuli", sa.Integer(), nullable=False),
        sa.Column("n_classes", sa.Integer(), nullable=False),
        sa.Column("n_tiles", sa.Integer(), nullable=False),
        sa.Column("checksum", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("run_id", name="pk_outputs"),
        _of_run("outputs"),
    )
    op.create_table(
        "output_tiles",
        sa.Column("run_id", sa.String(16), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("n_values", sa.Integer(), nullable=False),
        sa.Column("checksum", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "position", name="pk_output_tiles"),
        sa.ForeignKeyConstraint(["run_id"], ["outputs.run_id"], name="fk_output_tiles_run_id", ondelete="CASCADE"),
    )
    op.create_table(
        "variants",
        sa.Column("run_id", sa.String(16), nullable=False),
        sa.Column("baseline", sa.String(128), nullable=False),
        sa.Column("layers", sa.JSON(), nullable=False),
        sa.Column("substitute", sa.String(16), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", name="pk_variants"),
        _of_run("variants"),
    )


def downgrade() -> None:
    """Drop them again: what is kept beside runs is gone, the runs themselves stay."""
    for name in ("variants", "output_tiles", "outputs"):
        op.drop_table(name)


def _of_run(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=f"fk_{table}_run_id", ondelete="CASCADE")
