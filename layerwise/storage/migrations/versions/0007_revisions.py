"""Results under the revision of what computed them, not its distribution's version; origins and attempts of runs.

What the newest version stored has computed counts as revision 1, and goes on being answered; what older versions
computed has revision 0 and below: it is kept, and not answered. Versions stay beside the revisions. A run's key is a
digest that cannot be made anew, so the same command computes another run; all else is answered from what is there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op
from packaging.version import InvalidVersion, Version

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ENDS = """
          FROM {table} t
          JOIN representations x ON x.id = t.first_id JOIN layers a ON a.id = x.layer_id
          JOIN representations y ON y.id = t.second_id JOIN layers b ON b.id = y.layer_id"""
_NAMES = """
        SELECT t.comparator_name AS comparator, t.comparator_version AS version,{added} t.parameters,
               a.run_id AS first_run_id, a.name AS first_layer, x.transform AS first_transform,
               b.run_id AS second_run_id, b.name AS second_layer, y.transform AS second_transform,"""
VIEWS = {
    "run_list": """
        SELECT r.id AS run_id, substr(r.id, 1, 6) AS run, m.name AS model, s.name AS stimuli, s.n_stimuli,
               r.status,{added} r.checkpoint, r.step, r.lineage, r.top1, r.top5,
               (SELECT count(DISTINCT p.layer_id) FROM representations p JOIN layers l ON l.id = p.layer_id
                 WHERE l.run_id = r.id) AS n_layers,
               r.started_at, r.finished_at, r.command, r.error
          FROM runs r JOIN models m ON m.id = r.model_id JOIN stimulus_sets s ON s.id = r.stimulus_set_id""",
    "layer_list": """
        SELECT r.id AS run_id, substr(r.id, 1, 6) AS run, m.name AS model, l.position, l.name AS layer,
               p.transform, l.op, l.role, l.is_main, l.block, l.branch, l.shape, l.n_features, p.n_stimuli{added}
          FROM layers l JOIN representations p ON p.layer_id = l.id JOIN runs r ON r.id = l.run_id
          JOIN models m ON m.id = r.model_id""",
    "layer_statistics": """
        SELECT r.id AS run_id, substr(r.id, 1, 6) AS run, m.name AS model, l.position, l.name AS layer,
               t.transform, t.name AS statistic, t.value, t.reason,
               t.provider_name AS provider, t.provider_version AS version{added}
          FROM statistics t JOIN layers l ON l.id = t.layer_id JOIN runs r ON r.id = l.run_id
          JOIN models m ON m.id = r.model_id""",
    "layer_comparisons": """
        SELECT c.comparator_name AS comparator, c.comparator_version AS version,{added} c.parameters,
               l1.run_id AS first_run_id, l1.position AS first_position, l1.name AS first_layer,
               p1.transform AS first_transform,
               l2.run_id AS second_run_id, l2.position AS second_position, l2.name AS second_layer,
               p2.transform AS second_transform, c.value, c.reason
          FROM comparisons c
          JOIN representations p1 ON p1.id = c.first_id JOIN layers l1 ON l1.id = p1.layer_id
          JOIN representations p2 ON p2.id = c.second_id JOIN layers l2 ON l2.id = p2.layer_id""",
    "layer_orderings": """
        SELECT l.run_id, substr(l.run_id, 1, 6) AS run, l.name AS layer, p.transform,
               o.reorderer_name AS reorderer, o.reorderer_version AS version,{added} o.parameters, o.permutation
          FROM orderings o JOIN representations p ON p.id = o.representation_id
          JOIN layers l ON l.id = p.layer_id""",
    "weight_tensor_statistics": """
        SELECT r.id AS run_id, substr(r.id, 1, 6) AS run, m.name AS model, w.position, w.name AS tensor,
               w.layer, w.shape, w.n_values, t.name AS statistic, t.value, t.reason,
               t.provider_name AS provider, t.provider_version AS version{added}
          FROM weight_statistics t JOIN weights w ON w.id = t.weight_id JOIN models m ON m.id = w.model_id
          JOIN runs r ON r.model_id = m.id
          JOIN run_weight_statistics u ON u.run_id = r.id AND u.name = t.name
           AND u.provider_name = t.provider_name AND u.{key} = t.{key}""",
    "profile_list": """
        SELECT r.id AS run_id, substr(r.id, 1, 6) AS run, m.name AS model, r.checkpoint, r.step, r.lineage,
               p.comparator_name AS comparator, p.comparator_version AS version,{added} p.parameters, p.transform,
               p.definition, p.kind, p.n_layers, p.total, p.smoothness, p.effective_steps,
               p.crossing, p.crossing_after, p.crossing_before, p.n_crossings, p.reason
          FROM profiles p JOIN runs r ON r.id = p.run_id JOIN models m ON m.id = r.model_id""",
    "layer_profiles": """
        SELECT r.id AS run_id, substr(r.id, 1, 6) AS run, m.name AS model,
               p.comparator_name AS comparator, p.comparator_version AS version,{added} p.parameters, p.transform,
               p.n_layers, l.position, l.layer, l.depth, l.to_input, l.to_output, l.step, l.share
          FROM profile_layers l JOIN profiles p ON p.id = l.profile_id JOIN runs r ON r.id = p.run_id
          JOIN models m ON m.id = r.model_id""",
    "layer_intervals": f"""{_NAMES}
               t.method, t.n_resamples, t.seed, t.level, t.low, t.high, t.reason
        {_ENDS.format(table="intervals")}""",
    "layer_tests": f"""{_NAMES}
               t.alternative, t.n_permutations, t.seed, t.p, t.reason
        {_ENDS.format(table="permutation_tests")}""",
    "profile_interval_list": """
        SELECT r.id AS run_id, substr(r.id, 1, 6) AS run, m.name AS model,
               p.comparator_name AS comparator, p.comparator_version AS version,{added} p.parameters, p.transform,
               p.n_layers, i.number, l.position, l.layer, i.method, i.n_resamples, i.seed, i.level,
               i.low, i.high, i.reason
          FROM profile_intervals i JOIN profiles p ON p.id = i.profile_id
          LEFT JOIN profile_layers l ON l.profile_id = i.profile_id AND l.position = i.position
          JOIN runs r ON r.id = p.run_id JOIN models m ON m.id = r.model_id""",
}
ADDED = {
    "run_list": " r.origin,",
    "layer_list": ", p.attempt",
    "layer_statistics": ", t.provider_revision AS revision",
    "layer_comparisons": " c.comparator_revision AS revision,",
    "layer_orderings": " o.reorderer_revision AS revision,",
    "weight_tensor_statistics": ", t.provider_revision AS revision",
    "layer_intervals": " t.comparator_revision AS revision,",
    "layer_tests": " t.comparator_revision AS revision,",
} | dict.fromkeys(("profile_list", "layer_profiles", "profile_interval_list"), " p.comparator_revision AS revision,")

_PAIR = ("comparator_name", "{who}", "parameters", "first_id", "second_id")
_STATISTIC = ("name", "provider_name", "{who}")
KEYS = {
    "comparisons": _PAIR,
    "intervals": (*_PAIR, "method", "n_resamples", "seed", "level"),
    "permutation_tests": (*_PAIR, "alternative", "n_permutations", "seed"),
    "profiles": ("run_id", "comparator_name", "{who}", "parameters", "transform", "selection", "definition"),
    "orderings": ("representation_id", "reorderer_name", "{who}", "parameters"),
    "statistics": ("layer_id", "transform", *_STATISTIC),
    "weight_statistics": ("weight_id", *_STATISTIC),
    "run_weight_statistics": ("run_id", *_STATISTIC),
}
"""By table, the columns of its key (of `profiles`, of what is unique); `{who}` was a version and is a revision."""

GROUPS = (
    ("comparator", "parameters", ("comparisons", "intervals", "permutation_tests", "profiles")),
    ("reorderer", "parameters", ("orderings",)),
    ("provider", "name", ("statistics", "weight_statistics", "run_weight_statistics")),
    ("loader", None, ("runs",)),
    ("engine", None, ("runs",)),
)
"""Who computed, what else tells one from the other, and the tables; versions are put in order over all of them."""

Row = dict[str, Any]


def upgrade() -> None:
    """Give every result a revision, and every run an origin and its attempts."""
    _drop_views()
    for kind, _, tables in GROUPS:
        for table in tables:
            op.add_column(table, sa.Column(f"{kind}_revision", sa.Integer(), nullable=False, server_default="1"))
    _name_metrics_by_revision()
    for kind, setting, tables in GROUPS:
        _number_versions(kind, setting, tables)
    _change_keys("revision")
    op.drop_column("run_weight_statistics", "provider_version")
    op.add_column("runs", sa.Column("origin", sa.String(16), nullable=False, server_default="computed"))
    op.execute("UPDATE runs SET origin = 'imported' WHERE loader_name = 'layerwise:import'")
    _create_attempts()
    _create_views(ADDED, "provider_revision")


def downgrade() -> None:
    """Go back to versions; of two revisions under the same version only the later can be kept."""
    _drop_views()
    op.drop_table("attempts")
    op.drop_column("representations", "attempt")
    op.drop_column("runs", "origin")
    _keep_last_revisions()
    op.add_column(
        "run_weight_statistics", sa.Column("provider_version", sa.Text(), nullable=False, server_default="")
    )
    _find_versions_of_weights()
    _change_keys("version")
    with op.batch_alter_table("run_weight_statistics") as batch:
        batch.alter_column("provider_version", server_default=None)
    for kind, _, tables in GROUPS:
        for table in tables:
            op.drop_column(table, f"{kind}_revision")
    _create_views({}, "provider_version")


def _drop_views() -> None:
    for name in reversed(VIEWS):
        op.execute(f"DROP VIEW {name}")


def _create_views(added: Mapping[str, str], key: str) -> None:
    for name, query in VIEWS.items():
        op.execute(f"CREATE VIEW {name} AS {query.format(added=added.get(name, ''), key=key)}")


def _change_keys(who: str) -> None:
    """Put revisions in the place of versions in every key, or the other way round."""
    for kind, _, tables in GROUPS:
        for table in tables:
            if table not in KEYS:
                continue
            columns = [name.format(who=f"{kind}_{who}") for name in KEYS[table]]
            with op.batch_alter_table(table) as batch:
                if table == "profiles":
                    batch.drop_constraint("uq_profiles", type_="unique")
                    batch.create_unique_constraint("uq_profiles", columns)
                else:
                    batch.drop_constraint(f"pk_{table}", type_="primary")
                    batch.create_primary_key(f"pk_{table}", columns)


def _create_attempts() -> None:
    """The first attempt of every run is known; of later ones, when the last began and who it was."""
    op.create_table(
        "attempts",
        sa.Column("run_id", sa.String(16), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        *(sa.Column(name, sa.JSON(), nullable=False) for name in ("versions", "plugins", "host")),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("pid", sa.BigInteger(), nullable=True),
        sa.Column("hostname", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", "number", name="pk_attempts"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_attempts_run_id", ondelete="CASCADE"),
    )
    op.add_column("representations", sa.Column("attempt", sa.Integer(), nullable=True))
    last = "status, error, pid, hostname, CASE status WHEN 'running' THEN NULL ELSE heartbeat_at END"
    columns = "run_id, number, command, versions, plugins, host, started_at, status, error, pid, hostname, ended_at"
    op.execute(
        f"INSERT INTO attempts ({columns}) "
        f"SELECT id, 1, command, versions, plugins, host, started_at, {last} FROM runs WHERE n_attempts = 1"
    )
    op.execute(
        f"INSERT INTO attempts ({columns}) SELECT id, 1, command, versions, plugins, host, started_at, "
        "'interrupted', NULL, NULL, NULL, NULL FROM runs WHERE n_attempts > 1"
    )
    op.execute(
        f"INSERT INTO attempts ({columns}) "
        f"SELECT id, n_attempts, '', '{{}}', '[]', '{{}}', attempt_started_at, {last} FROM runs WHERE n_attempts > 1"
    )
    op.execute(
        "UPDATE representations SET attempt = 1 WHERE layer_id IN (SELECT layers.id FROM layers "
        "JOIN runs ON runs.id = layers.run_id WHERE runs.n_attempts = 1)"
    )


def _name_metrics_by_revision() -> None:
    """A metric that was asked for is named in the settings, with its revision: `mine:l1 r1` instead of `mine:l1 0.3`.

    Where it comes from another distribution, its version goes beside the comparator's: `0.1.0, mine 0.3`.
    """
    for kind, setting, tables in GROUPS:
        if setting != "parameters":
            continue
        found = [(table, row, _metric(row["parameters"])) for table in tables for row in _read(table, kind, setting)]
        versions: dict[str, set[str]] = {}
        for _, _, (name, version) in found:
            versions.setdefault(name, set()).add(version)
        for table, row, (name, version) in found:
            if not name:
                continue
            changed = {"parameters": _with_metric(row["parameters"], f"{name} r{_rank(versions[name])[version]}")}
            owner = name.partition(":")[0]
            if owner != row[f"{kind}_name"].partition(":")[0]:
                changed[f"{kind}_version"] = f"{row[f'{kind}_version']}, {owner} {version}"
            _change(table, row, changed)


def _number_versions(kind: str, setting: str | None, tables: tuple[str, ...]) -> None:
    """Revision 1 for the newest version of each offer (with its settings), then 0, -1 and so on."""
    version = f"{kind}_version"
    found = [(table, row, {**row, version: ""}) for table in tables for row in _read(table, kind, setting)]
    versions: dict[str, set[str]] = {}
    for _, row, offer in found:
        versions.setdefault(str(offer), set()).add(row[version])
    for table, row, offer in found:
        rank = _rank(versions[str(offer)])[row[version]]
        if rank != 1:
            _change(table, row, {f"{kind}_revision": rank})


def _keep_last_revisions() -> None:
    """Name metrics by their version again; drop what would then have the same key as a later revision."""
    for kind, setting, tables in GROUPS:
        if setting is None:
            continue
        for table in tables:
            if table == "run_weight_statistics":
                continue
            columns = (f"{kind}_revision",)
            rows = sorted(_read(table, kind, setting, *columns), key=lambda row: _revisions(row, kind))
            last = {tuple(_by_version(row, kind).items()): row for row in rows}
            for row in rows:
                if row not in last.values():
                    _delete(table, row)
            for row in last.values():
                _change(table, row, _by_version(row, kind))
    for table in ("profile_layers", "profile_intervals"):
        op.execute(f"DELETE FROM {table} WHERE profile_id NOT IN (SELECT id FROM profiles)")


def _find_versions_of_weights() -> None:
    """The version that computed what a run's link names, from the numbers themselves."""
    numbers = (
        "FROM weight_statistics t JOIN weights w ON w.id = t.weight_id JOIN runs r ON r.model_id = w.model_id "
        "WHERE r.id = run_weight_statistics.run_id AND t.name = run_weight_statistics.name "
        "AND t.provider_name = run_weight_statistics.provider_name "
        "AND t.provider_revision = run_weight_statistics.provider_revision"
    )
    op.execute(f"DELETE FROM run_weight_statistics WHERE NOT EXISTS (SELECT 1 {numbers})")
    op.execute(f"UPDATE run_weight_statistics SET provider_version = (SELECT max(t.provider_version) {numbers})")


def _by_version(row: Row, kind: str) -> Row:
    """A provider's columns as they were before: a metric with its version, and the comparator's version alone."""
    version, comma, other = str(row[f"{kind}_version"]).partition(", ")
    changed = {name: row[name] for name in row if name != f"{kind}_revision"} | {f"{kind}_version": version}
    metric = _metric(row.get("parameters"))[0]
    if metric:
        found = other.rpartition(" ")[2] if comma else version
        changed["parameters"] = _with_metric(row["parameters"], f"{metric} {found}")
    return changed


def _revisions(row: Row, kind: str) -> tuple[int, int]:
    metric = _metric(row.get("parameters"))[1].removeprefix("r")
    return row[f"{kind}_revision"], int(metric or 0)


def _metric(parameters: str | None) -> tuple[str, str]:
    """Name of the metric in settings, and what is said behind it; nothing where none was asked for."""
    said = json.loads(parameters or "{}").get("metric", "")
    name, _, behind = said.rpartition(" ") if isinstance(said, str) else ("", "", "")
    return (name, behind) if ":" in name else ("", "")


def _with_metric(parameters: str, metric: str) -> str:
    settings = json.loads(parameters) | {"metric": metric}
    return json.dumps(settings, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _rank(versions: set[str]) -> dict[str, int]:
    """Versions to 1 for the newest, 0 for the one before, and so on down."""
    newest_first = sorted(versions, key=_order, reverse=True)
    return {version: 1 - place for place, version in enumerate(newest_first)}


def _order(text: str) -> tuple[bool, Version, str]:
    try:
        return True, Version(text.partition(", ")[0]), text
    except InvalidVersion:
        return False, Version("0"), text


def _read(table: str, kind: str, setting: str | None, *more: str) -> Iterator[Row]:
    """The different providers in a table: name, version, and what else tells one from the other."""
    names = [f"{kind}_name", f"{kind}_version", *([setting] if setting else []), *more]
    for row in op.get_bind().execute(sa.text(f"SELECT DISTINCT {', '.join(names)} FROM {table}")).mappings().all():
        yield dict(row)


def _change(table: str, row: Row, changed: Row) -> None:
    settings = ", ".join(f"{name} = :new_{name}" for name in changed)
    values = {f"new_{name}": value for name, value in changed.items()}
    op.get_bind().execute(sa.text(f"UPDATE {table} SET {settings} WHERE {_alike(row)}"), values | row)


def _delete(table: str, row: Row) -> None:
    op.get_bind().execute(sa.text(f"DELETE FROM {table} WHERE {_alike(row)}"), row)


def _alike(row: Row) -> str:
    return " AND ".join(f"{name} = :{name}" for name in row)
