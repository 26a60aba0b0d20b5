"""Profiles say which layer they take for the end: those that are there took the output, where it was among theirs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0014"
branch_labels = None
depends_on = None

_VIEWS = {
    "profile_list": """
        SELECT r.id AS run_id, substr(r.id, 1, 6) AS run, m.name AS model, r.checkpoint, r.step, r.lineage,
               p.comparator_name AS comparator, p.comparator_version AS version, p.comparator_revision AS revision,
               p.parameters, p.transform, p.definition, p.kind,{added} p.n_layers, p.total, p.smoothness,
               p.effective_steps, p.crossing, p.crossing_after, p.crossing_before, p.n_crossings, p.reason
          FROM profiles p JOIN runs r ON r.id = p.run_id JOIN models m ON m.id = r.model_id""",
    "layer_profiles": """
        SELECT r.id AS run_id, substr(r.id, 1, 6) AS run, m.name AS model,
               p.comparator_name AS comparator, p.comparator_version AS version, p.comparator_revision AS revision,
               p.parameters, p.transform, p.n_layers,{added} l.position, l.layer, l.depth, l.to_input, l.to_output,
               l.step, l.share
          FROM profile_layers l JOIN profiles p ON p.id = l.profile_id JOIN runs r ON r.id = p.run_id
          JOIN models m ON m.id = r.model_id""",
    "profile_interval_list": """
        SELECT r.id AS run_id, substr(r.id, 1, 6) AS run, m.name AS model,
               p.comparator_name AS comparator, p.comparator_version AS version, p.comparator_revision AS revision,
               p.parameters, p.transform, p.n_layers,{added} i.number, l.position, l.layer, i.method, i.n_resamples,
               i.seed, i.level, i.low, i.high, i.reason
          FROM profile_intervals i JOIN profiles p ON p.id = i.profile_id
          LEFT JOIN profile_layers l ON l.profile_id = i.profile_id AND l.position = i.position
          JOIN runs r ON r.id = p.run_id JOIN models m ON m.id = r.model_id""",
}
_KEY = (
    "run_id",
    "comparator_name",
    "comparator_revision",
    "parameters",
    "transform",
    "selection",
    "definition",
)


def upgrade() -> None:
    """Add the column, to the key as well, and show it."""
    _drop_views()
    op.add_column("profiles", sa.Column("end_point", sa.Text(), nullable=False, server_default=""))
    op.execute(
        """
        UPDATE profiles SET end_point = COALESCE((
            SELECT l.layer FROM profile_layers l JOIN layers o ON o.name = l.layer AND o.run_id = profiles.run_id
             WHERE l.profile_id = profiles.id AND o.role = 'output'), '')"""
    )
    with op.batch_alter_table("profiles") as batch:
        batch.alter_column("end_point", server_default=None)
        batch.drop_constraint("uq_profiles", type_="unique")
        batch.create_unique_constraint("uq_profiles", [*_KEY, "end_point"])
    _create_views(" p.end_point,")


def downgrade() -> None:
    """Drop it again; profiles that ended elsewhere than at the output could not be told from others, so they go."""
    _drop_views()
    output = "SELECT name FROM layers o WHERE o.run_id = profiles.run_id AND o.role = 'output'"
    op.execute(f"DELETE FROM profiles WHERE end_point <> '' AND end_point NOT IN ({output})")
    for table in ("profile_layers", "profile_intervals"):
        op.execute(f"DELETE FROM {table} WHERE profile_id NOT IN (SELECT id FROM profiles)")
    with op.batch_alter_table("profiles") as batch:
        batch.drop_constraint("uq_profiles", type_="unique")
        batch.create_unique_constraint("uq_profiles", list(_KEY))
    op.drop_column("profiles", "end_point")
    _create_views("")


def _drop_views() -> None:
    for name in _VIEWS:
        op.execute(f"DROP VIEW {name}")


def _create_views(added: str) -> None:
    for name, body in _VIEWS.items():
        op.execute(f"CREATE VIEW {name} AS {body.format(added=added)}")
