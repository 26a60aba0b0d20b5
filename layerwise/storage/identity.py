"""Checksums of models and stimulus sets: what makes two rows the same.

A fingerprint says that two models compute the same, or that two stimulus sets have the same content. The same
content can be described in different words (another path, other labels); a checksum over the whole
description tells those apart, so that a run is always read back as it was recorded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from layerwise.core.network.model import ModelInfo


def model_checksum(model: ModelInfo) -> str:
    """Hex SHA-256 over everything that is recorded of a model."""
    return _hash([asdict(model)])


def stimuli_checksum(description: Sequence[Any], stimuli: Iterable[tuple[str, str | None, str, bytes]]) -> str:
    """Hex SHA-256 over everything that is recorded of a stimulus set.

    Args:
        description: Its name, source, resize policy, fingerprint and what was left out.
        stimuli: Name, label, content hash and thumbnail of each, in order.
    """
    rows = ([name, label, content, hashlib.sha256(image).hexdigest()] for name, label, content, image in stimuli)
    return _hash([list(description), *rows])


def model_from_row(row: sa.RowMapping) -> ModelInfo:
    """The model in a row of `models`."""
    names = ("name", "source", "fingerprint", "preprocessing", "resize", "n_parameters", "has_probabilities")
    return ModelInfo(
        input_shape=tuple(row["input_shape"]),
        class_names=tuple(row["class_names"]),
        class_ids=tuple(row["class_ids"]),
        versions=row["versions"],
        **{name: row[name] for name in names},
    )


def _hash(rows: Iterable[Any]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(row, sort_keys=True, separators=(",", ":")).encode() + b"\n")
    return digest.hexdigest()
