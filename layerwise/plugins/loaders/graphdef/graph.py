"""Translating a frozen TensorFlow graph into a graph of nodes.

A node is an operation whose floating-point tensor has a row for each stimulus. Constants and what is computed
from them are weights or settings; operations that hand a tensor on are folded away; the integers that some
operations compute shapes with are no nodes, but what they depend on counts as an input of who uses them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from layerwise.core.base.errors import InputError
from layerwise.core.network.graph import Graph, Node
from layerwise.plugins.loaders.graphdef.inputs import GraphInputs
from layerwise.plugins.loaders.graphdef.ops import ALIASES, describe_tf_op
from layerwise.plugins.loaders.graphdef.shapes import BatchShapes


@dataclass
class _Walk:
    """What is known of the tensors between input and output."""

    source: Any
    shapes: BatchShapes
    inputs: GraphInputs
    live: set[str] = field(default_factory=set)

    def resolve(self, tensor: Any) -> Any:
        """The tensor that an operation handed on."""
        while tensor.op.type in ALIASES:
            tensor = tensor.op.inputs[0]
        return tensor

    def is_node(self, tensor: Any) -> bool:
        """Whether it holds activations: floating-point, from the input, with a row for each stimulus."""
        if tensor is self.source:
            return True
        if tensor.name in self.inputs.cuts:
            return False
        return tensor.name in self.live and tensor.dtype.is_floating and self.shapes.row_of(tensor) is not None

    def sources_of(self, tensor: Any) -> list[Any]:
        """The activations that a tensor is, or is computed from by way of tensors that are none."""
        found: list[Any] = []
        seen: set[str] = set()
        waiting = [tensor]
        while waiting:
            one = self.resolve(waiting.pop())
            if one.name in seen:
                continue
            seen.add(one.name)
            if self.is_node(one):
                found.append(one)
            elif one.name in self.live:
                waiting.extend(reversed(one.op.inputs))
        return found


@dataclass
class Translation:
    """A TensorFlow graph seen from its output.

    Attributes:
        graph: Its nodes.
        tensors: The tensor of each node.
        constants: The constant tensors that each node reads, in order.
        scope: What all names begin with in TensorFlow (`StatefulPartitionedCall/model/`) and nodes go without.
        ends: Names of the nodes that are outputs, by the name of the tensor.
        walk: What is known of the tensors.
    """

    graph: Graph
    tensors: dict[str, Any]
    constants: dict[str, tuple[Any, ...]]
    scope: str
    ends: dict[str, str]
    walk: _Walk

    def find_end(self, tensor: str) -> str | None:
        """The node that an output is; None where that holds no activations."""
        found = self.walk.resolve(self.walk.source.graph.get_tensor_by_name(tensor))
        return self.ends.get(found.name)


def translate_graph(
    source: Any, outputs: Sequence[Any], path: str, shapes: BatchShapes, function: Any, inputs: GraphInputs
) -> Translation:
    """The nodes between the input and the outputs.

    Args:
        source: The input's tensor, with a shape that is known but for its first axis.
        outputs: The outputs' tensors, first the one that counts.
        path: Where the graph came from, for errors.
        shapes: Shapes of the graph's tensors.
        function: The graph as a wrapped function.
        inputs: What goes into it.

    Raises:
        InputError: If the output that counts does not have a row for each stimulus, or the graph has a loop.
    """
    walk = _Walk(source, shapes, inputs)
    output, *others = map(walk.resolve, outputs)
    others = [one for one in others if one is not output]
    order = _order_operations([*others, output], path)
    for op in order:
        if op is source.op or any(tensor.name in walk.live for tensor in op.inputs):
            walk.live.update(tensor.name for tensor in op.outputs)
    live = [tensor for op in order for tensor in op.outputs if tensor.name in walk.live and tensor.dtype.is_floating]
    shapes.run_unknown(function, live)
    if not walk.is_node(output):
        raise InputError(
            f"{path}: output '{output.op.name}' does not have a row for each stimulus of a batch of any size"
        )
    ends = [output, *(one for one in others if walk.is_node(one))]
    return _lay_out(walk, order, ends)


def _lay_out(walk: _Walk, order: Sequence[Any], ends: Sequence[Any]) -> Translation:
    found = [
        tensor
        for op in order
        for tensor in op.outputs
        if walk.is_node(tensor)
        and op.type not in ALIASES
        and (tensor.consumers() or any(tensor is end for end in ends))
    ]
    given = {walk.source.name, *walk.inputs.pieces}
    computed = [tensor.op.name for tensor in found if tensor.name not in given]
    scope = _find_scope(computed, [tensor.op.name for tensor in found if tensor.name in given])
    names = {tensor.name: _name(tensor, "" if tensor.name in given else scope) for tensor in found}
    nodes = []
    for tensor in found:
        sources = _inputs(walk, tensor)
        op, kernel = ("input", None) if tensor.name in given else describe_tf_op(tensor.op, len(sources))
        inputs = tuple(names[one.name] for one in sources)
        nodes.append(Node(names[tensor.name], op, inputs, _shape(walk, tensor), kernel))
    tensors = {names[tensor.name]: tensor for tensor in found}
    constants = {name: _constants(walk, tensor) for name, tensor in tensors.items()}
    output, *others = (names[end.name] for end in ends)
    named = {end.name: names[end.name] for end in ends}
    return Translation(_prune(nodes, output, others), tensors, constants, scope, named, walk)


def _constants(walk: _Walk, tensor: Any) -> tuple[Any, ...]:
    return tuple(one for one in tensor.op.inputs if walk.resolve(one).name not in walk.live)


def _order_operations(outputs: Sequence[Any], path: str) -> list[Any]:
    """The operations that some tensors depend on, those of the first ones first, each after those it needs.

    Raises:
        InputError: If one depends on itself, as in the loops of TensorFlow 1.
    """
    order: list[Any] = []
    done: set[str] = set()
    waiting = [output.op for output in reversed(outputs)]
    while waiting:
        op = waiting[-1]
        if op.type == "NextIteration":
            raise InputError(
                f"{path} has a loop of TensorFlow 1 ('{op.name}'), which cannot be laid out as layers: convert the "
                "graph with lower_control_flow=False"
            )
        missing = [tensor.op for tensor in op.inputs if tensor.op.name not in done]
        if op.name not in done and missing:
            waiting.extend(reversed(missing))
            continue
        waiting.pop()
        if op.name not in done:
            done.add(op.name)
            order.append(op)
    return order


def _inputs(walk: _Walk, tensor: Any) -> list[Any]:
    if tensor is walk.source:
        return []
    direct = [walk.resolve(i) for i in tensor.op.inputs]
    found = [i for i in direct if walk.is_node(i)]
    for indirect in (i for i in direct if not walk.is_node(i)):
        found += [source for source in walk.sources_of(indirect) if all(source is not other for other in found)]
    return found


def _find_scope(names: Sequence[str], given: Sequence[str]) -> str:
    """The scopes that all names are in, with a slash at the end; empty where a name would become an input's."""
    paths = [name.split("/")[:-1] for name in names]
    shared = []
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    scope = "".join(f"{part}/" for part in shared)
    return "" if len(names) == 1 or set(given) & {name.removeprefix(scope) for name in names} else scope


def _name(tensor: Any, scope: str) -> str:
    return str(tensor.op.name if tensor.value_index == 0 else tensor.name).removeprefix(scope)


def _shape(walk: _Walk, tensor: Any) -> tuple[int, ...]:
    if tensor is walk.source:
        return tuple(int(axis) for axis in tensor.shape.as_list()[1:])
    return tuple(int(axis) for axis in walk.shapes.row_of(tensor) or ())


def _prune(nodes: Sequence[Node], output: str, others: Sequence[str]) -> Graph:
    """A graph of what leads to the outputs only, the input first."""
    whole = Graph(tuple(sorted(nodes, key=lambda node: node.op != "input")), output)
    useful = whole.ancestors([output, *others])
    return Graph(tuple(node for node in whole if node.name in useful), output)
