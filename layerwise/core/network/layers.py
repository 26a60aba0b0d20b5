"""Layers: the named outputs of a model that can be analysed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from layerwise.core.base.errors import InputError
from layerwise.core.base.words import near_names

Role = Literal["input", "hidden", "logits", "output"]


@dataclass(frozen=True, slots=True)
class Layer:
    """A named output of a model.

    Attributes:
        name: What people call it: `mixed4c`, `mixed4c/5x5`, `avgpool0`.
        node: The graph node whose tensor it is.
        op: Kind of operation, for the `type:` selector (`conv`, `pool`, `concat`, `dense`, ...).
        shape: Shape for one stimulus, without the batch axis.
        position: Place in the order of computation; unique within a model.
        role: `input`, `logits`, `output`, otherwise `hidden`.
        is_main: Whether it belongs to the `main` selection.
        block: Name of the block it is a branch of (or is itself), otherwise None.
        branch: Label of the branch (`1x1`, `5x5`, `pool`, ...), otherwise None.
        parts: Names of the layers whose concatenation along the last axis this layer is, in order; empty
            where it is no such concatenation. Its Gram matrix is then the sum of theirs.
    """

    name: str
    node: str
    op: str
    shape: tuple[int, ...]
    position: int
    role: Role = "hidden"
    is_main: bool = False
    block: str | None = None
    branch: str | None = None
    parts: tuple[str, ...] = ()

    @property
    def n_features(self) -> int:
        """Number of units: the product of `shape`."""
        return math.prod(self.shape)


def find_layer(name: str, layers: Sequence[Layer]) -> Layer:
    """The layer of this name; `input`, `logits` and `output` also find the layer in that role.

    Raises:
        InputError: If there is none; the message lists near names.
    """
    for layer in layers:
        if layer.name == name:
            return layer
    for layer in layers:
        if layer.role == name and name != "hidden":
            return layer
    raise InputError(f"no layer '{name}'{near_names(name, [layer.name for layer in layers])}")
