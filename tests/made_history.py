"""A history in memory with made-up but structured runs, written as the engine writes them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from layerwise.core.base.provider import Provider
from layerwise.core.history.memory import MemoryHistory
from layerwise.core.history.records import (
    Accuracy,
    Claim,
    Comparison,
    LayerAddress,
    LayerResult,
    LayerStatistic,
    Prediction,
    RunHeader,
    RunRecord,
    StatisticResult,
    WeightResult,
)
from layerwise.core.host.registry import Registry
from layerwise.core.network.layers import Layer
from layerwise.core.network.model import ModelInfo
from layerwise.core.network.pixels import ArrayReader
from layerwise.core.network.products import represent
from layerwise.core.network.representation import Representation
from layerwise.core.network.stimuli import LoadedStimuli, Stimulus
from layerwise.plugins import comparators, metrics, reorderers
from layerwise.plugins import sections as report

BUILT_IN = Provider("layerwise:built-in", "0.1.0")
ARMS = ("1x1", "3x3", "5x5", "pool")
CLASSES = ("orange", "desert", "ship", "cat", "bridge", "owl")


class MadeHistory(MemoryHistory):
    """A history in memory that tests fill: runs have the ids asked for, and may be changed when they are finished."""

    def __init__(self) -> None:
        super().__init__(lambda: self.next_id)
        self.next_id = ""
        self.n_read = 0
        """How many representations were read."""

    def read_representations(self, addresses: Sequence[LayerAddress]) -> list[Representation]:
        """Stored representations; counted."""
        self.n_read += len(addresses)
        return super().read_representations(addresses)

    def peek(self, address: LayerAddress) -> Representation:
        """A stored representation; not counted."""
        return super().read_representations([address])[0]

    @property
    def comparisons(self) -> list[Comparison]:
        """All that are kept, whoever computed them."""
        return [row for rows in self._comparisons._rows.values() for row in rows.values()]

    @property
    def n_kept(self) -> int:
        """How many comparisons, intervals, tests, profiles and orderings are kept."""
        tables = (self._comparisons, self._intervals, self._tests)
        n_rows = sum(len(rows) for table in tables for rows in table._rows.values())
        return n_rows + len(self._profiles) + len(self._orderings)

    def reopen(self, run_id: str) -> Claim:
        """A claim to a finished run."""
        run = self._runs[run_id]
        run.recorded = replace(run.recorded, status="running")
        return run.claim

    def rewrite_layer(self, run_id: str, name: str, rows: Any, transform: str = "none") -> None:
        """Put other activations in the place of a finished run's layer; a ready `Representation` will do, too."""
        claim = self.reopen(run_id)
        representation = rows if isinstance(rows, Representation) else represent(rows)
        kept = [
            item.result for item in self.read_statistics(run_id) if (item.layer, item.transform) == (name, transform)
        ]
        self.save_layer(claim, LayerResult(name, transform, representation, tuple(kept)))
        self.finish_run(claim, {})

    def rewrite_weights(self, run_id: str, weights: Sequence[WeightResult]) -> None:
        """Put other weights in the place of a finished run's."""
        claim = self.reopen(run_id)
        self.save_weights(claim, weights)
        self.finish_run(claim, {})

    def drop_layer(self, run_id: str, name: str) -> None:
        """Leave a layer out of a finished run, as if it had never been stored."""
        for parts in (self._runs[run_id].representations, self._runs[run_id].statistics):
            for place in [place for place in parts if place[0] == name]:
                del parts[place]

    def forget_results(self) -> None:
        """Drop all comparisons, intervals, tests and orderings."""
        self._forget(lambda address: True)


def make_registry() -> Registry:
    """A registry with the built-in comparators, metrics, reorderers and sections."""
    registry = Registry()
    for plugin in (comparators, metrics, reorderers, report):
        registry.register(plugin, plugin.__name__, "layerwise", "0.1.0")
    return registry


def make_layers(n_hidden: int = 3, n_blocks: int = 2, first: int = 3) -> list[Layer]:
    """An input, plain layers, blocks with four arms each, an average pool and an output."""
    layers = [_layer("input", "input", 0, role="input", is_main=True)]
    layers += [_layer(f"conv{i}", "conv", len(layers) + i, is_main=True) for i in range(n_hidden)]
    for number in range(n_blocks):
        block = f"mixed{first + number // 5}{'abcde'[number % 5]}"
        arms = [_layer(f"{block}/{arm}", "conv", 0, block=block, branch=arm) for arm in ARMS]
        layers += arms
        layers.append(_layer(block, "concat", 0, is_main=True, block=block, parts=tuple(a.name for a in arms)))
    layers.append(_layer("avgpool0", "pool", 0, is_main=True))
    layers.append(_layer("output", "softmax", 0, role="output", is_main=True))
    return [
        Layer(**{name: getattr(layer, name) for name in Layer.__slots__} | {"position": index})
        for index, layer in enumerate(layers)
    ]


def _layer(name: str, op: str, position: int, **more) -> Layer:
    return Layer(name=name, node=name, op=op, shape=(7, 7, 8), position=position, **more)


def thumbnail(group: int, rng: np.random.Generator) -> bytes:
    """A small picture whose colour tells its group."""
    hue = np.array([[214, 96, 77], [67, 147, 195], [90, 174, 97], [153, 112, 171], [253, 174, 97], [128, 115, 172]])
    y, x = np.mgrid[0:96, 0:96] / 96
    pixels = hue[group % len(hue)] * (0.55 + 0.45 * np.sin(6 * x * rng.uniform(0.5, 2) + 5 * y))[..., None]
    written = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(written, "JPEG", quality=80)
    return written.getvalue()


def add_run(
    history: Any,
    run_id: str = "0123456789ab",
    n_stimuli: int = 60,
    layers: Sequence[Layer] | None = None,
    seed: int = 0,
    names: Sequence[str] | None = None,
    class_names: Sequence[str] = CLASSES,
    labels: Sequence[str] | None = None,
    learned: float = 1.0,
    constant: Sequence[int] = (),
    pictures: bool = True,
    **more: Any,
) -> RunRecord:
    """Write a finished run whose early layers follow one grouping of the stimuli and whose late layers another.

    `constant` stimuli have constant activations everywhere; without `pictures` they are known by name alone. `more`
    are fields of `RunHeader`, `stimuli_name` and the like, and `accuracy`. The run has this id in a `MadeHistory`;
    another history names it itself.
    """
    rng = np.random.default_rng(seed)
    chosen = tuple(layers or make_layers())
    low, high = rng.integers(0, 5, n_stimuli), rng.permutation(np.arange(n_stimuli) % len(class_names))
    activations = list(_make_activations(rng, chosen, low, high, learned, constant, len(class_names)))
    seen = [thumbnail(int(group), rng) if pictures else b"" for group in high]
    loaded = _make_stimuli(labels or [class_names[group] for group in high], names, seen, more)
    weights, predictions = _make_weights(chosen, rng), _make_predictions(high, class_names, rng)
    accuracy = more.pop("accuracy", Accuracy(0.766, 0.936, n_stimuli))
    history.next_id = run_id
    claim = history.begin_run(_make_header(run_id, loaded, chosen, tuple(class_names), **more))
    for transform in more.get("transforms", ("none",)):
        for (layer, rows), statistics in zip(activations, _make_statistics(chosen), strict=True):
            units = rows if transform == "none" else rows.argsort(axis=1).argsort(axis=1)
            history.save_layer(claim, LayerResult(layer.name, transform, represent(units), statistics))
    history.save_weights(claim, weights)
    history.save_predictions(claim, predictions, accuracy)
    history.finish_run(claim, {"decode": 2.5, "stream": 18.4})
    return history.find_run(claim.run_id)


def add_rows(
    history: MadeHistory,
    run_id: str,
    rows: Mapping[str | tuple[str, str], Any],
    layers: Sequence[Layer] = (),
    labels: Sequence[str | None] = (),
    statistics: Sequence[LayerStatistic] = (),
    finished: bool = True,
    **more: Any,
) -> RunRecord:
    """Write a run of the given activations, by layer or by (layer, transform); see `add_run` for `more`.

    Layers that are not described are hidden ones, in this order. A run that is not `finished` is interrupted.
    """
    by_place = {(key, "none") if isinstance(key, str) else key: found for key, found in rows.items()}
    names = list(dict.fromkeys(layer for layer, _ in by_place))
    described = tuple(layers) or tuple(Layer(name, name, "conv", (3,), index) for index, name in enumerate(names))
    n_stimuli = len(next(iter(by_place.values()), labels))
    loaded = _make_stimuli(labels or [None] * n_stimuli, None, [b""] * n_stimuli, more)
    transforms = tuple(dict.fromkeys(transform for _, transform in by_place)) or ("none",)
    history.next_id = run_id
    claim = history.begin_run(_make_header(run_id, loaded, described, (), **{"transforms": transforms} | more))
    for (layer, transform), found in by_place.items():
        kept = tuple(item.result for item in statistics if (item.layer, item.transform) == (layer, transform))
        history.save_layer(claim, LayerResult(layer, transform, represent(found), kept))
    if finished:
        history.finish_run(claim, {})
    else:
        history.fail_run(claim, "stopped", interrupted=True)
    return history.find_run(claim.run_id)


def make_header(names: Sequence[str], n_stimuli: int = 4) -> RunHeader:
    """What is known of a run with these layers before the first of them is there."""
    layers = tuple(Layer(name, name, "conv", (3,), index) for index, name in enumerate(names))
    return _make_header("run1", _make_stimuli([None] * n_stimuli, None, [b""] * n_stimuli, {}), layers, ())


def _make_stimuli(
    labels: Sequence[str | None], names: Sequence[str] | None, thumbnails: Sequence[bytes], more: dict[str, Any]
) -> LoadedStimuli:
    """Stimuli with these labels; what `more` says of them is taken out of it."""
    named = names or [f"photo {i:03d}.jpg" for i in range(len(labels))]
    return LoadedStimuli(
        name=more.pop("stimuli_name", "imagenet500"),
        source=more.pop("stimuli_source", "photos"),
        stimuli=tuple(Stimulus(name, label) for name, label in zip(named, labels, strict=True)),
        pixels=ArrayReader(np.zeros((len(labels), 1, 1, 3), np.uint8)),
        thumbnails=tuple(thumbnails),
        content_hashes=tuple(f"{i:064x}" for i in range(len(labels))),
        fingerprint=more.pop("stimuli_fingerprint", "s" * 64),
        skipped=more.pop("skipped", ()),
        resize="squash",
    )


def _make_activations(
    rng: np.random.Generator,
    layers: Sequence[Layer],
    low: NDArray[np.intp],
    high: NDArray[np.intp],
    learned: float,
    constant: Sequence[int],
    n_classes: int,
) -> Iterator[tuple[Layer, NDArray[np.float64]]]:
    places = np.linspace(0, 1, len(layers))
    codes = [rng.normal(size=(max(7, n_classes), 80)) for _ in range(2)]
    for layer, place in zip(layers, places, strict=True):
        late = learned * place**2 * (0.25 if layer.branch == "5x5" else 1)
        own = rng.normal(size=(7, 80)) * (1.1 if layer.branch == "5x5" else 0)
        noise = rng.normal(size=(len(low), 80)) * 1.2
        rows = (1 - place) * codes[0][low] + 1.4 * late * codes[1][high] + own[low] + noise
        rows[list(constant)] = 1.0
        yield layer, rows


def _make_statistics(layers: Sequence[Layer]) -> Iterator[tuple[StatisticResult, ...]]:
    for index, layer in enumerate(layers):
        place = index / len(layers)
        values = {
            "sparseness-population": 0.2 + 0.6 * place,
            "sparseness-lifetime": 0.15 + 0.4 * place,
            "hoyer": 0.1 + 0.5 * place,
            "fraction-zero": 0.3 + 0.4 * place,
            "fraction-dead": 0.1 * place,
            "participation-ratio": 3 + 20 * place,
            "effective-rank": 10 + 25 * place,
            "intrinsic-dimension": 4 + 5 * place,
        }
        undefined = [name for name in values if layer.role == "input" and name.startswith("sparseness")]
        yield tuple(
            StatisticResult(name, BUILT_IN, None, "negative")
            if name in undefined
            else StatisticResult(name, BUILT_IN, value)
            for name, value in values.items()
        )


def _make_weights(layers: Sequence[Layer], rng: np.random.Generator) -> list[WeightResult]:
    found = []
    for index, layer in enumerate(layer for layer in layers if layer.op == "conv"):
        counts, edges = np.histogram(rng.standard_t(4, 4000) * (0.08 - 0.001 * index), 64)
        vector = np.concatenate([counts, edges]).astype(np.float64)
        result = StatisticResult("weight-histogram", BUILT_IN, None, "several numbers", vector)
        found.append(WeightResult(f"{layer.name}/kernel", layer.name, (3, 3, 8, 8), index, (result,)))
    return found


def _make_predictions(answers, class_names: Sequence[str], rng: np.random.Generator) -> list[Prediction]:
    found = []
    for position, answer in enumerate(answers):
        weights = rng.exponential(size=len(class_names))
        weights[answer] += rng.choice([4, 1, -1])
        weights = np.exp(weights) / np.exp(weights).sum()
        for rank, index in enumerate(np.argsort(-weights)[:5], start=1):
            found.append(Prediction(position, rank, int(index), class_names[index], float(weights[index])))
    return found


def make_model(class_names: Sequence[str] = CLASSES) -> ModelInfo:
    """A model as the loader of GoogLeNet describes it."""
    return ModelInfo(
        name="googlenet",
        source="bvlc_googlenet.caffemodel",
        fingerprint="f" * 64,
        input_shape=(224, 224, 3),
        preprocessing="BGR, minus (104, 117, 123)",
        resize="squash",
        n_parameters=6_998_552,
        class_names=tuple(class_names),
        has_probabilities=True,
    )


def _make_header(
    run_id: str, loaded: LoadedStimuli, layers: tuple[Layer, ...], class_names: tuple[str, ...], **more: Any
) -> RunHeader:
    values: dict[str, Any] = {
        "key": f"{run_id}-{uuid4().hex}",
        "model": make_model(class_names),
        "loader": Provider("layerwise:googlenet", "0.1.0"),
        "stimuli": loaded,
        "layers": layers,
        "transforms": ("none",),
        "engine": Provider("layerwise:local", "0.1.0"),
        "batch_size": 32,
        "chunk_width": 8192,
        "command": "layerwise run googlenet --weights bvlc_googlenet.caffemodel --stimuli photos --layers main",
        "versions": {"tensorflow": "2.21.0", "numpy": "2.4.0", "layerwise": "0.1.0"},
        "plugins": ("layerwise 0.1.0",),
        "host": {"machine": "x86_64", "system": "Linux"},
    }
    return RunHeader(**values | more)
