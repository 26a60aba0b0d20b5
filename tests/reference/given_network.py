"""A network whose layers give the activations they are told to: what a real run makes of them can be looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.host.jobs import StreamedLayer, StreamJob
from layerwise.core.host.plans import Budget, StreamPlan, Target
from layerwise.core.network.graph import Graph, Node
from layerwise.core.network.layers import Layer
from layerwise.core.network.model import Compiled, Floats, Model, ModelInfo, WeightTensor
from layerwise.core.network.pixels import ArrayReader
from layerwise.core.network.stimuli import LoadedStimuli, Stimulus
from layerwise.core.runs.streaming.planner import plan_stream
from layerwise.core.runs.streaming.stream import stream_segments

AMPLE = Budget(memory=2**32, spool=0)


class GivenNetwork(Model):
    """input -> every layer -> output; the input is the number of the stimulus.

    Args:
        layers: (n, p) by name; what the layer answers to each stimulus.
    """

    def __init__(self, layers: dict[str, Floats]) -> None:
        self.given = layers
        nodes = [Node("input", "input", (), (1, 1, 3))]
        nodes += [Node(name, "dense", ("input",), (rows.shape[1],)) for name, rows in layers.items()]
        nodes += [Node("output", "add", tuple(layers), (1,))]
        self.graph = Graph(tuple(nodes), "output")
        self.layers = tuple(
            Layer(name, name, "dense", (rows.shape[1],), place + 1, is_main=True)
            for place, (name, rows) in enumerate(layers.items())
        )
        self.info = ModelInfo("given", "given", "given", (1, 1, 3), "none", "squash", 0)

    def preprocess(self, pixels: NDArray[np.generic]) -> Floats:
        return pixels.astype(np.float32)

    def compile(self, start: str, outputs: Sequence[str]) -> Compiled:
        assert start == "input"

        def compute(tensor: Floats) -> list[Floats]:
            numbers = (tensor.reshape(-1, 3) @ np.array([1, 256, 0])).astype(int)
            answers = {name: rows[numbers] for name, rows in self.given.items()}
            answers |= {"input": tensor, "output": np.zeros((len(tensor), 1), dtype=np.float32)}
            return [answers[name] for name in outputs]

        return compute

    def weights(self) -> Iterator[WeightTensor]:
        return iter(())


class _Collector:
    def __init__(self) -> None:
        self.layers: dict[str, StreamedLayer] = {}

    def layer_finished(self, streamed: StreamedLayer) -> None:
        self.layers[streamed.target.layer.name] = streamed

    def advance(self, n_stimuli: int, what: str) -> None:
        pass


def number_stimuli(n_stimuli: int) -> LoadedStimuli:
    """Stimuli that are their own numbers."""
    numbers = np.arange(n_stimuli)
    pixels = np.stack([numbers % 256, numbers // 256, 0 * numbers], axis=1).astype(np.uint8)
    names = tuple(f"{number:04d}" for number in numbers)
    return LoadedStimuli(
        name="numbers",
        source="given",
        stimuli=tuple(Stimulus(name) for name in names),
        pixels=ArrayReader(pixels.reshape(n_stimuli, 1, 1, 3)),
        thumbnails=(b"",) * n_stimuli,
        content_hashes=names,
        fingerprint="numbers",
        skipped=(),
        resize="squash",
    )


def _find_least(plan_for: Callable[[Budget], StreamPlan]) -> Budget:
    """The smallest budget that is not refused, by what the refusal asks for."""
    try:
        plan_for(Budget(0, 0))
    except InputError as error:
        return Budget(int(str(error).split(" MiB")[0].split()[-1]) * 2**20, 0)
    return Budget(0, 0)


def stream_given(
    layers: dict[str, Floats], budget: Budget | None = None, transform: Any = None, batch_size: int = 16
) -> dict[str, StreamedLayer]:
    """What a run makes of layers with these activations, (n, p) each, by name; None for the smallest budget."""
    network = GivenNetwork(layers)
    n_stimuli = len(next(iter(layers.values())))
    targets = tuple(Target(layer, transform) for layer in network.layers)
    features = {target.key: target.layer.n_features for target in targets}
    plan_for = partial(plan_stream, network.graph, targets, features, n_stimuli, batch_size)
    plan = plan_for(budget or _find_least(plan_for))
    sink = _Collector()
    stream_segments(StreamJob(network, number_stimuli(n_stimuli), targets, plan), sink)
    return sink.layers
