"""Representations about the mean stimulus, in float32 or float64, with how well they are known.

Those that are there keep their form, correlations: `form` says which.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_TABLE = "representations"


def upgrade() -> None:
    """Add the columns; what is there holds correlations of whose error nothing is known but what they are."""
    op.add_column(_TABLE, sa.Column("form", sa.Text(), nullable=False, server_default="correlation"))
    op.add_column(_TABLE, sa.Column("deviation", sa.LargeBinary(), nullable=True))
    op.add_column(_TABLE, sa.Column("resolution", sa.Text(), nullable=True))


def downgrade() -> None:
    """Drop them again.

    Raises:
        CommandError: If there are some in the new form: older versions cannot read them, and to drop them would lose
            work.
    """
    newer = sa.text(
        f"SELECT DISTINCT l.run_id FROM {_TABLE} p JOIN layers l ON l.id = p.layer_id "
        "WHERE p.form <> 'correlation' ORDER BY l.run_id"
    )
    found = list(op.get_bind().execute(newer).scalars())
    if found:
        named = f"run {found[0]}" if len(found) == 1 else f"{len(found)} runs ({', '.join(found[:3])}...)"
        raise CommandError(
            f"the layers of {named} are stored in a form that schema {down_revision} cannot hold; "
            "delete what must not be kept (`layerwise delete RUN`), or go on with this version"
        )
    for name in ("form", "deviation", "resolution"):
        op.drop_column(_TABLE, name)
