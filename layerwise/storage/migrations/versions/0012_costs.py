"""What each attempt at a run was predicted to cost, and what it did cost; of what is there nothing is known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_TABLE = "attempts"


def upgrade() -> None:
    """Add the column."""
    op.add_column(_TABLE, sa.Column("costs", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Drop it again: time that a run took is still among its timings."""
    op.drop_column(_TABLE, "costs")
