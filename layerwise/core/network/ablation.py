"""A network with some of its layers silenced: what would it make of the stimuli without them?

The tensor of a layer is put in place of by numbers that say nothing of the stimulus: 0, or each unit's mean over the
stimuli, which leaves what comes after in the range that it knows. Everything else is computed as before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.base.words import near_names
from layerwise.core.network.layers import Layer
from layerwise.core.network.model import Compiled, Floats, Model, WeightTensor

Substitute: TypeAlias = Literal["zero", "mean"]
SUBSTITUTES: tuple[Substitute, ...] = ("zero", "mean")


@dataclass(frozen=True)
class Ablation:
    """Which layers are silenced, and what stands in for them.

    Attributes:
        layers: Names of layers.
        substitute: `zero`, or `mean`: each unit's mean over the stimuli.
    """

    layers: tuple[str, ...]
    substitute: Substitute = "zero"

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


Read: TypeAlias = "Callable[[int, int], NDArray[np.generic]]"
"""Pixels of the stimuli from one place to another."""


def ablate(model: Model, ablation: Ablation, read: Read, n_stimuli: int) -> Model:
    """The model with layers silenced.

    Args:
        model: The intact model.
        ablation: Which, and how.
        read: Gives the stimuli, for their means.
        n_stimuli: Number of stimuli.

    Raises:
        InputError: If a layer cannot be ablated, or nothing in the model can.
    """
    layers = ablation.find(model)
    shapes = {layer.node: model.graph[layer.node].shape for layer in layers}
    if ablation.substitute == "mean":
        values = measure_means(model, tuple(shapes), read, n_stimuli)
    else:
        values = {node: np.zeros(shape, dtype=np.float32) for node, shape in shapes.items()}
    return AblatedModel(model, ablation, values)


def measure_means(
    model: Model,
    nodes: Sequence[str],
    read: Read,
    n_stimuli: int,
    batch_size: int = 16,
) -> dict[str, Floats]:
    """Each unit's mean over the stimuli, float32 of the node's shape, by node."""
    starts = range(0, n_stimuli, batch_size)
    batches = (model.preprocess(read(start, min(start + batch_size, n_stimuli))) for start in starts)
    return average(model.compile(model.graph.input, nodes), nodes, batches)


def average(function: Compiled, nodes: Sequence[str], batches: Iterable[Floats]) -> dict[str, Floats]:
    """The mean over all batches of what a compiled function gives, by the node of each output; summed in float64."""
    sums: dict[str, NDArray[np.float64]] = {}
    n_stimuli = 0
    for batch in batches:
        n_stimuli += len(batch)
        for node, tensor in zip(nodes, function(batch), strict=True):
            total = np.asarray(tensor).sum(axis=0, dtype=np.float64)
            sums[node] = sums[node] + total if node in sums else total
    return {node: (total / n_stimuli).astype(np.float32) for node, total in sums.items()}


class AblatedModel(Model):
    """A model some of whose nodes give the same tensor for every stimulus.

    Args:
        model: The intact model.
        ablation: What is silenced.
        values: float32 of the node's shape, by node.
    """

    def __init__(self, model: Model, ablation: Ablation, values: Mapping[str, Floats]) -> None:
        self.intact = model
        self.ablation = ablation
        self.graph, self.layers = model.graph, model.layers
        self.arrays, self.batch_size = model.arrays, model.batch_size
        self._values = dict(values)
        model.compile_replaced(model.graph.input, [model.graph.output], self._values)  # or an error, now
        self._describe()

    def _describe(self) -> None:
        info = self.intact.info
        digest = hashlib.sha256(info.fingerprint.encode())
        for node in sorted(self._values):
            digest.update(node.encode() + b"\0" + np.ascontiguousarray(self._values[node]).tobytes())
        name = f"{info.name} {self.ablation.described}"
        self.info = replace(info, name=name, fingerprint=digest.hexdigest())

    def preprocess(self, pixels: NDArray[np.generic]) -> Floats:
        """As the intact model."""
        return self.intact.preprocess(pixels)

    def compile(self, start: str, outputs: Sequence[str]) -> Compiled:
        """As the intact model, with its nodes replaced."""
        return self.intact.compile_replaced(start, outputs, self._values)

    def weights(self) -> Iterator[WeightTensor]:
        """Those of the intact model: what is silenced is still there."""
        return self.intact.weights()

    def refresh(self) -> None:
        """Read the weights anew; means stay as they were."""
        self.intact.refresh()
        self._describe()
