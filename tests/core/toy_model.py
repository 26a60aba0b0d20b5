"""A small inception-like network in plain NumPy, for tests of everything that runs a network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from layerwise.core.network.graph import Graph, Node
from layerwise.core.network.layers import Layer
from layerwise.core.network.model import Compiled, Floats, Model, ModelInfo, WeightTensor
from layerwise.core.network.pixels import ArrayReader
from layerwise.core.network.stimuli import LoadedStimuli, Stimulus

SIDE = 12


class ToyModel(Model):
    """input -> conv -> pool -> block (a, b, c) -> dense logits -> softmax.

    Attributes:
        n_calls: Stimuli computed so far, by start node and outputs.
    """

    def __init__(self, offset: float = 0.0, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self._weights = {
            "conv": rng.normal(size=(3, 16)).astype(np.float32),
            "a": rng.normal(size=(16, 8)).astype(np.float32),
            "b": rng.normal(size=(16, 5)).astype(np.float32),
            "c": rng.normal(size=(16, 3)).astype(np.float32),
            "logits": rng.normal(size=(16, 10)).astype(np.float32),
        }
        for weight in self._weights.values():
            weight[:, 0] = np.abs(weight[:, 0])  # one channel that is alive whatever comes
        self._offset = np.float32(offset)
        half = (SIDE // 2, SIDE // 2)
        self.graph = Graph(
            (
                Node("input", "input", (), (SIDE, SIDE, 3)),
                Node("conv", "conv", ("input",), (SIDE, SIDE, 16), (1, 1)),
                Node("pool", "pool", ("conv",), (*half, 16), (2, 2)),
                Node("a", "conv", ("pool",), (*half, 8), (1, 1)),
                Node("b", "conv", ("pool",), (*half, 5), (3, 3)),
                Node("c", "pool", ("pool",), (*half, 3), (2, 2)),
                Node("block", "concat", ("a", "b", "c"), (*half, 16)),
                Node("logits", "dense", ("block",), (10,)),
                Node("output", "softmax", ("logits",), (10,)),
            ),
            "output",
        )
        names = {"a": "block/a", "b": "block/b", "c": "block/c"}
        roles = {"input": "input", "logits": "logits", "output": "output"}
        self.layers = tuple(
            Layer(
                name=names.get(node.name, node.name),
                node=node.name,
                op=node.op,
                shape=node.shape,
                position=position,
                role=roles.get(node.name, "hidden"),  # type: ignore[arg-type]
                is_main=node.name not in names and node.name != "logits",
                block="block" if node.name in names or node.name == "block" else None,
                branch=node.name if node.name in names else None,
                parts=tuple(names.values()) if node.name == "block" else (),
            )
            for position, node in enumerate(self.graph)
        )
        self.info = ModelInfo(
            name="toy",
            source=f"seed {seed}",
            fingerprint=f"toy-{seed}-{offset}",
            input_shape=(SIDE, SIDE, 3),
            preprocessing="divided by 255",
            resize="squash",
            n_parameters=sum(weight.size for weight in self._weights.values()),
            class_names=tuple("abcdefghij"),
            has_probabilities=True,
        )
        self.calls: list[tuple[str, tuple[str, ...], int]] = []

    def preprocess(self, pixels: NDArray[np.generic]) -> Floats:
        return pixels.astype(np.float32) / 255

    def compile(self, start: str, outputs: Sequence[str]) -> Compiled:
        def compute(tensor: Floats) -> list[Floats]:
            self.calls.append((start, tuple(outputs), len(tensor)))
            known = {start: tensor}
            with np.errstate(invalid="ignore"):
                for node in self.graph:
                    if node.name not in known and node.inputs and all(name in known for name in node.inputs):
                        known[node.name] = self._apply(node, [known[name] for name in node.inputs])
            return [known[name] for name in outputs]

        return compute

    def _apply(self, node: Node, inputs: list[Floats]) -> Floats:
        first = inputs[0]
        if node.name == "pool":
            return first.reshape(len(first), SIDE // 2, 2, SIDE // 2, 2, 16).max(axis=(2, 4))
        if node.name == "block":
            return np.concatenate(inputs, axis=-1)
        if node.name == "logits":
            return first.mean(axis=(1, 2)) @ self._weights["logits"]
        if node.name == "output":
            power = np.exp(first - first.max(axis=1, keepdims=True))
            return power / power.sum(axis=1, keepdims=True)
        return np.maximum(first @ self._weights[node.name], 0) + self._offset

    def weights(self) -> Iterator[WeightTensor]:
        for name, values in self._weights.items():
            yield WeightTensor(f"{name}/kernel", name, values)


def make_stimuli(n_stimuli: int, seed: int = 0, *, constant: Sequence[int] = ()) -> LoadedStimuli:
    """Random pixels; those at the `constant` positions are one grey."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, size=(n_stimuli, SIDE, SIDE, 3), dtype=np.uint8)
    pixels[list(constant)] = 128
    return LoadedStimuli(
        name="noise",
        source="noise",
        stimuli=tuple(Stimulus(f"{index}.png", "abcdefghij"[index % 10]) for index in range(n_stimuli)),
        pixels=ArrayReader(pixels),
        thumbnails=(b"",) * n_stimuli,
        content_hashes=tuple(f"{seed}-{index}" for index in range(n_stimuli)),
        fingerprint=f"noise-{seed}-{n_stimuli}",
        skipped=(),
        resize="squash",
    )
