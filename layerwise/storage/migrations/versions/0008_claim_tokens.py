"""What a run knows of the claim to it: the secret of whoever holds it, and what tells its process from others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; a run that is under way has none of it, and is held by nobody."""
    op.add_column("runs", sa.Column("pid_space", sa.Text(), nullable=True))
    op.add_column("runs", sa.Column("process_started", sa.Float(53), nullable=True))
    op.add_column("runs", sa.Column("claim_token", sa.String(64), nullable=True))


def downgrade() -> None:
    """Drop them again."""
    for name in ("pid_space", "process_started", "claim_token"):
        op.drop_column("runs", name)
