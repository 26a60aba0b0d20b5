"""Layer selectors: `main`, `branches`, `all`, `block:NAME`, `type:OP`, and plain names and globs.

Globs are those of a shell without its rule for slashes: `*` matches `/` too, so `mixed4*` picks the blocks and
all of their branches, `mixed4?` the blocks only, `*/5x5` every 5x5 branch.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from layerwise.core.base.errors import InputError
from layerwise.core.host.hookspecs import hookimpl
from layerwise.core.host.kinds import LayerSelector
from layerwise.core.network.layers import Layer


def _refuse_argument(selector: LayerSelector, argument: str) -> None:
    if argument:
        raise InputError(f"selector '{selector.name}' takes no argument, got '{argument}'")


def _require_argument(selector: LayerSelector, argument: str, example: str) -> None:
    if not argument:
        raise InputError(f"selector '{selector.name}' needs an argument, as in {selector.name}:{example}")


class MainSelector(LayerSelector):
    """The layers of the published picture: the main line from input to output, blocks as a whole."""

    name = "main"
    description = "the main line from input to output, blocks as a whole (default)"

    def select(self, argument: str, layers: Sequence[Layer]) -> Sequence[Layer]:
        """Layers that are marked as main."""
        _refuse_argument(self, argument)
        return [layer for layer in layers if layer.is_main]


class BranchesSelector(LayerSelector):
    """The branches of all blocks."""

    name = "branches"
    description = "the branches of all blocks"

    def select(self, argument: str, layers: Sequence[Layer]) -> Sequence[Layer]:
        """Layers that are a branch of a block."""
        _refuse_argument(self, argument)
        return [layer for layer in layers if layer.branch is not None]


class AllSelector(LayerSelector):
    """Everything that can be selected."""

    name = "all"
    description = "every layer that can be selected"

    def select(self, argument: str, layers: Sequence[Layer]) -> Sequence[Layer]:
        """All layers."""
        _refuse_argument(self, argument)
        return list(layers)


class BlockSelector(LayerSelector):
    """A block and its branches."""

    name = "block"
    description = "block:NAME, a block and its branches; NAME may be a glob"

    def select(self, argument: str, layers: Sequence[Layer]) -> Sequence[Layer]:
        """Layers that are, or belong to, a block of this name."""
        _require_argument(self, argument, "mixed4c")
        blocks = {layer.block for layer in layers if layer.block is not None}
        wanted = {block for block in blocks if block == argument or fnmatchcase(block, argument)}
        return [layer for layer in layers if layer.block in wanted or layer.name in wanted]


class TypeSelector(LayerSelector):
    """Layers of one kind of operation."""

    name = "type"
    description = "type:OP, layers of one kind of operation (conv, pool, concat, dense, ...)"

    def select(self, argument: str, layers: Sequence[Layer]) -> Sequence[Layer]:
        """Layers whose operation matches, whatever the case."""
        _require_argument(self, argument, "conv")
        return [layer for layer in layers if fnmatchcase(layer.op.lower(), argument.lower())]


class GlobSelector(LayerSelector):
    """Layers by name; what is no other selector comes here."""

    name = "glob"
    description = "a layer's name, `input`, `logits`, `output`, or a glob over names (* matches / too)"

    def select(self, argument: str, layers: Sequence[Layer]) -> Sequence[Layer]:
        """The layer of this very name; else the one in this role; else all names that match."""
        _require_argument(self, argument, "mixed4*")
        exact = [layer for layer in layers if layer.name == argument]
        role = [layer for layer in layers if layer.role == argument != "hidden"]
        return exact or role or [layer for layer in layers if fnmatchcase(layer.name, argument)]


@hookimpl
def register_layer_selectors() -> Sequence[LayerSelector]:
    """The built-in selectors."""
    return [MainSelector(), BranchesSelector(), AllSelector(), BlockSelector(), TypeSelector(), GlobSelector()]
