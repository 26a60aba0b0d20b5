"""With how many stimuli pairs are kept, of runs and layers that do not keep all of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_TABLES = ("runs", "representations")


def upgrade() -> None:
    """Add the columns."""
    for table in _TABLES:
        op.add_column(table, sa.Column("n_landmarks", sa.Integer(), nullable=True))


def downgrade() -> None:
    """Drop them again, with the runs that earlier versions could not read."""
    op.execute("DELETE FROM tiles WHERE representation_id IN (SELECT id FROM representations WHERE n_landmarks > 0)")
    op.execute("DELETE FROM representations WHERE n_landmarks > 0")
    for table in _TABLES:
        op.drop_column(table, "n_landmarks")
