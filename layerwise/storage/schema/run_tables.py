"""Runs and what they are of: models, stimulus sets with their stimuli, tags, variants, layers."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Integer, LargeBinary, String, Text

from layerwise.storage.schema.checksums import checksum_column, sealed_column
from layerwise.storage.schema.columns import UtcDateTime, metadata, reference

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
    reference("stimulus_set_id", "stimulus_sets.id", primary=True),
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
    Column("origin", String(16), nullable=False, server_default="computed"),
    Column("model_id", Integer, ForeignKey("models.id"), nullable=False, index=True),
    Column("stimulus_set_id", Integer, ForeignKey("stimulus_sets.id"), nullable=False, index=True),
    Column("loader_name", Text, nullable=False),
    Column("loader_revision", Integer, nullable=False, server_default="1"),
    Column("loader_version", Text, nullable=False),
    Column("engine_name", Text, nullable=False),
    Column("engine_revision", Integer, nullable=False, server_default="1"),
    Column("engine_version", Text, nullable=False),
    Column("transforms", sa.JSON, nullable=False),
    Column("batch_size", Integer, nullable=False),
    Column("chunk_width", Integer, nullable=False),
    Column("n_landmarks", Integer),
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
    Column("pid_space", Text),
    Column("process_started", Float(53)),
    Column("claim_token", String(64)),
    Column("contents", sa.JSON(none_as_null=True)),
    sealed_column(),
    sa.CheckConstraint("status IN ('running', 'finished', 'failed', 'interrupted')", name="status"),
)

attempts = sa.Table(
    "attempts",
    metadata,
    reference("run_id", "runs.id", primary=True),
    Column("number", Integer, primary_key=True),
    Column("status", String(16), nullable=False),
    Column("command", Text, nullable=False),
    Column("versions", sa.JSON, nullable=False),
    Column("plugins", sa.JSON, nullable=False),
    Column("host", sa.JSON, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("error", Text),
    Column("pid", BigInteger),
    Column("hostname", Text),
    Column("costs", sa.JSON(none_as_null=True)),
    sealed_column(),
)

tags = sa.Table(
    "tags",
    metadata,
    reference("run_id", "runs.id", primary=True),
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    checksum_column(),
)

layers = sa.Table(
    "layers",
    metadata,
    Column("id", Integer, primary_key=True),
    reference("run_id", "runs.id"),
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
    checksum_column(),
    sa.UniqueConstraint("run_id", "name"),
)

requests = sa.Table(
    "requests",
    metadata,
    Column("digest", String(64), primary_key=True),
    reference("run_id", "runs.id", index=True),
    checksum_column(),
)

variants = sa.Table(
    "variants",
    metadata,
    reference("run_id", "runs.id", primary=True),
    Column("baseline", String(128), nullable=False),
    Column("layers", sa.JSON, nullable=False),
    Column("substitute", String(16), nullable=False),
    Column("seed", BigInteger, nullable=False),
    checksum_column(),
)
