"""A PyTorch network as a `Model`: its graph, its layers, and functions that compute parts of it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from layerwise import (
    Compiled,
    Floats,
    Graph,
    Model,
    ModelInfo,
    Preprocessing,
    WeightTensor,
    derive_layers,
    fingerprint_model,
    fit_channels,
)
from numpy.typing import NDArray
from torch import fx

from layerwise_torch.layout import Layout
from layerwise_torch.observing import Seen
from layerwise_torch.segments import Segment
from layerwise_torch.tensors import Form, to_values
from layerwise_torch.tracing import Traced

Weight = tuple[str, str, Any]
"""Name of the node that uses it, name below that node, tensor."""


@dataclass(frozen=True)
class Description:
    """What is known of a network besides its graph.

    Attributes:
        name: What it is called in lists and reports.
        source: Where architecture and weights came from, in words.
        preprocessing: What is done to pixels.
        resize: The resize policy its authors used.
        class_names: Names of the outputs, if known.
        class_ids: Identifiers of the outputs, if known.
        versions: Versions of what computes it besides PyTorch.
        device: Where it runs.
    """

    name: str
    source: str
    preprocessing: Preprocessing
    resize: Any = "squash"
    class_names: tuple[str, ...] = ()
    class_ids: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    device: Any = "cpu"


class TorchModel(Model):
    """What PyTorch networks have in common, however their graph was found."""

    def __init__(self, graph: Graph, description: Description, main: Collection[str] | None = None) -> None:
        """Derive layers, and describe."""
        self.graph = graph
        self.layers = derive_layers(graph, main)
        self._preprocessing = description.preprocessing
        self._compiled: dict[tuple[str, tuple[str, ...]], Compiled] = {}
        self.info = self._describe(description)

    def _describe(self, description: Description) -> ModelInfo:
        output = self.graph[self.graph.output]
        weights = list(self.weights())
        words = description.preprocessing.words
        settings: dict[str, object] = {self.graph.input: self._program_text()}
        state = [*weights, *(WeightTensor(name, "", to_values(tensor)) for name, tensor in self._buffers())]
        height, width, channels = self.graph[self.graph.input].shape
        return ModelInfo(
            name=description.name,
            source=description.source,
            fingerprint=fingerprint_model(self.graph, settings, state, words),
            input_shape=(height, width, channels),
            preprocessing=words,
            resize=description.resize,
            n_parameters=sum(tensor.values.size for tensor in weights),
            class_names=description.class_names,
            class_ids=description.class_ids,
            has_probabilities=output.op == "softmax" and len(output.shape) == 1,
            versions={"torch": torch.__version__, **description.versions, **_describe_device(description.device)},
        )

    def preprocess(self, pixels: NDArray[np.generic]) -> Floats:
        """Pixels of shape (batch, height, width, 3) in 0..255 to the input tensor, channels last."""
        return self._preprocessing.apply(fit_channels(pixels, self.info.input_shape[2]))

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
    def _buffers(self) -> Iterator[tuple[str, Any]]:
        """Name and tensor of what else decides the computation, such as running statistics."""

    @abstractmethod
    def _program_text(self) -> list[str]:
        """What decides the computation besides weights and graph, the same in every process."""


class TracedModel(TorchModel):
    """A network whose graph is known, so that any part of it can be run by itself."""

    def __init__(
        self,
        traced: Traced,
        seen: Mapping[fx.Node, Seen],
        names: Mapping[fx.Node, str],
        layout: Layout,
        description: Description,
    ) -> None:
        self._traced, self._seen, self._names, self._layout = traced, seen, names, layout
        self._device = description.device
        super().__init__(layout.graph, description)

    def _form(self, name: str) -> Form:
        node = self._layout.nodes[name]
        seen = self._seen[node]
        return Form(self._layout.axes[node], seen.dtype, self._device, seen.is_channels_last)

    def _build(self, start: str, outputs: tuple[str, ...]) -> Compiled:
        nodes = [self._layout.nodes[name] for name in outputs]
        segment = Segment(self._traced, self._seen, self._layout.nodes[start], nodes)
        source, forms = self._form(start), [self._form(name) for name in outputs]

        def run(batch: Floats) -> Sequence[Floats]:
            tensors = segment(source.to_tensor(batch))
            return [form.to_array(tensor) for form, tensor in zip(forms, tensors, strict=True)]

        return run if self._traced.batch is None else in_fixed_batches(run, self._traced.batch)

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

    def _buffers(self) -> Iterator[tuple[str, Any]]:
        program = self._traced.program
        for node, name in self._names.items():
            if node.op == "call_module":
                module = program.get_submodule(str(node.target))
                yield from ((f"{name} {path}", tensor) for path, tensor in module.named_buffers())
            elif self._constant(node) is not None:
                yield name, self._constant(node)

    def _program_text(self) -> list[str]:
        return [self._line(node, name) for node, name in self._names.items()]

    def _line(self, node: fx.Node, name: str) -> str:
        """One operation and its arguments as text."""
        arguments = fx.node.map_arg((node.args, node.kwargs), lambda source: self._names[source])
        if node.op == "call_module":
            what = repr(self._traced.program.get_submodule(str(node.target)))
        else:
            what = "" if node.op in ("placeholder", "get_attr") else torch.typename(node.target)
            what = str(node.target) if isinstance(node.target, torch._ops.OpOverload | str) else what
            what = f"{what}.{getattr(node.target, '__name__', '')}"
        return f"{name}|{node.op}|{what}|{arguments}|{self._seen[node].dtype}"


def in_fixed_batches(run: Compiled, size: int) -> Compiled:
    """A function for any number of images from one for exactly `size`: the last batch is filled up."""

    def run_all(batch: Floats) -> Sequence[Floats]:
        pieces = []
        for start in range(0, len(batch), size):
            piece = batch[start : start + size]
            missing = size - len(piece)
            filled = np.concatenate([piece, np.repeat(piece[-1:], missing, axis=0)]) if missing else piece
            pieces.append([array[: len(piece)] for array in run(np.ascontiguousarray(filled))])
        if len(pieces) == 1:
            return pieces[0]
        return [np.concatenate(parts) for parts in zip(*pieces, strict=True)]

    return run_all


def _below(path: str, name: str) -> str:
    """A weight's path below the operation that uses it."""
    return path.removeprefix(f"{name}.") if path.startswith(f"{name}.") else path.rpartition(".")[2].strip("_")


def _describe_device(device: Any) -> dict[str, str]:
    kind = getattr(device, "type", str(device))
    if kind == "cpu":
        return {}
    name = torch.cuda.get_device_name(device) if kind == "cuda" else kind
    return {"device": str(name)}
