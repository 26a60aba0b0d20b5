"""Requests and the runs that answered them, so that a run asked for again is found without loading anything."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_TABLE = "requests"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        _TABLE,
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("run_id", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=f"pk_{_TABLE}"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=f"fk_{_TABLE}_run_id", ondelete="CASCADE"),
    )
    op.create_index(f"ix_{_TABLE}_run_id", _TABLE, ["run_id"])


def downgrade() -> None:
    """Drop it again."""
    op.drop_table(_TABLE)
