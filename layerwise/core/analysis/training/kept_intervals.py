"""Intervals of a training as a history keeps them: beside those of the comparator, with what else decides them.

They take as long as resampling every layer does, a minute for `cka`. An interval in a history belongs to two layers,
a comparator and its settings, and a plan; here the settings say besides what the interval is of, the bound, and all
checkpoints and layers of the question. When one of the two layers goes, so does the interval.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from layerwise.core.analysis.training.checkpoints import TrainingQuestion
from layerwise.core.base.hashing import hash_texts
from layerwise.core.base.provider import Provider
from layerwise.core.history.intervals import ComparisonInterval, Interval, IntervalPlan
from layerwise.core.history.records import LayerAddress

What = Literal["similarity to the end", "step", "order"]
Bands = tuple[tuple[Interval, ...], ...]


@dataclass(frozen=True)
class SettlingIntervals:
    """All intervals of one question.

    Attributes:
        bands: Of the similarities to the end, by checkpoint and layer.
        places: Of the number of the checkpoint at which each layer settled, between two where a quantile is.
        order: Of the rank correlation of depth with settling.
    """

    bands: Bands
    places: tuple[Interval, ...]
    order: Interval


class KeptIntervals:
    """The intervals of one question in its history; none of a training whose checkpoints differ in their layers.

    Args:
        question: What is asked about.
        bound: Beyond which a layer counts as settled.
        plan: How intervals are made.
    """

    def __init__(self, question: TrainingQuestion, bound: float, plan: IntervalPlan) -> None:
        self._question, self._bound, self._plan = question, bound, plan
        rows = [[address for address in row if address is not None] for row in question.addresses]
        n_layers = len(question.layers)
        self._rows = rows if n_layers and all(len(row) == n_layers for row in rows) else []

    def read(self) -> SettlingIntervals | None:
        """What is kept; None unless all of it is."""
        if not self._rows:
            return None
        bands = self._read("similarity to the end", [pair for row in self._rows for pair in self._pairs(row)])
        places = self._read("step", list(self._pairs(self._rows[0])))
        order = self._read("order", [self._whole])
        if bands is None or places is None or order is None:
            return None
        n_layers = len(places)
        by_row = tuple(tuple(bands[start : start + n_layers]) for start in range(0, len(bands), n_layers))
        return SettlingIntervals(by_row, tuple(places), order[0])

    def save(self, found: SettlingIntervals) -> None:
        """Keep what was found."""
        if not self._rows:
            return
        for row, intervals in zip(self._rows, found.bands, strict=True):
            self._save("similarity to the end", list(self._pairs(row)), intervals)
        self._save("step", list(self._pairs(self._rows[0])), found.places)
        self._save("order", [self._whole], [found.order])

    @property
    def _whole(self) -> tuple[LayerAddress, LayerAddress]:
        return self._rows[0][0], self._rows[-1][-1]

    def _pairs(self, row: Sequence[LayerAddress]) -> Iterator[tuple[LayerAddress, LayerAddress]]:
        return zip(row, self._rows[-1], strict=True)

    def _provider(self, what: What) -> Provider:
        """The comparator, and among its settings what else decides the interval."""
        provider = self._question.measure.provider
        runs = [run.id for run in self._question.training.runs]
        texts = [self._question.transform, *runs, "", *self._question.names]
        settings = json.loads(provider.parameters) | {
            "settling": what,
            "settled_from": self._bound,
            "checkpoints": hash_texts(texts),
        }
        return replace(provider, parameters=json.dumps(settings, sort_keys=True))

    def _read(self, what: What, pairs: Sequence[tuple[LayerAddress, LayerAddress]]) -> list[Interval] | None:
        runs = [run.id for run in self._question.training.runs]
        kept = self._question.history.read_intervals(self._provider(what), self._plan, runs)
        found = {(one.first, one.second): Interval(one.low, one.high, reason=one.reason) for one in kept}
        return [found[pair] for pair in pairs] if all(pair in found for pair in pairs) else None

    def _save(
        self, what: What, pairs: Sequence[tuple[LayerAddress, LayerAddress]], intervals: Sequence[Interval]
    ) -> None:
        provider = self._provider(what)
        rows = [
            ComparisonInterval(provider, *pair, one.low, one.high, one.reason)
            for pair, one in zip(pairs, intervals, strict=True)
        ]
        self._question.history.save_intervals(self._plan, rows)
