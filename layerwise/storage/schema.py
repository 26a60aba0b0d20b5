"""The tables of a history, as the code that reads and writes them sees them.

Tables come into being by the migrations only (`layerwise.storage.migrate`); a test holds these definitions
to what the migrations make, on every database. What is shared is stored once: a model and a stimulus set
belong to all runs that used them. Everything that belongs to a run goes with it by cascade.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Integer, LargeBinary, String, Text

REVISIONS = ("0001", "0002", "0003", "0004", "0005")
"""Every revision of the schema that this version knows, oldest first; the last is the present one."""

HEAD = REVISIONS[-1]
VERSION_TABLE = "layerwise_version"

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """A moment in UTC: stored without a zone, which every database does alike, and read back with it."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """To UTC, then without the zone."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """Give the zone back."""
        return None if value is None else value.replace(tzinfo=UTC)


def _reference(name: str, target: str, *, primary: bool = False, index: bool = False) -> Column[Any]:
    """A column for the row this one belongs to, and goes with when that is deleted."""
    kind = String(16) if target == "runs.id" else Integer()
    link = ForeignKey(target, ondelete="CASCADE")
    return Column(name, kind, link, primary_key=primary, nullable=False, index=index)


models = sa.Table(
    "models",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("fingerprint", String(128), nullable=False),
    Column("checksum", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("input_shape", sa.JSON, nullable=False),
    Column("preprocessing", Text, nullable=False),
    Column("resize", Text, nullable=False),
    Column("n_parameters", BigInteger, nullable=False),
    Column("class_names", sa.JSON, nullable=False),
    Column("class_ids", sa.JSON, nullable=False),
    Column("has_probabilities", Boolean, nullable=False),
    Column("versions", sa.JSON, nullable=False),
    sa.UniqueConstraint("fingerprint", "checksum"),
)

stimulus_sets = sa.Table(
    "stimulus_sets",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("fingerprint", String(128), nullable=False),
    Column("checksum", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("resize", Text, nullable=False),
    Column("n_stimuli", Integer, nullable=False),
    Column("skipped", sa.JSON, nullable=False),
    sa.UniqueConstraint("fingerprint", "checksum"),
)

stimuli = sa.Table(
    "stimuli",
    metadata,
    _reference("stimulus_set_id", "stimulus_sets.id", primary=True),
    Column("position", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("label", Text),
    Column("content_hash", String(128), nullable=False),
    Column("thumbnail", LargeBinary, nullable=False),
)

runs = sa.Table(
    "runs",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("key", String(128), nullable=False, index=True),
    Column("status", String(16), nullable=False),
    Column("model_id", Integer, ForeignKey("models.id"), nullable=False, index=True),
    Column("stimulus_set_id", Integer, ForeignKey("stimulus_sets.id"), nullable=False, index=True),
    Column("loader_name", Text, nullable=False),
    Column("loader_version", Text, nullable=False),
    Column("engine_name", Text, nullable=False),
    Column("engine_version", Text, nullable=False),
    Column("transforms", sa.JSON, nullable=False),
    Column("batch_size", Integer, nullable=False),
    Column("chunk_width", Integer, nullable=False),
    Column("command", Text, nullable=False),
    Column("checkpoint", Text),
    Column("step", BigInteger),
    Column("lineage", Text),
    Column("versions", sa.JSON, nullable=False),
    Column("plugins", sa.JSON, nullable=False),
    Column("host", sa.JSON, nullable=False),
    Column("timings", sa.JSON, nullable=False),
    Column("top1", Float(53)),
    Column("top5", Float(53)),
    Column("n_labelled", Integer),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("error", Text),
    Column("n_attempts", Integer, nullable=False),
    Column("attempt_started_at", UtcDateTime, nullable=False),
    Column("heartbeat_at", UtcDateTime, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("hostname", Text, nullable=False),
    sa.CheckConstraint("status IN ('running', 'finished', 'failed', 'interrupted')", name="status"),
)

tags = sa.Table(
    "tags",
    metadata,
    _reference("run_id", "runs.id", primary=True),
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

layers = sa.Table(
    "layers",
    metadata,
    Column("id", Integer, primary_key=True),
    _reference("run_id", "runs.id"),
    Column("name", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("node", Text, nullable=False),
    Column("op", Text, nullable=False),
    Column("shape", sa.JSON, nullable=False),
    Column("n_features", BigInteger, nullable=False),
    Column("role", String(16), nullable=False),
    Column("is_main", Boolean, nullable=False),
    Column("block", Text),
    Column("branch", Text),
    Column("parts", sa.JSON, nullable=False),
    sa.UniqueConstraint("run_id", "name"),
)

representations = sa.Table(
    "representations",
    metadata,
    Column("id", Integer, primary_key=True),
    _reference("layer_id", "layers.id"),
    Column("transform", Text, nullable=False),
    Column("n_stimuli", Integer, nullable=False),
    Column("n_features", BigInteger, nullable=False),
    Column("mean", LargeBinary, nullable=False),
    Column("norm", LargeBinary, nullable=False),
    Column("n_tiles", Integer, nullable=False),
    Column("checksum", String(64), nullable=False),
    sa.UniqueConstraint("layer_id", "transform"),
)

tiles = sa.Table(
    "tiles",
    metadata,
    _reference("representation_id", "representations.id", primary=True),
    Column("position", Integer, primary_key=True),
    Column("n_values", Integer, nullable=False),
    Column("checksum", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

statistics = sa.Table(
    "statistics",
    metadata,
    _reference("layer_id", "layers.id", primary=True),
    Column("transform", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("provider_name", Text, primary_key=True),
    Column("provider_version", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("value", Float(53)),
    Column("reason", Text, nullable=False),
    Column("vector", LargeBinary),
)

weights = sa.Table(
    "weights",
    metadata,
    Column("id", Integer, primary_key=True),
    _reference("model_id", "models.id"),
    Column("name", Text, nullable=False),
    Column("layer", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("shape", sa.JSON, nullable=False),
    Column("n_values", BigInteger, nullable=False),
    sa.UniqueConstraint("model_id", "name"),
)

weight_statistics = sa.Table(
    "weight_statistics",
    metadata,
    _reference("weight_id", "weights.id", primary=True),
    Column("name", Text, primary_key=True),
    Column("provider_name", Text, primary_key=True),
    Column("provider_version", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("value", Float(53)),
    Column("reason", Text, nullable=False),
    Column("vector", LargeBinary),
)

run_weight_statistics = sa.Table(
    "run_weight_statistics",
    metadata,
    _reference("run_id", "runs.id", primary=True),
    Column("name", Text, primary_key=True),
    Column("provider_name", Text, primary_key=True),
    Column("provider_version", Text, primary_key=True),
)

predictions = sa.Table(
    "predictions",
    metadata,
    _reference("run_id", "runs.id", primary=True),
    Column("position", Integer, primary_key=True),
    Column("rank", Integer, primary_key=True),
    Column("class_index", Integer, nullable=False),
    Column("class_name", Text),
    Column("probability", Float(53), nullable=False),
)

comparisons = sa.Table(
    "comparisons",
    metadata,
    Column("comparator_name", Text, primary_key=True),
    Column("comparator_version", Text, primary_key=True),
    Column("parameters", Text, primary_key=True, server_default="{}"),
    _reference("first_id", "representations.id", primary=True, index=True),
    _reference("second_id", "representations.id", primary=True, index=True),
    Column("value", Float(53)),
    Column("reason", Text, nullable=False),
)

orderings = sa.Table(
    "orderings",
    metadata,
    _reference("representation_id", "representations.id", primary=True),
    Column("reorderer_name", Text, primary_key=True),
    Column("reorderer_version", Text, primary_key=True),
    Column("parameters", Text, primary_key=True, server_default="{}"),
    Column("permutation", sa.JSON, nullable=False),
)

profiles = sa.Table(
    "profiles",
    metadata,
    Column("id", Integer, primary_key=True),
    _reference("run_id", "runs.id"),
    Column("comparator_name", Text, nullable=False),
    Column("comparator_version", Text, nullable=False),
    Column("parameters", Text, nullable=False, server_default="{}"),
    Column("transform", Text, nullable=False),
    Column("selection", String(64), nullable=False),
    Column("definition", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("n_layers", Integer, nullable=False),
    Column("total", Float(53)),
    Column("smoothness", Float(53)),
    Column("effective_steps", Float(53)),
    Column("crossing", Float(53)),
    Column("crossing_after", Text),
    Column("crossing_before", Text),
    Column("crossings", sa.JSON, nullable=False),
    Column("n_crossings", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    sa.UniqueConstraint(
        "run_id", "comparator_name", "comparator_version", "parameters", "transform", "selection", "definition"
    ),
)

profile_layers = sa.Table(
    "profile_layers",
    metadata,
    _reference("profile_id", "profiles.id", primary=True),
    Column("position", Integer, primary_key=True),
    Column("layer", Text, nullable=False),
    Column("depth", Float(53), nullable=False),
    Column("to_input", Float(53)),
    Column("to_output", Float(53)),
    Column("step", Float(53)),
    Column("share", Float(53)),
)

intervals = sa.Table(
    "intervals",
    metadata,
    Column("comparator_name", Text, primary_key=True),
    Column("comparator_version", Text, primary_key=True),
    Column("parameters", Text, primary_key=True, server_default="{}"),
    _reference("first_id", "representations.id", primary=True, index=True),
    _reference("second_id", "representations.id", primary=True, index=True),
    Column("method", Text, primary_key=True),
    Column("n_resamples", Integer, primary_key=True),
    Column("seed", BigInteger, primary_key=True),
    Column("level", Float(53), primary_key=True),
    Column("low", Float(53)),
    Column("high", Float(53)),
    Column("reason", Text, nullable=False),
)

permutation_tests = sa.Table(
    "permutation_tests",
    metadata,
    Column("comparator_name", Text, primary_key=True),
    Column("comparator_version", Text, primary_key=True),
    Column("parameters", Text, primary_key=True, server_default="{}"),
    _reference("first_id", "representations.id", primary=True, index=True),
    _reference("second_id", "representations.id", primary=True, index=True),
    Column("alternative", Text, primary_key=True),
    Column("n_permutations", Integer, primary_key=True),
    Column("seed", BigInteger, primary_key=True),
    Column("p", Float(53)),
    Column("reason", Text, nullable=False),
)

VIEWS = (
    "run_list",
    "layer_list",
    "layer_statistics",
    "layer_comparisons",
    "layer_orderings",
    "stimulus_predictions",
    "weight_tensor_statistics",
    "profile_list",
    "layer_profiles",
    "layer_intervals",
    "layer_tests",
)
"""Views that spell out the names behind the references, for people; the migrations define them."""
