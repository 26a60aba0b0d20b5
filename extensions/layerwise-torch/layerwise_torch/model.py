"""A PyTorch network as a `Model`: its graph, its layers, and functions that compute parts of it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from layerwise.plugin import (
    Compiled,
    CompiledReplaced,
    Graph,
    InputSpec,
    Model,
    ModelDescription,
    ModelInfo,
    WeightTensor,
    derive_layers,
    describe_model,
    fit_channels,
)
from numpy.typing import NDArray
from torch import fx

from layerwise_torch.devices import Placement
from layerwise_torch.identity import Reader
from layerwise_torch.layout import Layout
from layerwise_torch.observing import Seen
from layerwise_torch.segments import Segment
from layerwise_torch.tensors import Form, apply_affine, send_pixels, to_values
from layerwise_torch.texts import TextReader
from layerwise_torch.tracing import Traced

Weight = tuple[str, str, Any]
"""Name of the node that uses it, name below that node, tensor."""


@dataclass(frozen=True)
class Taken:
    """What goes into a network where that is not one picture.

    Attributes:
        inputs: What the network itself takes; none for pictures.
        reader: Makes tokens of texts, where texts go in.
    """

    inputs: tuple[InputSpec, ...] = ()
    reader: TextReader | None = None


PICTURES = Taken()


class TorchModel(Model):
    """What PyTorch networks have in common, however their graph was found."""

    def __init__(
        self,
        graph: Graph,
        description: ModelDescription,
        placement: Placement,
        main: Collection[str] | None = None,
        taken: Taken = PICTURES,
    ) -> None:
        """Derive layers, and describe."""
        self.graph = graph
        self._reader = taken.reader
        self.inputs = taken.inputs if taken.reader is None else (taken.reader.spec,)
        self.takes_any_size = any(spec.is_open for spec in self.inputs)
        self.layers = derive_layers(graph, main)
        self.arrays = placement.make_arrays()
        self.batch_size = placement.choose_batch(graph)
        self._placement = placement
        versions = {"torch": torch.__version__, **description.versions}
        self._description = replace(description, versions=versions)
        self._compiled: dict[tuple[str, tuple[str, ...]], Compiled] = {}
        self._update: Callable[[], None] | None = None
        self.info = self._describe()

    def _describe(self) -> ModelInfo:
        reader = Reader()
        program = self._read_program(reader)
        if self._reader is not None:
            program = [program, self._reader.identity]
        weights = {id(tensor): tensor for _, _, tensor in self._parameters()}
        n_parameters = sum(tensor.numel() for tensor in weights.values())
        return describe_model(self.graph, self._description, program, reader.state(), n_parameters)

    def follow(self, update: Callable[[], None]) -> None:
        """Let `refresh` first bring the weights up to date, in place, by calling `update`."""
        self._update = update

    def refresh(self) -> None:
        """Take in the weights that the network has by now; graph and functions, which hold them, stay.

        Raises:
            InputError: If the network no longer has the same weights.
        """
        if self._update is not None:
            self._update()
        self.info = replace(self.info, fingerprint=self._describe().fingerprint)

    def preprocess(self, pixels: NDArray[np.generic]) -> Any:
        """Pixels of shape (batch, height, width, 3) in 0..255 to the input tensor, channels last."""
        if self.inputs:
            return self._take_values(pixels)
        fitting = fit_channels(pixels, self.info.input_shape[2])
        preprocessing = self._description.preprocessing
        if self.arrays is None:
            return preprocessing.apply(fitting)
        if preprocessing.affine is None:
            return send_pixels(preprocessing.apply(fitting), self._placement.device)
        return apply_affine(preprocessing.affine, send_pixels(fitting, self._placement.device))

    def _take_values(self, values: NDArray[np.generic]) -> Any:
        """Values as they are given; of texts the tokens."""
        given = values if self._reader is None else self._reader.read(values)
        plain = np.ascontiguousarray(given, np.float32)
        return plain if self.arrays is None else torch.from_numpy(plain.copy()).to(self._placement.device)

    def compile(self, start: str, outputs: Sequence[str]) -> Compiled:
        """A function from the tensor of node `start` to those of the nodes `outputs`; the same one every time."""
        key = (start, tuple(outputs))
        if key not in self._compiled:
            self._compiled[key] = self._build(start, tuple(outputs))
        return self._compiled[key]

    def weights(self) -> Iterator[WeightTensor]:
        """The weights that take part in the computation, in order; one that several operations share comes once."""
        layer_of = {layer.node: layer.name for layer in self.layers}
        seen: set[int] = set()
        used: set[str] = set()
        for node, path, tensor in self._parameters():
            if id(tensor) in seen or not tensor.is_floating_point():
                continue
            seen.add(id(tensor))
            layer = layer_of.get(node, node)
            name = f"{layer}/{path}"
            while name in used:
                name += "'"
            used.add(name)
            yield WeightTensor(name, layer, to_values(tensor))

    @abstractmethod
    def _build(self, start: str, outputs: tuple[str, ...]) -> Compiled:
        """As `compile`, which keeps it."""

    @abstractmethod
    def _parameters(self) -> Iterator[Weight]:
        """The weights, in order of computation."""

    @abstractmethod
    def _read_program(self, reader: Reader) -> object:
        """All that decides the computation, in plain values; tensors are left with the reader."""


class TracedModel(TorchModel):
    """A network whose graph is known, so that any part of it can be run by itself."""

    def __init__(
        self,
        traced: Traced,
        seen: Mapping[fx.Node, Seen],
        names: Mapping[fx.Node, str],
        layout: Layout,
        description: ModelDescription,
        placement: Placement,
        taken: Taken = PICTURES,
    ) -> None:
        self._traced, self._seen, self._names, self._layout = traced, seen, names, layout
        super().__init__(layout.graph, description, placement, taken=taken)

    def _form(self, name: str) -> Form:
        node = self._layout.nodes[name]
        seen, placement = self._seen[node], self._placement
        axis = self._layout.axes[node]
        return Form(axis, seen.dtype, placement.device, seen.is_channels_last, placement.keeps_tensors)

    def compile_replaced(self, start: str, outputs: Sequence[str], replaced: Sequence[str]) -> CompiledReplaced:
        """The same with nodes whose tensors are given."""
        known = [self._layout.nodes[name] for name in (start, *replaced)]
        segment = Segment(self._traced, self._seen, known, [self._layout.nodes[name] for name in outputs])
        sources, forms = ([self._form(name) for name in names] for names in ((start, *replaced), outputs))

        def run(batch: Any, given: Sequence[Any]) -> Sequence[Any]:
            tensors = [form.to_tensor(rows) for form, rows in zip(sources, (batch, *given), strict=True)]
            with self._placement.precision():
                found = segment(*tensors)
            return [form.from_tensor(tensor) for form, tensor in zip(forms, found, strict=True)]

        return run if self._traced.batch is None else in_fixed_batches(run, self._traced.batch)

    def _build(self, start: str, outputs: tuple[str, ...]) -> Compiled:
        run = self.compile_replaced(start, outputs, ())
        return lambda batch: run(batch, ())

    def _parameters(self) -> Iterator[Weight]:
        program = self._traced.program
        for node, name in self._names.items():
            if node.op == "call_module":
                module = program.get_submodule(str(node.target))
                yield from ((name, path, tensor) for path, tensor in module.named_parameters())
            for source in node.all_input_nodes:
                tensor = self._constant(source)
                if isinstance(tensor, torch.nn.Parameter):
                    path = self._traced.paths.get(str(source.target), str(source.target))
                    yield name, _below(path, name), tensor

    def _constant(self, node: fx.Node) -> Any:
        """The tensor that an operation fetches, None where it does something else."""
        if node.op != "get_attr":
            return None
        value: Any = self._traced.program
        for part in str(node.target).split("."):
            value = getattr(value, part)
        return value if isinstance(value, torch.Tensor) and value.ndim > 0 else None

    def _read_program(self, reader: Reader) -> object:
        form = self._form(self.graph.input)
        return [str(form.dtype), self._traced.batch, reader.read_graph(self._traced.program)]


def in_fixed_batches(run: CompiledReplaced, size: int) -> CompiledReplaced:
    """A function for any number of images from one for exactly `size`: the last batch is filled up."""

    def run_all(batch: Any, given: Sequence[Any]) -> Sequence[Any]:
        pieces = []
        for start in range(0, len(batch), size):
            n_left = len(batch[start : start + size])
            filled, *others = (_fill(rows[start : start + size], size) for rows in (batch, *given))
            pieces.append([array[:n_left] for array in run(filled, others)])
        if len(pieces) == 1:
            return pieces[0]
        return [_join(parts) for parts in zip(*pieces, strict=True)]

    return run_all


def _fill(rows: Any, size: int) -> Any:
    missing = size - len(rows)
    return _join([rows, *[rows[-1:]] * missing]) if missing else rows


def _join(parts: Sequence[Any]) -> Any:
    return np.concatenate(parts) if isinstance(parts[0], np.ndarray) else torch.cat(tuple(parts))


def _below(path: str, name: str) -> str:
    """A weight's path below the operation that uses it."""
    return path.removeprefix(f"{name}.") if path.startswith(f"{name}.") else path.rpartition(".")[2].strip("_")
