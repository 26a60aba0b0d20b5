"""What an exported file says of its layers besides their numbers, as JSON: roles, blocks, shapes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from layerwise.core.base.errors import InputError
from layerwise.core.network.layers import Layer

_TEXTS = ("name", "node", "op", "role")


def write_facts(layers: Sequence[Layer]) -> str:
    """Layers as JSON."""
    return json.dumps([asdict(layer) for layer in layers], ensure_ascii=True)


def read_facts(text: str) -> dict[str, Layer]:
    """Layers by name, from JSON.

    Raises:
        InputError: If it is not what `write_facts` writes.
    """
    try:
        layers = [_layer(record) for record in json.loads(text)]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"what the file says of its layers is damaged ({type(error).__name__}: {error})") from error
    return {layer.name: layer for layer in layers}


def _layer(record: dict[str, Any]) -> Layer:
    if record["role"] not in ("input", "hidden", "logits", "output"):
        raise ValueError(f"no role '{record['role']}'")
    return Layer(
        shape=tuple(int(side) for side in record["shape"]),
        position=int(record["position"]),
        is_main=bool(record["is_main"]),
        block=_text_or_none(record["block"]),
        branch=_text_or_none(record["branch"]),
        parts=tuple(str(part) for part in record["parts"]),
        **{name: str(record[name]) for name in _TEXTS},  # type: ignore[arg-type]
    )


def _text_or_none(value: object) -> str | None:
    return None if value is None else str(value)
