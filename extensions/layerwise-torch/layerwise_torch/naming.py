"""What the operations of a traced network are called.

An operation that a module returns has that module's name, as in `named_modules()`: the innermost module's, unless
that has been called before, then the next one's around it (the second use of a block's `relu` is the block itself).
Any other operation is called after what it does, inside the module that it is part of: `layer1.0.add`.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import fx

from layerwise_torch.ops import function_name
from layerwise_torch.tracing import Traced

INPUT = "input"


def name_operations(traced: Traced) -> dict[fx.Node, str]:
    """A unique name for each operation, the same in every process."""
    names: dict[fx.Node, str] = {}
    used: set[str] = set()
    for node in traced.program.graph.nodes:
        given = traced.given.get(node, INPUT if node.op == "placeholder" else "")
        name = _number(given, used | traced.reserved, ":") if given else _name(node, traced, used)
        used.add(name)
        names[node] = name
    return names


def choose_path(paths: Sequence[str], used: set[str]) -> str:
    """The first of the modules that return a value, the innermost first, that no other value is called after."""
    return next((path for path in paths if path not in used), _number(paths[0], used, ":"))


def _name(node: fx.Node, traced: Traced, used: set[str]) -> str:
    paths = [path for path in traced.returned.get(node, ()) if path]
    if paths:
        return choose_path(paths, used)
    word = str(node.target) if node.op in ("get_attr", "output") else ""
    word = word or function_name(node.target)
    scope = traced.scopes.get(node, "")
    return _number(f"{scope}.{word}" if scope else word, used | traced.reserved, "_")


def _number(name: str, used: set[str] | frozenset[str], mark: str) -> str:
    """The name, with a number behind it where it is taken."""
    unique, number = name, 0
    while unique in used:
        number += 1
        unique = f"{name}{mark}{number}"
    return unique
