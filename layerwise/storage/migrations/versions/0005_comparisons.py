"""Comparisons without `low` and `high`, which nothing ever filled: intervals have a table of their own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_VIEW = "layer_comparisons"
_QUERY = """
        SELECT c.comparator_name AS comparator, c.comparator_version AS version, c.parameters,
               l1.run_id AS first_run_id, l1.position AS first_position, l1.name AS first_layer,
               p1.transform AS first_transform,
               l2.run_id AS second_run_id, l2.position AS second_position, l2.name AS second_layer,
               p2.transform AS second_transform, c.value, c.reason{more}
          FROM comparisons c
          JOIN representations p1 ON p1.id = c.first_id JOIN layers l1 ON l1.id = p1.layer_id
          JOIN representations p2 ON p2.id = c.second_id JOIN layers l2 ON l2.id = p2.layer_id"""
_COLUMNS = ("low", "high")


def upgrade() -> None:
    """Drop both columns, from the view and from the table."""
    op.execute(f"DROP VIEW {_VIEW}")
    for name in _COLUMNS:
        op.drop_column("comparisons", name)
    op.execute(f"CREATE VIEW {_VIEW} AS {_QUERY.format(more='')}")


def downgrade() -> None:
    """Put them back, empty as they were."""
    op.execute(f"DROP VIEW {_VIEW}")
    for name in _COLUMNS:
        op.add_column("comparisons", sa.Column(name, sa.Float(53), nullable=True))
    op.execute(f"CREATE VIEW {_VIEW} AS {_QUERY.format(more=', c.low, c.high')}")
