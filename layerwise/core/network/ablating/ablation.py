"""A network with some of its layers silenced: what would it make of the stimuli without them?

In place of a layer's tensor comes what says nothing of the stimulus: 0, each unit's mean over the stimuli, which
leaves what comes after in the range that it knows, or what the layer gave for another stimulus, which leaves it in
the range and with the structure that it knows. Everything else is computed as before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.base.words import near_names
from layerwise.core.network.ablating.stand_ins import Constant, Shuffled, StandIn, average, draw_partners
from layerwise.core.network.layers import Layer
from layerwise.core.network.model import Compiled, CompiledReplaced, Floats, Model, ModelInfo, WeightTensor

Substitute: TypeAlias = Literal["zero", "mean", "shuffle"]
SUBSTITUTES: tuple[Substitute, ...] = ("zero", "mean", "shuffle")
_BATCH = 16


@dataclass(frozen=True)
class Ablation:
    """Which layers are silenced, and what stands in for them.

    Attributes:
        layers: Names of layers.
        substitute: `zero`; `mean`: each unit's mean over the stimuli; or `shuffle`: another stimulus's activations,
            the same one's for all of the layers.
        seed: Of the shuffle.
    """

    layers: tuple[str, ...]
    substitute: Substitute = "zero"
    seed: int = 0

    @property
    def described(self) -> str:
        """`without mixed4d/5x5`, as names of runs have it."""
        shown = ", ".join(self.layers[:3]) + (f" and {len(self.layers) - 3} more" if len(self.layers) > 3 else "")
        return f"without {shown}" + ("" if self.substitute == "zero" else f" ({self.substitute})")

    def find(self, model: Model) -> tuple[Layer, ...]:
        """The layers of a model.

        Raises:
            InputError: If it has none of a name, or one is its input or output.
        """
        by_name = {layer.name: layer for layer in model.layers}
        for name in self.layers:
            if name not in by_name:
                near = near_names(name, list(by_name))
                raise InputError(f"there is no layer '{name}' to ablate in {model.info.name}{near}")
            if by_name[name].role in {"input", "output"}:
                raise InputError(
                    f"'{name}' is the {by_name[name].role} of {model.info.name}: nothing is left without it"
                )
        return tuple(by_name[name] for name in dict.fromkeys(self.layers))

    def describe(self, info: ModelInfo, nodes: Sequence[str], stimuli: str) -> ModelInfo:
        """What is recorded of a model without some nodes.

        Args:
            info: The intact model's.
            nodes: What is silenced.
            stimuli: Fingerprint of the stimuli, over which means are taken and activations shuffled.
        """
        told = [info.fingerprint, self.substitute, *sorted(nodes)]
        if self.substitute != "zero":
            told += [stimuli, str(self.seed if self.substitute == "shuffle" else 0)]
        digest = hashlib.sha256("\0".join(told).encode()).hexdigest()
        return replace(info, name=f"{info.name} {self.described}", fingerprint=digest)


Read: TypeAlias = "Callable[[int, int], NDArray[np.generic]]"
"""Pixels of the stimuli from one place to another."""


def ablate(model: Model, ablation: Ablation, read: Read, n_stimuli: int, stimuli: str = "") -> Model:
    """The model with layers silenced.

    Args:
        model: The intact model.
        ablation: Which, and how.
        read: Gives the stimuli, for means and shuffled activations.
        n_stimuli: Number of stimuli.
        stimuli: Their fingerprint.

    Raises:
        InputError: If a layer cannot be ablated, or nothing in the model can.
    """
    nodes = [layer.node for layer in ablation.find(model)]
    source = Source(model.graph.input, lambda start, stop: model.preprocess(read(start, stop)), n_stimuli)
    model.compile_replaced(model.graph.input, [model.graph.output], nodes)  # or an error, before anything is computed
    return AblatedModel(model, ablation, find_stand_ins(model, ablation, nodes, source), stimuli)


@dataclass(frozen=True)
class Source:
    """Where the tensors of a cut point come from.

    Attributes:
        start: The cut point.
        read: Gives its tensor for stimuli from one place to another.
        n_stimuli: Number of stimuli.
    """

    start: str
    read: Callable[[int, int], Any]
    n_stimuli: int

    def batches(self, size: int = _BATCH) -> Iterator[tuple[int, Any]]:
        """The tensor of some stimuli after the other, each with the first of them."""
        for start in range(0, self.n_stimuli, size):
            yield start, self.read(start, min(start + size, self.n_stimuli))


def find_stand_ins(model: Model, ablation: Ablation, nodes: Sequence[str], source: Source) -> dict[str, StandIn]:
    """What stands in for each of some nodes that can be computed from a cut point."""
    shapes = {node: model.graph[node].shape for node in nodes}
    if ablation.substitute == "zero" or not nodes:
        return {node: Constant(np.zeros(shape, dtype=np.float32)) for node, shape in shapes.items()}
    function = _fetching(model, model.compile(source.start, nodes))
    if ablation.substitute == "mean":
        means = average(function, nodes, (tensor for _, tensor in source.batches()))
        return {node: Constant(value) for node, value in means.items()}
    partners = draw_partners(source.n_stimuli, ablation.seed)
    shuffled = {node: Shuffled(source.n_stimuli, shape, partners) for node, shape in shapes.items()}
    for start, tensor in source.batches():
        for node, rows in zip(nodes, function(tensor), strict=True):
            shuffled[node].put(start, rows)
    return dict(shuffled)


def measure_means(
    model: Model, nodes: Sequence[str], read: Read, n_stimuli: int, batch_size: int = _BATCH
) -> dict[str, Floats]:
    """Each unit's mean over the stimuli, float32 of the node's shape, by node."""
    source = Source(model.graph.input, lambda start, stop: model.preprocess(read(start, stop)), n_stimuli)
    function = _fetching(model, model.compile(source.start, nodes))
    return average(function, nodes, (tensor for _, tensor in source.batches(batch_size)))


def _fetching(model: Model, function: Compiled) -> Compiled:
    """A compiled function whose tensors come to the host."""
    arrays = model.arrays
    if arrays is None:
        return function
    return lambda batch: [np.asarray(arrays.fetch(tensor), dtype=np.float32) for tensor in function(batch)]


class AblatedModel(Model):
    """A model of which some nodes give what stands in for them.

    Args:
        model: The intact model.
        ablation: What is silenced.
        stand_ins: What stands in, by node.
        stimuli: Fingerprint of the stimuli.
    """

    def __init__(self, model: Model, ablation: Ablation, stand_ins: Mapping[str, StandIn], stimuli: str = "") -> None:
        self.intact = model
        self.ablation = ablation
        self.graph, self.layers = model.graph, model.layers
        self.arrays, self.batch_size = model.arrays, model.batch_size
        self._stand_ins = dict(stand_ins)
        self._stimuli = stimuli
        self._describe()

    def _describe(self) -> None:
        self.info = self.ablation.describe(self.intact.info, list(self._stand_ins), self._stimuli)

    def preprocess(self, pixels: NDArray[np.generic]) -> Floats:
        """As the intact model."""
        return self.intact.preprocess(pixels)

    def compile(self, start: str, outputs: Sequence[str]) -> Compiled:
        """As the intact model, with its nodes replaced."""
        needed = set(self.graph.between([start], outputs))
        nodes = [node for node in self._stand_ins if node in needed]
        if not nodes:
            return self.intact.compile(start, outputs)
        function = self.intact.compile_replaced(start, outputs, nodes)
        return Replaced(function, [self._stand_ins[node] for node in nodes], self.arrays)

    def weights(self) -> Iterator[WeightTensor]:
        """Those of the intact model: what is silenced is still there."""
        return self.intact.weights()

    def refresh(self) -> None:
        """Read the weights anew; what stands in stays as it was."""
        self.intact.refresh()
        self._describe()


class Replaced:
    """A compiled function that is handed what stands in for nodes: for that it must know which stimuli come.

    Args:
        function: Takes the batch, and a tensor for each node.
        stand_ins: One each.
        arrays: Where tensors must be.
    """

    def __init__(self, function: CompiledReplaced, stand_ins: Sequence[StandIn], arrays: Any) -> None:
        self._function, self._stand_ins, self._arrays = function, tuple(stand_ins), arrays

    def at(self, start: int, batch: Any) -> Sequence[Any]:
        """The outputs for a batch that begins with stimulus `start`."""
        given = [stand_in.read(start, start + len(batch)) for stand_in in self._stand_ins]
        if self._arrays is not None:
            given = [self._arrays.send(np.ascontiguousarray(rows)) for rows in given]
        return list(self._function(batch, given))

    def __call__(self, batch: Any) -> Sequence[Any]:
        """The same for the first stimuli."""
        return self.at(0, batch)
