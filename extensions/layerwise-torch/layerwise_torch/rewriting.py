"""What is changed in a traced program before it is analysed: outputs, and operations that write over their input."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from layerwise_torch.errors import UntraceableError


def drop_assertions(graph: fx.Graph) -> None:
    """Take out checks of arguments that have their defaults, and those arguments."""
    for node in reversed(graph.nodes):
        is_check = node.op == "call_function" and "assert" in getattr(node.target, "__name__", "")
        if not node.users and (is_check or (node.op == "placeholder" and node.args)):
            graph.erase_node(node)


def finish(program: fx.GraphModule, output: int) -> tuple[tuple[fx.Node, ...], tuple[int, ...]]:
    """Make of a program's outputs a plain tuple of tensors, let no operation write over its input, and drop the rest.

    Returns:
        The operations that give the outputs, first the one that counts, and their places among all of the outputs.
    """
    graph = program.graph
    end = next(node for node in graph.nodes if node.op == "output")
    leaves = torch.utils._pytree.tree_leaves(end.args[0])
    if output >= len(leaves) or not isinstance(leaves[output], fx.Node):
        raise UntraceableError("its output is not one of its tensors")
    ends = {leaves[output]: output}
    for place, leaf in enumerate(leaves):
        if isinstance(leaf, fx.Node):
            ends.setdefault(leaf, place)
    set_ends(end, tuple(ends))
    for node in graph.nodes:
        _forbid_overwriting(node)
    for module in program.modules():
        if getattr(module, "inplace", False) is True:
            module.inplace = False
    graph.set_codegen(fx.graph.CodeGen())  # an exported program's own wraps the output once more
    graph.eliminate_dead_code()
    program.recompile()
    return tuple(ends), tuple(ends.values())


def set_ends(end: fx.Node, ends: tuple[fx.Node, ...]) -> None:
    """Let a program return the tensors of these operations; of one alone the tensor itself."""
    end.args = (ends if len(ends) > 1 else ends[0],)


def _forbid_overwriting(node: fx.Node) -> None:
    """Replace an in-place operation by the one that gives a new tensor."""
    if "inplace" in node.kwargs:
        node.kwargs = {**node.kwargs, "inplace": False}
    if isinstance(node.target, str):
        name = node.target
        if node.op == "call_method" and name.endswith("_") and hasattr(torch.Tensor, name.rstrip("_")):
            node.target = name.rstrip("_")
        return
    if isinstance(node.target, torch._ops.OpOverload):
        _, _, name = str(node.target.overloadpacket).rpartition(".")
        plain = getattr(torch.ops.aten, name.rstrip("_"), None) if name.endswith("_") else None
        node.target = getattr(plain, node.target._overloadname, node.target)
        return
    word = getattr(node.target, "__name__", "")
    if node.target in _OPERATORS:
        node.target = _OPERATORS[node.target]
    elif word.endswith("_") and not word.startswith("_"):
        owner = torch if hasattr(torch, word.rstrip("_")) else torch.nn.functional
        node.target = getattr(owner, word.rstrip("_"), node.target)


def _operators() -> dict[Any, Any]:
    import operator

    names = ("add", "sub", "mul", "truediv", "floordiv", "matmul", "mod", "pow", "and_", "or_", "xor")
    return {getattr(operator, f"i{name.rstrip('_')}"): getattr(operator, name) for name in names}


_OPERATORS = _operators()
