"""One run in memory: the record it gives, and what its layers, weights and stimuli left."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from layerwise.core.base.errors import LayerwiseError
from layerwise.core.base.provider import Provider
from layerwise.core.history.checks import check_representation, check_vector
from layerwise.core.history.memory.kept import keep
from layerwise.core.history.records import (
    Claim,
    LayerAddress,
    LayerStatistic,
    Prediction,
    RunHeader,
    RunRecord,
    StatisticResult,
    StimulusRecord,
    WeightResult,
)
from layerwise.core.network.layers import Layer
from layerwise.core.network.representation import Representation
from layerwise.core.network.stimuli import LoadedStimuli

Place = tuple[str, str]
"""A layer's name and a transform's."""


@dataclass(eq=False)
class MemoryRun:
    """A run and all that belongs to it; read and changed under its history's lock only.

    Attributes:
        recorded: What is known of it; `n_layers` is counted when somebody asks.
        layers: All layers that it was begun with, by name.
        stimuli: Its stimuli, in order.
        token: What a claim must hold to write to it.
        held: Whether whoever has the claim is at work.
        attempted_at: When the present attempt began.
        touched_at: When it was last written to.
        representations: By layer and transform.
        statistics: Likewise, by name and provider, in order of arrival.
        weights: The weight tensors with the statistics computed for this run.
        predictions: By stimulus and rank.
    """

    recorded: RunRecord
    layers: dict[str, Layer]
    stimuli: tuple[StimulusRecord, ...]
    attempted_at: datetime
    touched_at: datetime
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    held: bool = True
    representations: dict[Place, Representation] = field(default_factory=dict)
    statistics: dict[Place, dict[tuple[str, Provider], StatisticResult]] = field(default_factory=dict)
    weights: tuple[WeightResult, ...] = ()
    predictions: tuple[Prediction, ...] = ()

    @property
    def record(self) -> RunRecord:
        """The run as a history knows it; nobody is at work on one whose claim was let go of."""
        run = self.recorded
        lost = run.status == "running" and not self.held
        n_layers = len({layer for layer, _ in self.representations})
        return replace(run, n_layers=n_layers, status="interrupted" if lost else run.status)

    @property
    def claim(self) -> Claim:
        """The claim of whoever goes on with it."""
        return Claim(self.recorded.id, done=frozenset(self.representations), resumed=True, token=self.token)

    def resume(self, layers: Iterable[Layer], now: datetime) -> None:
        """Begin another attempt; the time that the last one took is kept, and its claim holds no more."""
        run, spent = self.recorded, (self.touched_at - self.attempted_at).total_seconds()
        timings = {**run.timings, "interrupted": run.timings.get("interrupted", 0.0) + spent}
        self.recorded = replace(run, status="running", error=None, timings=timings)
        self.token, self.held = secrets.token_hex(16), True
        self.attempted_at = self.touched_at = now
        for layer in layers:
            self.layers.setdefault(layer.name, layer)

    def stored_layers(self) -> list[Layer]:
        """The layers of which there is a representation, in order of computation."""
        names = {layer for layer, _ in self.representations}
        return sorted((self.layers[name] for name in names), key=lambda layer: layer.position)

    def addresses(self) -> Iterator[LayerAddress]:
        """Where there is a representation, in order of computation."""
        for layer, transform in sorted(self.representations, key=lambda place: self.layers[place[0]].position):
            yield LayerAddress(self.recorded.id, layer, transform)

    def list_statistics(self) -> list[LayerStatistic]:
        """All statistics, by layer in order of computation, then transform."""
        places = sorted(self.statistics, key=lambda place: (self.layers[place[0]].position, place[1]))
        return [LayerStatistic(*place, result) for place in places for result in self.statistics[place].values()]

    def add_statistic(self, item: LayerStatistic) -> None:
        """Put a statistic behind those that are there; one of the same name and provider goes."""
        results = self.statistics.setdefault((item.layer, item.transform), {})
        key = item.result.name, item.result.provider
        results.pop(key, None)
        results[key] = item.result


def start_run(run_id: str, header: RunHeader, now: datetime) -> MemoryRun:
    """A run that has just begun."""
    shared = {item.name for item in fields(RunHeader)} & {item.name for item in fields(RunRecord)}
    known: dict[str, Any] = {name: getattr(header, name) for name in shared}
    known |= {name: dict(sorted(known[name].items())) for name in ("tags", "versions", "host")}
    loaded = header.stimuli
    recorded = RunRecord(
        id=run_id,
        status="running",
        stimuli_name=loaded.name,
        stimuli_source=loaded.source,
        stimuli_fingerprint=loaded.fingerprint,
        n_stimuli=loaded.n_stimuli,
        resize=loaded.resize,
        skipped=tuple(loaded.skipped),
        timings={},
        accuracy=None,
        started_at=now,
        finished_at=None,
        error=None,
        n_layers=0,
        **known,
    )
    return MemoryRun(recorded, {layer.name: layer for layer in header.layers}, _records_of(loaded), now, now)


def _records_of(loaded: LoadedStimuli) -> tuple[StimulusRecord, ...]:
    rows = zip(loaded.stimuli, loaded.content_hashes, loaded.thumbnails, strict=True)
    return tuple(
        StimulusRecord(position, stimulus.name, stimulus.label, content, image)
        for position, (stimulus, content, image) in enumerate(rows)
    )


def keep_representation(representation: Representation, what: str) -> Representation:
    """A copy of a representation that nobody can change.

    Raises:
        LayerwiseError: If it is none; `what` says whose.
    """
    try:
        check_representation(representation)
    except ValueError as error:
        raise LayerwiseError(f"{what}: {error}") from error
    parts = keep(representation.correlation), keep(representation.mean), keep(representation.norm)
    return Representation(*parts, representation.n_features)


def keep_predictions(rows: Sequence[Prediction]) -> tuple[Prediction, ...]:
    """Predictions as plain numbers, by stimulus and rank."""
    plain = (
        Prediction(int(row.position), int(row.rank), int(row.class_index), row.class_name, float(row.probability))
        for row in rows
    )
    return tuple(sorted(plain, key=lambda row: (row.position, row.rank)))


def keep_statistics(results: Sequence[StatisticResult], what: str) -> tuple[StatisticResult, ...]:
    """Statistics as plain numbers, with vectors that nobody can change.

    Raises:
        LayerwiseError: If a vector is none; `what` says whose.
    """
    return tuple(_keep_statistic(result, what) for result in results)


def _keep_statistic(result: StatisticResult, what: str) -> StatisticResult:
    value = None if result.value is None else float(result.value)
    if result.vector is None:
        return replace(result, value=value)
    try:
        check_vector(result.vector)
    except ValueError as error:
        raise LayerwiseError(f"{what}, statistic '{result.name}': {error}") from error
    return replace(result, value=value, vector=keep(result.vector))
