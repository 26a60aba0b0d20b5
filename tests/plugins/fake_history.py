"""A history held in memory, with made-up but structured runs, for the tests of the report."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from PIL import Image

from layerwise.core.base.errors import InputError
from layerwise.core.base.provider import Provider
from layerwise.core.history.intervals import IntervalPlan
from layerwise.core.history.profiles import Profile, ProfileIntervals, ProfileKey
from layerwise.core.history.records import (
    Accuracy,
    Comparison,
    LayerAddress,
    LayerStatistic,
    Ordering,
    Prediction,
    RunFilter,
    RunRecord,
    StatisticResult,
    StimulusRecord,
    WeightResult,
)
from layerwise.core.host.registry import Registry
from layerwise.core.network.layers import Layer
from layerwise.core.network.model import ModelInfo
from layerwise.core.network.representation import Representation, represent
from layerwise.plugins import comparators, metrics, reorderers
from layerwise.plugins import sections as report

BUILT_IN = Provider("layerwise:built-in", "0.1.0")
ARMS = ("1x1", "3x3", "5x5", "pool")


@dataclass
class FakeHistory:
    """What a real history gives, from dictionaries."""

    runs: dict[str, RunRecord] = field(default_factory=dict)
    layers: dict[str, list[Layer]] = field(default_factory=dict)
    stimuli: dict[str, list[StimulusRecord]] = field(default_factory=dict)
    representations: dict[LayerAddress, Representation] = field(default_factory=dict)
    statistics: dict[str, list[LayerStatistic]] = field(default_factory=dict)
    weights: dict[str, list[WeightResult]] = field(default_factory=dict)
    predictions: dict[str, list[Prediction]] = field(default_factory=dict)
    comparisons: list[Comparison] = field(default_factory=list)
    orderings: list[Ordering] = field(default_factory=list)
    profiles: dict[ProfileKey, Profile] = field(default_factory=dict)
    profile_intervals: dict[tuple[ProfileKey, IntervalPlan], ProfileIntervals] = field(default_factory=dict)

    def find_run(self, run: str) -> RunRecord:
        if run not in self.runs:
            raise InputError(f"no run '{run}'")
        return self.runs[run]

    def list_runs(self, where: RunFilter = RunFilter()) -> list[RunRecord]:  # noqa: B008
        return list(self.runs.values())

    def list_layers(self, run_id: str) -> list[Layer]:
        return self.layers[run_id]

    def list_stimuli(self, run_id: str) -> list[StimulusRecord]:
        return self.stimuli[run_id]

    def read_representation(self, address: LayerAddress) -> Representation:
        return self.representations[address]

    def read_representations(self, addresses: Sequence[LayerAddress]) -> list[Representation]:
        return [self.read_representation(address) for address in addresses]

    def read_statistics(self, run_id: str) -> list[LayerStatistic]:
        return self.statistics.get(run_id, [])

    def read_weights(self, run_id: str) -> list[WeightResult]:
        return self.weights.get(run_id, [])

    def read_predictions(self, run_id: str) -> list[Prediction]:
        return self.predictions.get(run_id, [])

    def read_comparisons(self, comparator: Provider, run_ids: Sequence[str]) -> list[Comparison]:
        wanted = set(run_ids)
        return [
            c for c in self.comparisons if c.comparator == comparator and {c.first.run_id, c.second.run_id} <= wanted
        ]

    def save_comparisons(self, comparisons: Sequence[Comparison]) -> None:
        self.comparisons.extend(comparisons)

    def read_profile(self, key: ProfileKey) -> Profile | None:
        return self.profiles.get(key)

    def save_profile(self, key: ProfileKey, profile: Profile) -> None:
        self.profiles[key] = profile

    def read_profile_intervals(self, key: ProfileKey, plan: IntervalPlan) -> ProfileIntervals | None:
        return self.profile_intervals.get((key, plan))

    def save_profile_intervals(self, key: ProfileKey, found: ProfileIntervals) -> None:
        self.profile_intervals[key, found.plan] = found

    def save_statistics(self, run_id: str, results: Sequence[LayerStatistic]) -> None:
        self.statistics.setdefault(run_id, []).extend(results)

    def read_orderings(self, run_id: str) -> list[Ordering]:
        return [ordering for ordering in self.orderings if ordering.address.run_id == run_id]

    def save_ordering(self, ordering: Ordering) -> None:
        self.orderings.append(ordering)


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
    history: FakeHistory,
    run_id: str = "0123456789ab",
    n_stimuli: int = 60,
    layers: Sequence[Layer] | None = None,
    seed: int = 0,
    names: Sequence[str] | None = None,
    class_names: Sequence[str] = ("orange", "desert", "ship", "cat", "bridge", "owl"),
    learned: float = 1.0,
    constant: Sequence[int] = (),
    pictures: bool = True,
    **more,
) -> RunRecord:
    """Add a run whose early layers follow one grouping of the stimuli and whose late layers another.

    `constant` stimuli have constant activations everywhere; without `pictures` they are known by name alone.
    """
    rng = np.random.default_rng(seed)
    chosen = list(layers or make_layers())
    low, high = rng.integers(0, 5, n_stimuli), rng.permutation(np.arange(n_stimuli) % len(class_names))
    places = np.linspace(0, 1, len(chosen))
    codes = [rng.normal(size=(max(7, len(class_names)), 80)) for _ in range(2)]
    for layer, place in zip(chosen, places, strict=True):
        late = learned * place**2 * (0.25 if layer.branch == "5x5" else 1)
        own = rng.normal(size=(7, 80)) * (1.1 if layer.branch == "5x5" else 0)
        noise = rng.normal(size=(n_stimuli, 80)) * 1.2
        rows = (1 - place) * codes[0][low] + 1.4 * late * codes[1][high] + own[low] + noise
        rows[list(constant)] = 1.0
        history.representations[LayerAddress(run_id, layer.name)] = represent(rows)
    history.layers[run_id] = chosen
    titles = list(names or [f"photo {i:03d}.jpg" for i in range(n_stimuli)])
    history.stimuli[run_id] = [
        StimulusRecord(
            i, titles[i], class_names[high[i]], f"{i:064x}", thumbnail(int(high[i]), rng) if pictures else b""
        )
        for i in range(n_stimuli)
    ]
    history.statistics[run_id] = _make_statistics(chosen)
    history.weights[run_id] = _make_weights(chosen, rng)
    history.predictions[run_id] = _make_predictions(high, class_names, rng)
    record = _make_record(run_id, n_stimuli, chosen, tuple(class_names), **more)
    history.runs[run_id] = record
    return record


def _make_statistics(layers: Sequence[Layer]) -> list[LayerStatistic]:
    found = []
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
        for name, value in values.items():
            undefined = layer.role == "input" and name.startswith("sparseness")
            result = StatisticResult(name, BUILT_IN, None if undefined else value, "negative" if undefined else "")
            found.append(LayerStatistic(layer.name, "none", result))
    return found


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


def _make_record(run_id, n_stimuli, layers, class_names, **more) -> RunRecord:
    model = ModelInfo(
        name="googlenet",
        source="bvlc_googlenet.caffemodel",
        fingerprint="f" * 64,
        input_shape=(224, 224, 3),
        preprocessing="BGR, minus (104, 117, 123)",
        resize="squash",
        n_parameters=6_998_552,
        class_names=class_names,
        has_probabilities=True,
    )
    values = {
        "id": run_id,
        "key": "k" * 64,
        "status": "finished",
        "model": model,
        "loader": Provider("layerwise:googlenet", "0.1.0"),
        "stimuli_name": "imagenet500",
        "stimuli_source": "photos",
        "stimuli_fingerprint": "s" * 64,
        "n_stimuli": n_stimuli,
        "resize": "squash",
        "skipped": (),
        "transforms": ("none",),
        "engine": Provider("layerwise:local", "0.1.0"),
        "batch_size": 32,
        "chunk_width": 8192,
        "command": "layerwise run googlenet --weights bvlc_googlenet.caffemodel --stimuli photos --layers main",
        "checkpoint": None,
        "step": None,
        "lineage": None,
        "tags": {},
        "versions": {"tensorflow": "2.21.0", "numpy": "2.4.0", "layerwise": "0.1.0"},
        "plugins": ("layerwise 0.1.0",),
        "host": {"machine": "x86_64", "system": "Linux"},
        "timings": {"decode": 2.5, "stream": 18.4},
        "accuracy": Accuracy(0.766, 0.936, n_stimuli),
        "started_at": datetime(2026, 5, 4, 9, 30, tzinfo=UTC),
        "finished_at": datetime(2026, 5, 4, 9, 31, tzinfo=UTC),
        "error": None,
        "n_layers": len(layers),
    }
    return RunRecord(**values | more)
