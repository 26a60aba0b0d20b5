"""What a run keeps of its layers and its model: representations, statistics, predictions, outputs."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, Float, Integer, LargeBinary, String, Text

from layerwise.storage.schema.checksums import checksum_column
from layerwise.storage.schema.columns import metadata, reference, statistic_key, statistic_value

representations = sa.Table(
    "representations",
    metadata,
    Column("id", Integer, primary_key=True),
    reference("layer_id", "layers.id"),
    Column("transform", Text, nullable=False),
    Column("n_stimuli", Integer, nullable=False),
    Column("n_features", BigInteger, nullable=False),
    Column("mean", LargeBinary, nullable=False),
    Column("norm", LargeBinary, nullable=False),
    Column("form", Text, nullable=False, server_default="correlation"),
    Column("deviation", LargeBinary),
    Column("resolution", Text),
    Column("n_tiles", Integer, nullable=False),
    Column("checksum", String(64), nullable=False),
    Column("attempt", Integer),
    Column("n_landmarks", Integer),
    Column("n_statistics", Integer),
    checksum_column(),
    sa.UniqueConstraint("layer_id", "transform"),
)

tiles = sa.Table(
    "tiles",
    metadata,
    reference("representation_id", "representations.id", primary=True),
    Column("position", Integer, primary_key=True),
    Column("n_values", Integer, nullable=False),
    Column("checksum", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

statistics = sa.Table(
    "statistics",
    metadata,
    reference("layer_id", "layers.id", primary=True),
    Column("transform", Text, primary_key=True),
    *statistic_key(),
    *statistic_value(),
    checksum_column(),
)

weights = sa.Table(
    "weights",
    metadata,
    Column("id", Integer, primary_key=True),
    reference("model_id", "models.id"),
    Column("name", Text, nullable=False),
    Column("layer", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("shape", sa.JSON, nullable=False),
    Column("n_values", BigInteger, nullable=False),
    checksum_column(),
    sa.UniqueConstraint("model_id", "name"),
)

weight_statistics = sa.Table(
    "weight_statistics",
    metadata,
    reference("weight_id", "weights.id", primary=True),
    *statistic_key(),
    *statistic_value(),
    checksum_column(),
)

run_weight_statistics = sa.Table(
    "run_weight_statistics",
    metadata,
    reference("run_id", "runs.id", primary=True),
    *statistic_key(),
    checksum_column(),
)

predictions = sa.Table(
    "predictions",
    metadata,
    reference("run_id", "runs.id", primary=True),
    Column("position", Integer, primary_key=True),
    Column("rank", Integer, primary_key=True),
    Column("class_index", Integer, nullable=False),
    Column("class_name", Text),
    Column("probability", Float(53), nullable=False),
    checksum_column(),
)

outputs = sa.Table(
    "outputs",
    metadata,
    reference("run_id", "runs.id", primary=True),
    Column("layer", Text, nullable=False),
    Column("scale", String(32), nullable=False),
    Column("form", String(16), nullable=False),
    Column("n_stimuli", Integer, nullable=False),
    Column("n_classes", Integer, nullable=False),
    Column("n_tiles", Integer, nullable=False),
    Column("checksum", String(64), nullable=False),
    checksum_column(),
)

output_tiles = sa.Table(
    "output_tiles",
    metadata,
    Column("run_id", String(16), sa.ForeignKey("outputs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("n_values", Integer, nullable=False),
    Column("checksum", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
)
