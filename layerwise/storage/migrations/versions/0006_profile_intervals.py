"""Intervals of a profile's numbers, kept with the profile they belong to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TABLE = "profile_intervals"
_VIEW = "profile_interval_list"
_KEY = ("profile_id", "number", "position", "method", "n_resamples", "seed", "level")
_QUERY = """
        SELECT r.id AS run_id, substr(r.id, 1, 6) AS run, m.name AS model,
               p.comparator_name AS comparator, p.comparator_version AS version, p.parameters, p.transform,
               p.n_layers, i.number, l.position, l.layer, i.method, i.n_resamples, i.seed, i.level,
               i.low, i.high, i.reason
          FROM profile_intervals i JOIN profiles p ON p.id = i.profile_id
          LEFT JOIN profile_layers l ON l.profile_id = i.profile_id AND l.position = i.position
          JOIN runs r ON r.id = p.run_id JOIN models m ON m.id = r.model_id"""


def upgrade() -> None:
    """Make the table, and its view."""
    op.create_table(
        _TABLE,
        sa.Column("profile_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("n_resamples", sa.Integer(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.Float(53), nullable=False),
        sa.Column("low", sa.Float(53), nullable=True),
        sa.Column("high", sa.Float(53), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(*_KEY, name=f"pk_{_TABLE}"),
        sa.ForeignKeyConstraint(["profile_id"], ["profiles.id"], name=f"fk_{_TABLE}_profile_id", ondelete="CASCADE"),
    )
    op.execute(f"CREATE VIEW {_VIEW} AS {_QUERY}")


def downgrade() -> None:
    """Drop them again."""
    op.execute(f"DROP VIEW {_VIEW}")
    op.drop_table(_TABLE)
