"""Where a tensor's channels are, and a traced network as a graph of tensors whose last axis they are.

PyTorch keeps channels in front of positions, and its transformers behind them; Layerwise's contract is that the
last axis are the channels. So the channel axis is followed from the input through every operation: convolutions
and pools leave it in front, linear layers and attention behind, permutations move it, the rest keeps it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from layerwise.plugin import Graph, Node
from torch import fx

from layerwise_torch.errors import UntraceableError
from layerwise_torch.observing import Seen
from layerwise_torch.ops import describe_op, function_name, module_window, read_window
from layerwise_torch.tracing import Traced

_FRONT = frozenset({"conv", "pool", "lrn"})
_BEHIND = frozenset({"dense", "multiheadattention", "scaled_dot_product_attention", "embedding"})


@dataclass(frozen=True)
class Layout:
    """A traced network as Layerwise sees it.

    Attributes:
        graph: Its tensors of activations.
        nodes: The operation behind each of the graph's nodes.
        axes: The channel axis of each of those operations' tensors, the batch being axis 0.
    """

    graph: Graph
    nodes: Mapping[str, fx.Node]
    axes: Mapping[fx.Node, int]


def lay_out(traced: Traced, seen: Mapping[fx.Node, Seen], names: Mapping[fx.Node, str]) -> Layout:
    """The graph of tensors; operations that give anything else are folded into those that use them.

    Raises:
        UntraceableError: If the output is not a tensor with a row for each image.
    """
    axes = _find_axes(traced, seen)
    sources = _find_sources(traced, seen)
    output = traced.ends[0]
    if seen[output].shape is None:
        raise UntraceableError("its output is not a tensor with a row for each image")
    nodes: dict[str, fx.Node] = {}
    entries: list[Node] = []
    for node in _useful(traced.program.graph, traced.ends):
        shape = seen[node].shape
        if shape is None:
            continue
        op, kernel = ("input", None) if node in traced.given else describe(node, traced.program)
        if op in ("softmax", "log_softmax") and not _is_along(node, traced.program, axes[node], len(shape) + 1):
            op = f"axis_{op}"
        moved = _move_last(shape, axes[node] - 1)
        inputs = tuple(names[source] for source in sources[node])
        entries.append(Node(names[node], op, inputs, moved, kernel))
        nodes[names[node]] = node
    return Layout(Graph(tuple(entries), names[output]), nodes, axes)


def describe(node: fx.Node, program: fx.GraphModule) -> tuple[str, tuple[int, int] | None]:
    """The kind of an operation and, for convolutions and pools, the height and width of its window."""
    if node.op == "placeholder":
        return "input", None
    if node.op == "call_module":
        module = program.get_submodule(str(node.target))
        op = describe_op(type(module).__name__)
        return op, module_window(module) if op in ("conv", "pool") else None
    op = describe_op(function_name(node.target))
    if op == "pool":
        return op, read_window(node.kwargs.get("kernel_size", node.args[1] if len(node.args) > 1 else None))
    return op, _kernel_of_weight(node, program) if op == "conv" else None


def _is_along(node: fx.Node, program: fx.GraphModule, axis: int, n_axes: int) -> bool:
    """Whether a softmax goes along the channel axis, which becomes the last one; where it does not say, it does."""
    if node.op == "call_module":
        dim = getattr(program.get_submodule(str(node.target)), "dim", None)
    else:
        dim = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else None)
    return not isinstance(dim, int) or dim % n_axes == axis


def _kernel_of_weight(node: fx.Node, program: fx.GraphModule) -> tuple[int, int] | None:
    weight = node.kwargs.get("weight", node.args[1] if len(node.args) > 1 else None)
    if not isinstance(weight, fx.Node) or weight.op != "get_attr":
        return None
    value: Any = program
    for part in str(weight.target).split("."):
        value = getattr(value, part)
    return read_window(tuple(value.shape[2:]))


def _useful(graph: fx.Graph, ends: Sequence[fx.Node]) -> list[fx.Node]:
    """What the outputs depend on, in order."""
    found: set[fx.Node] = set()
    waiting = list(ends)
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting.extend(node.all_input_nodes)
    return [node for node in graph.nodes if node in found]


def _find_sources(traced: Traced, seen: Mapping[fx.Node, Seen]) -> dict[fx.Node, tuple[fx.Node, ...]]:
    """For each operation the nearest tensors of activations that it depends on; sizes depend on nothing."""
    sources: dict[fx.Node, tuple[fx.Node, ...]] = {}
    for node in traced.program.graph.nodes:
        found: dict[fx.Node, None] = {}
        if seen[node].count is None:
            for source in node.all_input_nodes:
                is_tensor = seen[source].shape is not None
                found.update(dict.fromkeys([source] if is_tensor else sources[source]))
        sources[node] = tuple(found)
    return sources


def _find_axes(traced: Traced, seen: Mapping[fx.Node, Seen]) -> dict[fx.Node, int]:
    axes: dict[fx.Node, int] = {}
    for node in traced.program.graph.nodes:
        shape = seen[node].shape
        if shape is None:
            continue
        n_axes = len(shape) + 1
        before = next((source for source in node.all_input_nodes if source in axes), None)
        axis = (
            _usual(n_axes) if before is None else _follow(node, traced, axes[before], seen[before].shape or (), shape)
        )
        axes[node] = axis if 0 < axis < n_axes else n_axes - 1
    # What is handed over for something else than pictures keeps its axes as they are.
    kept = [node for node in traced.given if node in axes and node.op == "placeholder"]
    return axes | {node: len(seen[node].shape or ()) for node in kept}


def _follow(node: fx.Node, traced: Traced, axis: int, before: tuple[int, ...], after: tuple[int, ...]) -> int:
    """The channel axis after an operation, given the one before it; the batch is axis 0 of both."""
    op, _ = describe(node, traced.program)
    last = len(after)
    if op in _BEHIND or (op == "norm" and _is_layer_norm(node, traced)):
        return last
    if op in _FRONT and len(before) == last and op != "pool":
        return 1
    if op == "transpose":
        return _permute(node, axis, last)
    if last == len(before) or before[:axis] == after[:axis]:
        return axis
    n_behind = len(before) - axis + 1
    return axis + last - len(before) if before[axis - 1 :] == after[-n_behind:] else _usual(last + 1)


def _is_layer_norm(node: fx.Node, traced: Traced) -> bool:
    """Whether it normalises over the last axis alone."""
    if node.op == "call_module":
        module = traced.program.get_submodule(str(node.target))
        return len(getattr(module, "normalized_shape", ())) == 1
    sizes = node.args[1] if len(node.args) > 1 else node.kwargs.get("normalized_shape", ())
    return function_name(node.target) == "layer_norm" and isinstance(sizes, list | tuple) and len(sizes) == 1


def _permute(node: fx.Node, axis: int, last: int) -> int:
    """Where a permutation puts an axis."""
    numbers = [place for place in _flatten((node.args[1:], tuple(node.kwargs.values()))) if isinstance(place, int)]
    places = [place % (last + 1) for place in numbers]
    name = function_name(node.target)
    if name == "permute" and len(places) == last + 1:
        return places.index(axis)
    if name in ("transpose", "swapaxes") and len(places) == 2:
        return {places[0]: places[1], places[1]: places[0]}.get(axis, axis)
    if name in ("movedim", "moveaxis") and len(places) == 2:
        order = [place for place in range(last + 1) if place != places[0]]
        order.insert(places[1], places[0])
        return order.index(axis)
    return axis


def _flatten(value: Any) -> list[Any]:
    return [leaf for part in value for leaf in _flatten(part)] if isinstance(value, list | tuple) else [value]


def _usual(n_axes: int) -> int:
    """The channel axis of images and of everything else, where nothing more is known."""
    return 1 if n_axes in (4, 5) else n_axes - 1


def _move_last(shape: tuple[int, ...], place: int) -> tuple[int, ...]:
    return (*shape[:place], *shape[place + 1 :], shape[place])
