"""Views for people: the names behind the references spelled out, so that a question is one SELECT."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

VIEWS = {
    "run_list": """
        SELECT r.id AS run_id, substr(r.id, 1, 6) AS run, m.name AS model, s.name AS stimuli, s.n_stimuli,
               r.status, r.checkpoint, r.step, r.lineage, r.top1, r.top5,
               (SELECT count(DISTINCT p.layer_id) FROM representations p JOIN layers l ON l.id = p.layer_id
                 WHERE l.run_id = r.id) AS n_layers,
               r.started_at, r.finished_at, r.command, r.error
          FROM runs r JOIN models m ON m.id = r.model_id JOIN stimulus_sets s ON s.id = r.stimulus_set_id""",
    "layer_list": """
        SELECT r.id AS run_id, substr(r.id, 1, 6) AS run, m.name AS model, l.position, l.name AS layer,
               p.transform, l.op, l.role, l.is_main, l.block, l.branch, l.shape, l.n_features, p.n_stimuli
          FROM layers l JOIN representations p ON p.layer_id = l.id JOIN runs r ON r.id = l.run_id
          JOIN models m ON m.id = r.model_id""",
    "layer_statistics": """
        SELECT r.id AS run_id, substr(r.id, 1, 6) AS run, m.name AS model, l.position, l.name AS layer,
               t.transform, t.name AS statistic, t.value, t.reason,
               t.provider_name AS provider, t.provider_version AS version
          FROM statistics t JOIN layers l ON l.id = t.layer_id JOIN runs r ON r.id = l.run_id
          JOIN models m ON m.id = r.model_id""",
    "layer_comparisons": """
        SELECT c.comparator_name AS comparator, c.comparator_version AS version, c.parameters,
               l1.run_id AS first_run_id, l1.position AS first_position, l1.name AS first_layer,
               p1.transform AS first_transform,
               l2.run_id AS second_run_id, l2.position AS second_position, l2.name AS second_layer,
               p2.transform AS second_transform, c.value, c.reason, c.low, c.high
          FROM comparisons c
          JOIN representations p1 ON p1.id = c.first_id JOIN layers l1 ON l1.id = p1.layer_id
          JOIN representations p2 ON p2.id = c.second_id JOIN layers l2 ON l2.id = p2.layer_id""",
    "layer_orderings": """
        SELECT l.run_id, substr(l.run_id, 1, 6) AS run, l.name AS layer, p.transform,
               o.reorderer_name AS reorderer, o.reorderer_version AS version, o.parameters, o.permutation
          FROM orderings o JOIN representations p ON p.id = o.representation_id
          JOIN layers l ON l.id = p.layer_id""",
    "stimulus_predictions": """
        SELECT r.id AS run_id, substr(r.id, 1, 6) AS run, m.name AS model, q.position, s.name AS stimulus,
               s.label, q.rank, q.class_index, q.class_name, q.probability
          FROM predictions q JOIN runs r ON r.id = q.run_id JOIN models m ON m.id = r.model_id
          JOIN stimuli s ON s.stimulus_set_id = r.stimulus_set_id AND s.position = q.position""",
    "weight_tensor_statistics": """
        SELECT r.id AS run_id, substr(r.id, 1, 6) AS run, m.name AS model, w.position, w.name AS tensor,
               w.layer, w.shape, w.n_values, t.name AS statistic, t.value, t.reason,
               t.provider_name AS provider, t.provider_version AS version
          FROM weight_statistics t JOIN weights w ON w.id = t.weight_id JOIN models m ON m.id = w.model_id
          JOIN runs r ON r.model_id = m.id
          JOIN run_weight_statistics u ON u.run_id = r.id AND u.name = t.name
           AND u.provider_name = t.provider_name AND u.provider_version = t.provider_version""",
}


def upgrade() -> None:
    """Make the views."""
    for name, query in VIEWS.items():
        op.execute(f"CREATE VIEW {name} AS {query}")


def downgrade() -> None:
    """Drop the views."""
    for name in reversed(VIEWS):
        op.execute(f"DROP VIEW {name}")
