"""Representations about the mean stimulus, in float32 or float64, with how well they are known.

Those that are there keep their form, correlations: `form` says which.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_TABLE = "representations"


def upgrade() -> None:
    """Add the columns; what is there holds correlations of whose error nothing is known but what they are."""
    op.add_column(_TABLE, sa.Column("form", sa.Text(), nullable=False, server_default="correlation"))
    op.add_column(_TABLE, sa.Column("deviation", sa.LargeBinary(), nullable=True))
    op.add_column(_TABLE, sa.Column("resolution", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Drop them again.

    Raises:
        RuntimeError: If there are some: older versions cannot read them, and to drop them would lose work.
    """
    newer = sa.text(f"SELECT count(*) FROM {_TABLE} WHERE form <> 'correlation'")
    n_newer = op.get_bind().execute(newer).scalar_one()
    if n_newer:
        raise RuntimeError(f"{n_newer} representations are in a form that older versions cannot read")
    for name in ("form", "deviation", "resolution"):
        op.drop_column(_TABLE, name)
