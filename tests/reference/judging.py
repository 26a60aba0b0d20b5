"""Asks Layerwise for what it makes of two layers, and judges the answer by what is right."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from exact_measures import MEASURES
from exact_pairs import is_similar
from given_network import stream_given
from hard_layers import HardLayer

from layerwise.core.analysis.compute_pairs import compute_pairs
from layerwise.core.analysis.measure import find_measure
from layerwise.core.history.records import LayerAddress
from layerwise.core.host.kinds import Comparator, MetricComparator, Transform
from layerwise.core.host.plans import Budget
from layerwise.core.host.registry import Registry
from layerwise.core.network.products import represent
from layerwise.core.network.representation import Representation

WITHIN = 1e-4
"""Relative, of distances; of similarities of 1, or of what is larger."""

_ROUNDING = {"imd": 1e-15}  # absolute: of what float64 itself leaves of a difference of numbers near 0.01
_RANKS = "spearman"  # the metric that reads another representation
X, Y = LayerAddress("run", "x"), LayerAddress("run", "y")
Pair = tuple[HardLayer, HardLayer]


@dataclass(frozen=True)
class Question:
    """What is asked of two layers: a comparator, and where it compares a metric's matrices which."""

    comparator: str
    metric: str | None = None

    def settle(self, n_stimuli: int, registry: Registry) -> dict[str, Any]:
        """Settings that small sets of stimuli allow for."""
        parameters = {item.name for item in registry.get(Comparator, self.comparator).offer.parameters}
        return {"k": min(10, n_stimuli // 3)} if "k" in parameters and self.comparator != "imd" else {}

    def __str__(self) -> str:
        return self.comparator + (f" --metric {self.metric}" if self.metric else "")


def list_questions(registry: Registry, metrics: Sequence[str] = ()) -> Iterator[Question]:
    """Every comparator of Layerwise, with its own metric and with each of these."""
    for found in registry.all(Comparator):
        if found.distribution != "layerwise":
            continue
        yield Question(found.name)
        for metric in metrics if isinstance(found.offer, MetricComparator) else ():
            if found.name != "cknna" or is_similar(metric):  # whose kernel is a similarity
                yield Question(found.name, metric)


class _Layers:
    """As much of a history as comparing takes: two layers."""

    def __init__(self, layers: Mapping[str, Representation]) -> None:
        self._layers = layers

    def find_run(self, run: str) -> Any:
        del run
        return SimpleNamespace(n_stimuli=self._layers["x"].n_stimuli, n_landmarks=None)

    def read_representations(self, addresses: Sequence[LayerAddress]) -> list[Representation]:
        return [self._layers[address.layer] for address in addresses]


@dataclass(frozen=True, eq=False)
class Answers:
    """Two layers, as they were made into representations.

    Attributes:
        registry: Knows the comparators.
        pair: What the network gave.
        plain: Its representations.
        ranked: The same of ranks over units.
    """

    registry: Registry
    pair: Pair
    plain: Mapping[str, Representation]
    ranked: Mapping[str, Representation]

    @classmethod
    def represent(cls, registry: Registry, pair: Pair) -> Answers:
        """By `represent`, in memory."""
        rank = registry.get(Transform, "rank").offer
        rows = {"x": pair[0].activations, "y": pair[1].activations}
        plain = {name: represent(values) for name, values in rows.items()}
        return cls(registry, pair, plain, {name: represent(rank.apply(values)) for name, values in rows.items()})

    @classmethod
    def run(cls, registry: Registry, pair: Pair, budget: Budget | None = None) -> Answers:
        """By running a network that gives them."""
        rank = registry.get(Transform, "rank")
        rows = {"x": pair[0].activations, "y": pair[1].activations}
        plain, ranked = (stream_given(rows, budget, transform) for transform in (None, rank))
        return cls(registry, pair, *({k: v.products.represent() for k, v in s.items()} for s in (plain, ranked)))

    def judge(self, question: Question) -> str:
        """What is wrong with the answer; nothing where it is right, or says that it is not known."""
        settings = question.settle(len(self.pair[0].activations), self.registry)
        wanted = settings | ({"metric": question.metric} if question.metric else {})
        with np.errstate(all="ignore"):
            right = MEASURES[question.comparator](self.pair[0].given, self.pair[1].given, **wanted)
        measure = find_measure(self.registry, question.comparator, settings, question.metric)
        layers = self.ranked if question.metric == _RANKS else self.plain
        address = {end.layer: measure.resolve(end) for end in (X, Y)}
        pair = address["x"], address["y"]
        found = compute_pairs(_Layers(layers), measure, [pair])[pair]  # type: ignore[arg-type]
        return _judge(question, right, found.value, found.reason, is_similarity=measure.kind == "similarity")


def _judge(question: Question, right: float, value: float | None, reason: str, *, is_similarity: bool) -> str:
    if "resolution" in reason:
        return ""
    if value is None:
        return "" if math.isnan(right) else f"{question}: refused ({reason}), and {right:.7g} is right"
    if math.isnan(right):
        return f"{question}: {value:.7g}, and it is undefined"
    allowed = WITHIN * max(abs(right), float(is_similarity)) + _ROUNDING.get(question.comparator, 0.0)
    if abs(value - right) <= allowed:
        return ""
    return f"{question}: {value:.9g}, and {right:.9g} is right" + (f" ({reason})" if reason else "")


def list_wrong(answers: Answers, questions: Sequence[Question]) -> list[str]:
    """What is wrong, a line each."""
    return [line for question in questions if (line := answers.judge(question))]
