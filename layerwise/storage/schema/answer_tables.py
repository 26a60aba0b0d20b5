"""What is computed from history: comparisons with their inference, orders, profiles."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, Float, Integer, String, Text

from layerwise.storage.schema.checksums import checksum_column
from layerwise.storage.schema.columns import compared_pair, made_by, metadata, reference

comparisons = sa.Table(
    "comparisons",
    metadata,
    *compared_pair(),
    Column("value", Float(53)),
    Column("reason", Text, nullable=False),
    checksum_column(),
)

orderings = sa.Table(
    "orderings",
    metadata,
    reference("representation_id", "representations.id", primary=True),
    *made_by("reorderer"),
    Column("permutation", sa.JSON, nullable=False),
    checksum_column(),
)

profiles = sa.Table(
    "profiles",
    metadata,
    Column("id", Integer, primary_key=True),
    reference("run_id", "runs.id"),
    *made_by("comparator", primary=False),
    Column("transform", Text, nullable=False),
    Column("selection", String(64), nullable=False),
    Column("definition", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("end_point", Text, nullable=False),
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
    checksum_column(),
    sa.UniqueConstraint(
        "run_id",
        "comparator_name",
        "comparator_revision",
        "parameters",
        "transform",
        "selection",
        "definition",
        "end_point",
    ),
)

profile_layers = sa.Table(
    "profile_layers",
    metadata,
    reference("profile_id", "profiles.id", primary=True),
    Column("position", Integer, primary_key=True),
    Column("layer", Text, nullable=False),
    Column("depth", Float(53), nullable=False),
    Column("to_input", Float(53)),
    Column("to_output", Float(53)),
    Column("step", Float(53)),
    Column("share", Float(53)),
    checksum_column(),
)

profile_intervals = sa.Table(
    "profile_intervals",
    metadata,
    reference("profile_id", "profiles.id", primary=True),
    Column("number", Text, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("method", Text, primary_key=True),
    Column("n_resamples", Integer, primary_key=True),
    Column("seed", BigInteger, primary_key=True),
    Column("level", Float(53), primary_key=True),
    Column("low", Float(53)),
    Column("high", Float(53)),
    Column("reason", Text, nullable=False),
    checksum_column(),
)

intervals = sa.Table(
    "intervals",
    metadata,
    *compared_pair(),
    Column("method", Text, primary_key=True),
    Column("n_resamples", Integer, primary_key=True),
    Column("seed", BigInteger, primary_key=True),
    Column("level", Float(53), primary_key=True),
    Column("low", Float(53)),
    Column("high", Float(53)),
    Column("reason", Text, nullable=False),
    checksum_column(),
)

permutation_tests = sa.Table(
    "permutation_tests",
    metadata,
    *compared_pair(),
    Column("alternative", Text, primary_key=True),
    Column("n_permutations", Integer, primary_key=True),
    Column("seed", BigInteger, primary_key=True),
    Column("p", Float(53)),
    Column("reason", Text, nullable=False),
    checksum_column(),
)
