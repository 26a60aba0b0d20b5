"""From a PyTorch module to a graph of operations, in the way that works for it.

The ways, in order: `torch.fx`, which runs the module's Python code on stand-ins and keeps its modules as they are;
`torch.export`, which records ATen operations and copes with more Python; and, for TorchScript, a recording of
the ATen operations that the interpreter carries out. Each must give what the module itself gives, without writing
over tensors that are analysed, or it counts as failed.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import torch
from layerwise.plugin import InputSpec
from torch import fx

from layerwise_torch.errors import UntraceableError, first_line
from layerwise_torch.inputs import NETWORK, find_pieces, join_placeholders
from layerwise_torch.rewriting import drop_assertions, finish

Checked = TypeVar("Checked")
FIXED_BATCH = 16
"""Images per call of a network whose graph holds for one batch size only: as many as Layerwise hands over."""


@dataclass(frozen=True)
class Traced:
    """A network as a graph that can be run in parts.

    Attributes:
        program: Its operations, with one input.
        ends: The operations that give its outputs, first the one that counts.
        places: Which of the network's outputs, among all its tensors, each of them gives.
        returned: For each operation the paths of the modules that return its value, the innermost first.
        scopes: For each operation the path of the innermost module that it is part of.
        batch: The only batch size that it holds for; None where it holds for any.
        way: How it was found, in words.
        reserved: Paths of all modules, which no other operation may be called by.
        paths: The network's own paths of weights that the program keeps under other names.
        given: The names of the inputs by the operations that give them, where that is not one picture.
        between: Operations between the tensor that goes in and the inputs.
    """

    program: fx.GraphModule
    ends: tuple[fx.Node, ...]
    places: tuple[int, ...]
    returned: Mapping[fx.Node, Sequence[str]]
    scopes: Mapping[fx.Node, str]
    way: str
    batch: int | None = None
    reserved: frozenset[str] = frozenset()
    paths: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[fx.Node, str] = field(default_factory=dict)
    between: frozenset[fx.Node] = frozenset()


@dataclass
class _Places:
    returned: dict[fx.Node, list[str]] = field(default_factory=dict)
    scopes: dict[fx.Node, str] = field(default_factory=dict)


class _Tracer(fx.Tracer):  # type: ignore[misc]
    """Notes which module each operation is part of, and which modules return it."""

    def __init__(self) -> None:
        super().__init__()
        self.places = _Places()
        self.stack: list[str] = []

    def call_module(self, m: Any, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Trace one call of a module."""
        path = self.path_of_module(m)
        self.stack.append(path)
        try:
            value = super().call_module(m, forward, args, kwargs)
        finally:
            self.stack.pop()
        if isinstance(value, fx.Proxy):
            self.places.returned.setdefault(value.node, []).append(path)
        return value

    def create_node(self, *args: Any, **kwargs: Any) -> fx.Node:
        """Make a node, in the present module."""
        node = super().create_node(*args, **kwargs)
        self.places.scopes[node] = self.stack[-1] if self.stack else ""
        return node


def trace_symbolically(module: Any, output: int) -> Traced:
    """The graph that `torch.fx` finds.

    Args:
        module: The network.
        output: Which of its outputs is meant, among all its tensors in order.
    """
    tracer = _Tracer()
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(module.forward).parameters.items()
        if parameter.default is not parameter.empty
    }
    graph = tracer.trace(module, concrete_args=defaults or None)
    drop_assertions(graph)
    program = fx.GraphModule(module, graph)
    ends, order = finish(program, output)
    reserved = frozenset(path for path, _ in module.named_modules())
    places = tracer.places
    return Traced(program, ends, order, places.returned, places.scopes, "torch.fx graph", reserved=reserved)


def trace_exported(module: Any, example: Any, output: int) -> Traced:
    """The graph that `torch.export` records, for any batch size."""
    shapes = ({0: torch.export.Dim("batch", min=1)},)
    with quiet():
        program = torch.export.export(module, (example,), dynamic_shapes=shapes, strict=False)
    return read_exported(program, output, "torch.export graph")


@contextmanager
def quiet() -> Iterator[None]:
    """Without what PyTorch prints and logs while it tries; what goes wrong raises."""
    logging.disable(logging.ERROR)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)


def read_exported(exported: Any, output: int, way: str, inputs: Sequence[InputSpec] = ()) -> Traced:
    """The graph of an exported program, its in-place operations replaced.

    Args:
        exported: The program.
        output: Which of its outputs counts, among all its tensors in order.
        way: Where it came from, in words.
        inputs: What it takes, where that is something else than one tensor as it comes.
    """
    batch = exported_batch(exported)
    program = exported.run_decompositions({}).module()
    for node in list(program.graph.nodes):
        if node.op == "call_module" and not node.users:
            program.graph.erase_node(node)  # checks of the input's shape, which segments do not have
    if inputs:
        join_placeholders(program, inputs)
    ends, order = finish(program, output)
    places = _read_scopes(program.graph)
    reserved = frozenset(path for path in places.scopes.values())
    return Traced(program, ends, order, places.returned, places.scopes, way, batch, reserved)


def exported_batch(exported: Any) -> int | None:
    """The batch size that a program was exported for; None where it holds for any."""
    stand_ins = exported_inputs(exported) or {}
    sizes = [tensor.shape[0] for tensor in stand_ins.values() if tensor.ndim]
    return next((size for size in sizes if isinstance(size, int)), None)


def exported_inputs(exported: Any) -> dict[str, Any] | None:
    """The stand-ins for the tensors that an exported program takes, by name; None where it takes something else."""
    names = exported.graph_signature.user_inputs
    found = {
        node.name: node.meta.get("val")
        for node in exported.graph.nodes
        if node.op == "placeholder" and node.name in names
    }
    is_plain = len(found) == len(names) and all(isinstance(value, torch.Tensor) for value in found.values())
    return found if is_plain else None


def trace_script(module: Any, example: Any, output: int) -> Traced:
    """The ATen operations that a TorchScript module carries out for a batch of this size."""
    from torch.fx.experimental.proxy_tensor import make_fx

    program = make_fx(module, tracing_mode="real", pre_dispatch=True)(example)
    ends, order = finish(program, output)
    paths = _restore_weights(program, module)
    places = _Places(scopes=dict.fromkeys(program.graph.nodes, ""))
    _name_by_weights(program, paths, places)
    reserved = frozenset(path for path, _ in module.named_modules())
    way = "operations recorded from TorchScript"
    return Traced(program, ends, order, places.returned, places.scopes, way, len(example), reserved, paths)


def _read_scopes(graph: fx.Graph) -> _Places:
    """Modules around each operation, and those that return it, from what `torch.export` has noted."""
    places = _Places()
    stacks: dict[fx.Node, dict[str, str]] = {}
    for node in graph.nodes:
        noted = node.meta.get("nn_module_stack") or {}
        stack = {key: str(path) for key, (path, _) in noted.items() if path and "_empty_nn" not in key}
        stacks[node] = stack
        places.scopes[node] = list(stack.values())[-1] if stack else ""
    exits: dict[tuple[str, str], list[fx.Node]] = {}
    for node, stack in stacks.items():
        for key, path in stack.items():
            if any(key not in stacks[user] for user in node.users):
                exits.setdefault((key, path), []).append(node)
    for (_, path), nodes in sorted(exits.items(), key=lambda item: -item[0][1].count(".")):
        if len(nodes) == 1:
            places.returned.setdefault(nodes[0], []).append(path)
    return places


def _restore_weights(program: fx.GraphModule, module: Any) -> dict[str, str]:
    """Tell weights from other constants of a recording, and find their paths in the module it was recorded from.

    In a frozen module there are no weights any more; then every constant counts as one.
    """
    paths = {tensor.data_ptr(): path for path, tensor in module.state_dict().items()}
    weights = {tensor.data_ptr() for tensor in module.parameters()}
    found: dict[str, str] = {}
    for name in {str(node.target) for node in program.graph.nodes if node.op == "get_attr"}:
        constant = getattr(program, name)
        if constant.data_ptr() in paths:
            found[name] = paths[constant.data_ptr()]
        if constant.is_floating_point() and (constant.data_ptr() in weights or not weights):
            delattr(program, name)
            setattr(program, name, torch.nn.Parameter(constant, requires_grad=False))
    return found


def _name_by_weights(program: fx.GraphModule, paths: Mapping[str, str], places: _Places) -> None:
    """Give operations the paths of the modules whose weights they use, where one operation uses them all."""
    users: dict[str, list[fx.Node]] = {}
    for node in program.graph.nodes:
        module = paths.get(str(node.target), "").rpartition(".")[0] if node.op == "get_attr" else ""
        for user in node.users if module else ():
            if user not in users.setdefault(module, []):
                users[module].append(user)
    for module, nodes in users.items():
        if len(nodes) == 1:
            places.returned.setdefault(nodes[0], []).append(module)


def without_wrapper(traced: Traced) -> Traced:
    """A program that was traced from `Whole`, with the paths that modules have in the network itself."""
    prefix = f"{NETWORK}."

    def shorten(path: str) -> str:
        return "" if path == NETWORK else path.removeprefix(prefix)

    program = traced.program
    constants = {str(node.target) for node in program.graph.nodes if node.op == "get_attr"}
    own = {name: name.removeprefix(prefix) for name in constants if name.startswith(prefix)}
    return replace(
        traced,
        returned={node: [shorten(path) for path in paths] for node, paths in traced.returned.items()},
        scopes={node: shorten(path) for node, path in traced.scopes.items()},
        reserved=frozenset(map(shorten, traced.reserved)),
        paths={**own, **{name: shorten(path) for name, path in traced.paths.items()}},
    )


def with_inputs(traced: Traced, inputs: Sequence[InputSpec]) -> Traced:
    """A program with what is known of the operations that give its inputs."""
    placeholder = next(node for node in traced.program.graph.nodes if node.op == "placeholder")
    given, between = find_pieces(placeholder, inputs)
    return replace(traced, given=given, between=frozenset(between))


def find_graph(ways: Sequence[Callable[[], Traced]], check: Callable[[Traced], Checked]) -> tuple[Traced, Checked]:
    """The first way's graph that passes the check, and what the check gives.

    Raises:
        UntraceableError: If there is none; says why not, for each way.
    """
    reasons: list[str] = []
    for way in ways:
        try:
            traced = way()
            return traced, check(traced)
        except Exception as error:  # noqa: BLE001 - tracing a stranger's code fails in any way there is
            reasons.append(first_line(error))
    raise UntraceableError("; ".join(dict.fromkeys(reasons)))
