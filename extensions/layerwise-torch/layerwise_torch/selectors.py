"""The `module:` selector: what a module of a PyTorch network returns, at any depth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from layerwise.plugin import Layer, LayerSelector


class ModuleSelector(LayerSelector):
    """Picks the last layer that is computed inside a module: `module:layer1` of a ResNet is the end of its stage.

    A layer is named after the innermost module that returns it (`layer1.2`), so that what the modules around it
    return (`layer1`) has no name of its own.
    """

    name: ClassVar[str] = "module"
    description: ClassVar[str] = "what a PyTorch module returns: module:layer1, module:features"

    def select(self, argument: str, layers: Sequence[Layer]) -> Sequence[Layer]:
        """The last layer of the module called `argument`; none where there is no such module."""
        inside = [layer for layer in layers if _is_inside(layer.node, argument)]
        return inside[-1:] if argument else []


def _is_inside(node: str, module: str) -> bool:
    return node == module or node.startswith((f"{module}.", f"{module}:"))
