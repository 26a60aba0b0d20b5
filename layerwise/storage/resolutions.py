"""How well a representation is known, as text: a JSON object of plain numbers, `{"activations": 6e-08, ...}`."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from layerwise.core.network.matrices.pairs import Pairs
    from layerwise.core.network.resolution import Resolution

HAS_ZERO = "has_zero"
"""Only there, and then 0, where similarities have no zero that means something."""


def write_resolution(layer: Pairs) -> str:
    """The text from which `read_resolution` makes the same numbers."""
    described = {name: float(value) for name, value in asdict(layer.resolution).items()}
    return json.dumps(described if layer.has_zero else described | {HAS_ZERO: 0.0}, sort_keys=True)


def read_resolution(text: str) -> tuple[Resolution, bool]:
    """A resolution, and whether similarities have a zero.

    Raises:
        ValueError: If the text is anything else than what `write_resolution` writes; says what is wrong with it.
    """
    from layerwise.core.network.resolution import Resolution

    described = _read_numbers(text)
    has_zero = bool(described.pop(HAS_ZERO, 1.0))
    expected = {field.name for field in fields(Resolution)}
    for name in sorted(expected ^ described.keys()):
        raise ValueError(f"'{name}' is missing" if name in expected else f"'{name}' is not known")
    return Resolution(**described), has_zero


def _read_numbers(text: str) -> dict[str, float]:
    read: Any = json.loads(text)
    if not isinstance(read, dict):
        raise ValueError(f"it is no object but {text[:40]}")  # noqa: TRY004  # of what is stored, not of our code
    for name, value in read.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise ValueError(f"'{name}' is {value!r}, no number from 0 on")
    return {name: float(value) for name, value in read.items()}
