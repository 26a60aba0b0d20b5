"""A small inception network in plain NumPy, and the handwritten digits that it reads.

It is real in miniature: its filters are fixed and random, its last weights are fitted to digits that are not among
the stimuli, and it tells four of five digits right. So its layers move from what digits look like to what they are,
as those of a large network do, in milliseconds and without a download (the digits come with scikit-learn).
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.network.graph import Graph, Node
from layerwise.core.network.layers import Layer, Role
from layerwise.core.network.model import Compiled, Floats, Model, ModelInfo, WeightTensor
from layerwise.core.network.pixels import ArrayReader
from layerwise.core.network.products import represent
from layerwise.core.network.representation import Representation
from layerwise.core.network.stimuli import LoadedStimuli, Stimulus

SIDE = 8
N_CLASSES = 10
FIRST_TRAINED = 600
"""Digits from here on are what the last weights are fitted to; those before may be stimuli."""

_NODES = (
    Node("input", "input", (), (SIDE, SIDE, 3)),
    Node("conv", "conv", ("input",), (8, 8, 12), (3, 3)),
    Node("pool", "pool", ("conv",), (4, 4, 12), (2, 2)),
    Node("a", "conv", ("pool",), (4, 4, 8), (1, 1)),
    Node("b", "conv", ("pool",), (4, 4, 6), (3, 3)),
    Node("c", "conv", ("pool",), (4, 4, 4), (1, 1)),
    Node("block", "concat", ("a", "b", "c"), (4, 4, 18)),
    Node("average", "pool", ("block",), (2, 2, 18), (2, 2)),
    Node("logits", "dense", ("average",), (N_CLASSES,)),
    Node("output", "softmax", ("logits",), (N_CLASSES,)),
)
_N_AVERAGED = 2 * 2 * 18
_BRANCHES = {"a": "1x1", "b": "3x3", "c": "pool"}
_ROLES: dict[str, Role] = {"input": "input", "logits": "logits", "output": "output"}


class ToyModel(Model):
    """input -> conv -> pool -> block (three branches) -> average -> logits -> output; 8 x 8 pixels to ten digits.

    Its layers: `input`, `conv`, `pool`, `block/1x1`, `block/3x3`, `block/pool`, `block`, `average`, `logits` and
    `output`.

    Args:
        learned: From 0 (its last weights are random) to 1 (fitted): checkpoints of a training, in short.
        seed: Of the random weights.
    """

    def __init__(self, learned: float = 1.0, seed: int = 0) -> None:
        self._learned, self._seed = learned, seed
        self.graph = Graph(_NODES, "output")
        self.layers = tuple(_make_layer(node, position) for position, node in enumerate(_NODES))
        self.info = ModelInfo(
            name="toy-digits",
            source=f"fixed filters, seed {seed}, {learned:.0%} trained",
            fingerprint=hashlib.sha256(f"toy-digits {learned} {seed}".encode()).hexdigest(),
            input_shape=(SIDE, SIDE, 3),
            preprocessing="divided by 255",
            resize="squash",
            n_parameters=3 * 3 * 3 * 12 + 12 * 8 + 3 * 3 * 12 * 6 + 12 * 4 + 2 * 2 * 18 * N_CLASSES,
            class_names=tuple(str(digit) for digit in range(N_CLASSES)),
            has_probabilities=True,
        )

    def preprocess(self, pixels: NDArray[np.generic]) -> Floats:
        """Pixels in 0..255 to 0..1."""
        return np.asarray(np.divide(pixels, 255, dtype=np.float32))

    def compile(self, start: str, outputs: Sequence[str]) -> Compiled:
        """A function that computes what lies between `start` and `outputs`."""
        weights = self._weights
        return lambda tensor: _compute(weights, self.graph, start, tensor, outputs)

    def weights(self) -> Iterator[WeightTensor]:
        """The kernels, in order of computation."""
        for name, values in self._weights.items():
            layer = f"block/{_BRANCHES[name]}" if name in _BRANCHES else name
            yield WeightTensor(f"{layer}/kernel", layer, values)

    @cached_property
    def _weights(self) -> dict[str, Floats]:
        last = self._learned * _fit_last(self._seed) if self._learned else 0
        last = last + (1 - self._learned) * _draw_last(self._seed)
        return _draw_filters(self._seed) | {"logits": last.astype(np.float32)}


def _make_layer(node: Node, position: int) -> Layer:
    branch = _BRANCHES.get(node.name)
    return Layer(
        name=f"block/{branch}" if branch else node.name,
        node=node.name,
        op=node.op,
        shape=node.shape,
        position=position,
        role=_ROLES.get(node.name, "hidden"),
        is_main=branch is None,
        block="block" if branch or node.name == "block" else None,
        branch=branch,
        parts=tuple(f"block/{label}" for label in _BRANCHES.values()) if node.name == "block" else (),
    )


def _draw_filters(seed: int) -> dict[str, Floats]:
    rng = np.random.default_rng(seed)
    shapes = {"conv": (3, 3, 3, 12), "a": (1, 1, 12, 8), "b": (3, 3, 12, 6), "c": (1, 1, 12, 4)}
    drawn = {name: rng.normal(size=shape) / np.sqrt(np.prod(shape[:3])) for name, shape in shapes.items()}
    return {name: values.astype(np.float32) for name, values in drawn.items()}


def _draw_last(seed: int) -> NDArray[np.float64]:
    return np.random.default_rng([seed, 1]).normal(size=(_N_AVERAGED, N_CLASSES))


@lru_cache(maxsize=4)
def _fit_last(seed: int) -> NDArray[np.float64]:
    """The last weights, by ridge regression of ten times the right answer on the averaged block."""
    pixels, labels = _read_digits()
    tensor = np.divide(pixels[FIRST_TRAINED:], 255, dtype=np.float32)
    features = _compute(_draw_filters(seed), Graph(_NODES, "output"), "input", tensor, ["average"])[0]
    rows = features.reshape(len(features), -1).astype(np.float64)
    wanted = 10.0 * np.eye(N_CLASSES)[labels[FIRST_TRAINED:]]
    fitted = np.linalg.solve(rows.T @ rows + np.eye(_N_AVERAGED), rows.T @ wanted)
    return np.asarray(fitted, dtype=np.float64)


def _compute(
    weights: dict[str, Floats], graph: Graph, start: str, tensor: Floats, outputs: Sequence[str]
) -> list[Floats]:
    """The tensors of the nodes `outputs` from that of the node `start`."""
    wanted = graph.ancestors(outputs)
    known = {start: tensor}
    for node in graph:
        ready = node.inputs and all(name in known for name in node.inputs)
        if node.name in wanted and node.name not in known and ready:
            known[node.name] = _apply(node.name, [known[name] for name in node.inputs], weights)
    return [known[name] for name in outputs]


def _apply(name: str, inputs: Sequence[Floats], weights: dict[str, Floats]) -> Floats:
    """One node's tensor, (batch, *shape)."""
    first = inputs[0]
    if name == "block":
        return np.concatenate(inputs, axis=-1)
    if name == "pool":
        return np.asarray(_fold(first).max(axis=(2, 4)))
    if name == "average":
        return np.asarray(_fold(first).mean(axis=(2, 4)))
    if name == "logits":
        return np.asarray(first.reshape(len(first), -1) @ weights[name])
    if name == "output":
        power = np.exp(first - first.max(axis=1, keepdims=True))
        return np.asarray(power / power.sum(axis=1, keepdims=True))
    return np.maximum(_convolve(first, weights[name]), 0)


def _fold(tensor: Floats) -> Floats:
    """(batch, h, w, c) to (batch, h/2, 2, w/2, 2, c): windows of two by two."""
    n, height, width, channels = tensor.shape
    return tensor.reshape(n, height // 2, 2, width // 2, 2, channels)


def _convolve(tensor: Floats, kernel: Floats) -> Floats:
    """Convolution with zeros around, (batch, h, w, c) to (batch, h, w, filters)."""
    size = kernel.shape[0]
    edge = size // 2
    padded = np.pad(tensor, ((0, 0), (edge, edge), (edge, edge), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(1, 2))  # (n, h, w, c, size, size)
    rows = windows.transpose(0, 1, 2, 4, 5, 3).reshape(*tensor.shape[:3], -1)
    return np.asarray(rows @ kernel.reshape(-1, kernel.shape[-1]))


@lru_cache(maxsize=1)
def _read_digits() -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    """All digits: (1797, 8, 8, 3) pixels in 0..255, and which digit each is."""
    from sklearn.datasets import load_digits as read

    images, labels = read(return_X_y=True)
    grey = np.rint(images.reshape(-1, SIDE, SIDE) * (255 / 16)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=-1), labels.astype(np.intp)


def load_digits(n_stimuli: int = 40) -> LoadedStimuli:
    """Handwritten digits (Alpaydin and Kaynak 1998, from scikit-learn), decoded as a run would have them.

    Args:
        n_stimuli: How many, at most 600; the later ones are what the toy network learned from.

    Raises:
        InputError: If there are not so many.
    """
    if not 0 < n_stimuli <= FIRST_TRAINED:
        raise InputError(f"there are {FIRST_TRAINED} digits to be stimuli, not {n_stimuli}")
    pixels, labels = _read_digits()
    chosen = pixels[:n_stimuli]
    hashes = tuple(hashlib.sha256(image.tobytes()).hexdigest() for image in chosen)
    return LoadedStimuli(
        name="digits",
        source="scikit-learn",
        stimuli=tuple(Stimulus(f"digit-{index:03d}", str(labels[index])) for index in range(n_stimuli)),
        pixels=ArrayReader(chosen),
        thumbnails=tuple(_draw_thumbnail(image) for image in chosen),
        content_hashes=hashes,
        fingerprint=hashlib.sha256("\n".join(hashes).encode()).hexdigest(),
        skipped=(),
        resize="squash",
    )


def _draw_thumbnail(image: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    written = io.BytesIO()
    Image.fromarray(image).resize((48, 48), Image.Resampling.NEAREST).save(written, "PNG")
    return written.getvalue()


def make_representations(n_stimuli: int = 40) -> dict[str, Representation]:
    """What each layer of the toy network makes of digits: small, but real representations, by name of the layer.

    Args:
        n_stimuli: How many digits, at most 600.
    """
    model, pixels = ToyModel(), load_digits(n_stimuli).read(0, n_stimuli)
    tensors = model.compile("input", [layer.node for layer in model.layers])(model.preprocess(pixels))
    return {layer.name: represent(tensor) for layer, tensor in zip(model.layers, tensors, strict=True)}
