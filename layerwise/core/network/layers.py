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


def find_end_point(layers: Sequence[Layer], name: str | None = None) -> Layer | None:
    """The layer at which the way through a network ends: the logits where they are among the layers, else the output.

    A softmax turns the logits into probabilities, of which nearly all are nearly 0: its output is unlike the layer
    before it whatever the network has learned. So it is no part of the way, unless it is asked for.

    Args:
        layers: Layers of one model.
        name: Which of them it is instead, by name or role; None for the usual one.

    Returns:
        None where neither is among them.

    Raises:
        InputError: If there is no layer of that name.
    """
    if name is not None:
        return find_layer(name, layers)
    by_role = {layer.role: layer for layer in layers}
    return by_role.get("logits", by_role.get("output"))


def end_words(end: Layer | None) -> str:
    """What an end point is called in a sentence: `the logits`, `the output`, or the name of another layer."""
    if end is None or end.role in ("logits", "output"):
        return "the output" if end is None else f"the {end.role}"
    return end.name


def list_up_to(end: Layer | None, layers: Sequence[Layer]) -> list[Layer]:
    """Those layers that are not computed after the end point; all of them where there is none."""
    return [layer for layer in layers if end is None or layer.position <= end.position]


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
