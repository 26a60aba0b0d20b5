"""Inference: intervals and permutation tests of comparisons, kept with all that decides them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ENDS = """
          FROM {table} t
          JOIN representations x ON x.id = t.first_id JOIN layers a ON a.id = x.layer_id
          JOIN representations y ON y.id = t.second_id JOIN layers b ON b.id = y.layer_id"""
_NAMES = """
        SELECT t.comparator_name AS comparator, t.comparator_version AS version, t.parameters,
               a.run_id AS first_run_id, a.name AS first_layer, x.transform AS first_transform,
               b.run_id AS second_run_id, b.name AS second_layer, y.transform AS second_transform,"""
VIEWS = {
    "layer_intervals": f"""{_NAMES}
               t.method, t.n_resamples, t.seed, t.level, t.low, t.high, t.reason
        {_ENDS.format(table="intervals")}""",
    "layer_tests": f"""{_NAMES}
               t.alternative, t.n_permutations, t.seed, t.p, t.reason
        {_ENDS.format(table="permutation_tests")}""",
}
PLANS: dict[str, tuple[str, ...]] = {
    "intervals": ("method", "n_resamples", "seed", "level"),
    "permutation_tests": ("alternative", "n_permutations", "seed"),
}


def upgrade() -> None:
    """Make two tables, and two views of them."""
    op.create_table(
        "intervals",
        *_compared("intervals"),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("n_resamples", sa.Integer(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.Float(53), nullable=False),
        sa.Column("low", sa.Float(53), nullable=True),
        sa.Column("high", sa.Float(53), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
    )
    op.create_table(
        "permutation_tests",
        *_compared("permutation_tests"),
        sa.Column("alternative", sa.Text(), nullable=False),
        sa.Column("n_permutations", sa.Integer(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("p", sa.Float(53), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
    )
    for table in PLANS:
        for end in ("first_id", "second_id"):
            op.create_index(f"ix_{table}_{end}", table, [end])
    for name, query in VIEWS.items():
        op.execute(f"CREATE VIEW {name} AS {query}")


def downgrade() -> None:
    """Drop them again."""
    for name in reversed(VIEWS):
        op.execute(f"DROP VIEW {name}")
    for table in reversed(PLANS):
        op.drop_table(table)


def _compared(table: str) -> list[Any]:
    """What was compared, and the keys of the table; the columns of its plan follow."""
    ends = ("first_id", "second_id")
    key = ("comparator_name", "comparator_version", "parameters", *ends, *PLANS[table])
    return [
        sa.Column("comparator_name", sa.Text(), nullable=False),
        sa.Column("comparator_version", sa.Text(), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False, server_default="{}"),
        *(sa.Column(end, sa.Integer(), nullable=False) for end in ends),
        sa.PrimaryKeyConstraint(*key, name=f"pk_{table}"),
        *(
            sa.ForeignKeyConstraint([end], ["representations.id"], name=f"fk_{table}_{end}", ondelete="CASCADE")
            for end in ends
        ),
    ]
