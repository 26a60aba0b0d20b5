"""Networks whose graph cannot be found: their layers are what their modules return, seen by hooks.

What depends on what is not known then, so that there are no blocks, and each pass runs the whole network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from layerwise.plugin import Compiled, CompiledReplaced, Graph, InputError, ModelDescription, Node

from layerwise_torch.identity import Reader
from layerwise_torch.model import PICTURES, Taken, TorchModel, Weight
from layerwise_torch.naming import INPUT, choose_path
from layerwise_torch.ops import describe_op, module_window
from layerwise_torch.preparing import Prepared
from layerwise_torch.tensors import Form

SOFTMAX = "softmax"


@dataclass
class _Watched:
    """What the modules of one call of the network have returned, in order, and which modules those were."""

    tensors: list[Any] = field(default_factory=list)
    paths: list[list[str]] = field(default_factory=list)
    originals: list[Any] = field(default_factory=list)

    def add(self, path: str, value: Any) -> None:
        """Take in what a module returned; the modules around it may return the same."""
        if not isinstance(value, torch.Tensor):
            return
        place = self.find(value)
        if place is not None:
            self.paths[place].append(path)
            return
        self.originals.append(value)
        self.tensors.append(value.clone())  # an operation in place may write over it
        self.paths.append([path])

    def find(self, value: Any) -> int | None:
        """The place of a tensor among those that were returned, None where it is not there."""
        return next((place for place, known in enumerate(self.originals) if known is value), None)

    def named(self) -> dict[str, tuple[Any, list[str]]]:
        """Each tensor under its name, with the modules that return it."""
        names: dict[str, tuple[Any, list[str]]] = {}
        used: set[str] = {INPUT}
        for tensor, paths in zip(self.tensors, self.paths, strict=True):
            name = choose_path(paths, used)
            used.add(name)
            names[name] = (tensor, paths)
        return names


class HookedModel(TorchModel):
    """A network that is run as a whole while its modules are watched."""

    def __init__(
        self, prepared: Prepared, softmax: bool, description: ModelDescription, taken: Taken = PICTURES
    ) -> None:
        self._prepared, self._softmax = prepared, softmax
        self._forms: dict[str, Form] = {}
        nodes, main = self._find_nodes()
        super().__init__(Graph(tuple(nodes), nodes[-1].name), description, prepared.placement, main, taken)

    def _watch(self, images: Any) -> dict[str, tuple[Any, list[str]]]:
        """Run the network: each tensor that a module returned, the output last, by name."""
        watched = _Watched()
        with _hooks(self._prepared.network, watched.add), torch.no_grad():
            value = self._prepared.run(images)
        seen = watched.named()
        place = watched.find(value)
        name = "output" if place is None else list(seen)[place]
        # What was computed beside the output, and after it, comes before it here: the last node is the output.
        seen[name] = (value, seen.pop(name, (value, []))[1])
        if self._softmax:
            seen[SOFTMAX] = (value.softmax(-1), [])
        return seen

    def _find_nodes(self) -> tuple[list[Node], set[str]]:
        batches = self._prepared.batches
        runs = [self._watch(images) for images in batches]
        if self._prepared.inputs:  # which keep their axes as they are
            axis = batches[0].ndim - 1
            self._forms[INPUT] = self._form(axis, batches[0].dtype)
        else:
            axis = 1
            self._forms[INPUT] = self._form(axis, batches[0].dtype, is_channels_last=True)
        nodes = [Node(INPUT, "input", (), _moved(tuple(batches[0].shape[1:]), axis - 1))]
        main = {INPUT}
        for name, (tensor, paths) in runs[0].items():
            if not _is_activation([run[name][0] for run in runs if name in run], [len(batch) for batch in batches]):
                continue
            # With no other source known than the input, nothing counts as a place where the network could be cut.
            source = nodes[-1].name if name == SOFTMAX else INPUT
            nodes.append(self._node(name, source, tensor))
            if any("." not in path for path in paths):
                main.add(name)
        return nodes, main | {nodes[-1].name}

    def _node(self, name: str, source: str, tensor: Any) -> Node:
        module = self._module(name)
        behind = tensor.ndim not in (4, 5) or type(module).__name__ in ("Linear", "LayerNorm")
        axis = tensor.ndim - 1 if behind else 1
        self._forms[name] = self._form(axis, tensor.dtype)
        op = describe_op(type(module).__name__) if module is not None else name
        kernel = module_window(module) if op in ("conv", "pool") else None
        return Node(name, op, (source,), _moved(tuple(tensor.shape[1:]), axis - 1), kernel)

    def _form(self, axis: int, dtype: Any, *, is_channels_last: bool = False) -> Form:
        placement = self._prepared.placement
        return Form(axis, dtype, placement.device, is_channels_last, placement.keeps_tensors)

    def _module(self, name: str) -> Any:
        modules: Mapping[str, Any] = dict(self._prepared.network.named_modules())
        return modules.get(name.partition(":")[0])

    def compile_replaced(self, start: str, outputs: Sequence[str], replaced: Sequence[str]) -> CompiledReplaced:
        """Not possible: between its modules the network does what nobody sees.

        Raises:
            InputError: Always.
        """
        del start, outputs, replaced
        raise InputError(
            f"nothing in model '{self.info.name}' can be ablated: its graph could not be traced, so it is run whole"
        )

    def _build(self, start: str, outputs: tuple[str, ...]) -> Compiled:
        reachable = {start, SOFTMAX} if start in self.graph.cut_points() else {start}
        if start != INPUT and not reachable.issuperset(outputs):
            raise ValueError(f"{', '.join(outputs)} cannot be computed from '{start}' alone")

        def run(batch: Any) -> Sequence[Any]:
            tensor = self._forms[start].to_tensor(batch)
            tensors = {start: tensor}
            if start == INPUT:
                tensors |= {name: value for name, (value, _) in self._watch(tensor).items()}
            elif SOFTMAX in outputs and start != SOFTMAX:
                tensors[SOFTMAX] = tensor.softmax(-1)
            missing = [name for name in outputs if name not in tensors]
            if missing:
                raise InputError(f"'{missing[0]}' is not computed for every image; select layers that are")
            return [self._forms[name].from_tensor(tensors[name]) for name in outputs]

        return run

    def _parameters(self) -> Iterator[Weight]:
        for path, module in self._prepared.network.named_modules():
            own = module.named_parameters(recurse=False)
            yield from ((path or "model", name, tensor) for name, tensor in own)

    def _read_program(self, reader: Reader) -> object:
        prepared = self._prepared
        return [str(prepared.dtype), prepared.output, self._softmax, reader.read(prepared.network)]


@contextmanager
def _hooks(module: Any, see: Callable[[str, Any], None]) -> Iterator[None]:
    """Within it, `see` is called with the path and the value of every module that returns."""

    def watch(path: str) -> Callable[[Any, Any, Any], None]:
        return lambda _module, _arguments, value: see(path, value)

    handles = [part.register_forward_hook(watch(path)) for path, part in module.named_modules() if path]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _is_activation(tensors: Sequence[Any], sizes: Sequence[int]) -> bool:
    """Whether a module gave a row of numbers for each image, of a shape that depends on nothing else."""
    if len(tensors) < len(sizes) or any(not tensor.is_floating_point() or tensor.ndim < 2 for tensor in tensors):
        return False
    rows = all(len(tensor) == size for tensor, size in zip(tensors, sizes, strict=True))
    return rows and len({tuple(tensor.shape[1:]) for tensor in tensors}) == 1


def _moved(shape: tuple[int, ...], place: int) -> tuple[int, ...]:
    return (*shape[:place], *shape[place + 1 :], shape[place])
