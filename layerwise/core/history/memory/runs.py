"""One run in memory: the record it gives, and what its layers, weights and stimuli left."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from layerwise.core.base.errors import LayerwiseError
from layerwise.core.base.provider import Provider
from layerwise.core.history.checks import check_outputs, check_representation, check_vector
from layerwise.core.history.memory.kept import keep
from layerwise.core.history.records import (
    Attempt,
    Claim,
    LayerAddress,
    LayerStatistic,
    Prediction,
    RunHeader,
    RunRecord,
    RunStatus,
    StatisticResult,
    StimulusRecord,
    WeightResult,
)
from layerwise.core.network.layers import Layer
from layerwise.core.network.stimuli import LoadedStimuli

if TYPE_CHECKING:
    from layerwise.core.history.outputs import Outputs
    from layerwise.core.network.matrices.pairs import Pairs

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
        attempts: All of them, in order; how many layers each has stored is counted when somebody asks.
        touched_at: When it was last written to.
        representations: By layer and transform.
        stored_in: Likewise, the number of the attempt.
        statistics: Likewise, by name and provider, in order of arrival.
        weights: The weight tensors with the statistics computed for this run.
        predictions: By stimulus and rank.
        outputs: Whole, where they are kept.
    """

    recorded: RunRecord
    layers: dict[str, Layer]
    stimuli: tuple[StimulusRecord, ...]
    attempts: list[Attempt]
    touched_at: datetime
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    held: bool = True
    representations: dict[Place, Pairs] = field(default_factory=dict)
    stored_in: dict[Place, int] = field(default_factory=dict)
    statistics: dict[Place, dict[tuple[str, Provider], StatisticResult]] = field(default_factory=dict)
    weights: tuple[WeightResult, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    outputs: Outputs | None = None

    def copy(self) -> MemoryRun:
        """The same as it is now, whatever becomes of this one."""
        return replace(
            self,
            attempts=list(self.attempts),
            representations=dict(self.representations),
            stored_in=dict(self.stored_in),
            statistics={place: dict(found) for place, found in self.statistics.items()},
        )

    @property
    def record(self) -> RunRecord:
        """The run as a history knows it; nobody is at work on one whose claim was let go of."""
        status = self.recorded.status if self.held or self.recorded.status != "running" else "interrupted"
        stored = {(layer, self.stored_in[layer, transform]) for layer, transform in self.representations}
        counts = Counter(number for _, number in stored)
        attempts = [replace(one, n_layers=counts[one.number]) for one in self.attempts]
        attempts[-1] = replace(attempts[-1], status=status)
        n_layers = len({layer for layer, _ in stored})
        return replace(self.recorded, n_layers=n_layers, status=status, attempts=tuple(attempts))

    @property
    def claim(self) -> Claim:
        """The claim of whoever goes on with it."""
        return Claim(self.recorded.id, done=frozenset(self.representations), resumed=True, token=self.token)

    def resume(self, header: RunHeader, now: datetime) -> None:
        """Begin another attempt; the time that the last one took is kept, and its claim holds no more."""
        run, last = self.recorded, self.attempts[-1]
        spent = (self.touched_at - last.started_at).total_seconds()
        timings = {**run.timings, "interrupted": run.timings.get("interrupted", 0.0) + spent}
        if last.ended_at is None:
            self.attempts[-1] = replace(last, status="interrupted", ended_at=self.touched_at)
        self.attempts.append(_begin_attempt(last.number + 1, header, now))
        self.recorded = replace(run, status="running", error=None, timings=timings)
        self.token, self.held, self.touched_at = secrets.token_hex(16), True, now
        for layer in header.layers:
            self.layers.setdefault(layer.name, layer)

    def end(self, status: RunStatus, now: datetime, error: str | None = None, **changes: Any) -> None:
        """End the run, and the attempt that is under way."""
        self.attempts[-1] = replace(self.attempts[-1], status=status, ended_at=now, error=error)
        self.recorded, self.touched_at = replace(self.recorded, status=status, error=error, **changes), now

    def stored_layers(self) -> list[Layer]:
        """The layers of which there is a representation, in order of computation."""
        names = {layer for layer, _ in self.representations}
        return sorted((self.layers[name] for name in names), key=lambda layer: layer.position)

    def addresses(self) -> Iterator[LayerAddress]:
        """Where there is a representation, in order of computation."""
        for layer, transform in sorted(self.representations, key=lambda place: self.layers[place[0]].position):
            yield LayerAddress(self.recorded.id, layer, transform)

    def list_statistics(self) -> list[LayerStatistic]:
        """All statistics, by layer in order of computation, then transform; of several revisions, the newest."""
        places = sorted(self.statistics, key=lambda place: (self.layers[place[0]].position, place[1]))
        return [
            LayerStatistic(*place, result)
            for place in places
            for result in self.statistics[place].values()
            if result.provider.revision == self._newest(place, result)
        ]

    def _newest(self, place: Place, result: StatisticResult) -> int:
        known = self.statistics[place]
        return max(who.revision for name, who in known if (name, who.name) == (result.name, result.provider.name))

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
    layers = {layer.name: layer for layer in header.layers}
    return MemoryRun(recorded, layers, _records_of(loaded), [_begin_attempt(1, header, now)], now)


def _begin_attempt(number: int, header: RunHeader, now: datetime) -> Attempt:
    made_with = dict(sorted(header.versions.items())), tuple(header.plugins), dict(sorted(header.host.items()))
    return Attempt(number, "running", header.command, *made_with, started_at=now)


def _records_of(loaded: LoadedStimuli) -> tuple[StimulusRecord, ...]:
    rows = zip(loaded.stimuli, loaded.content_hashes, loaded.thumbnails, strict=True)
    return tuple(
        StimulusRecord(position, stimulus.name, stimulus.label, content, image)
        for position, (stimulus, content, image) in enumerate(rows)
    )


def keep_representation(layer: Pairs, what: str) -> Pairs:
    """A copy of a representation that nobody can change; held whole, unless it has landmarks.

    Raises:
        LayerwiseError: If it is none; `what` says whose.
    """
    from layerwise.core.network.matrices.derived import hold_whole
    from layerwise.core.network.matrices.landmarks import hold_landmarks

    if layer.landmarks is not None:
        return hold_landmarks(layer)
    representation = hold_whole(layer)
    try:
        check_representation(representation)
    except ValueError as error:
        raise LayerwiseError(f"{what}: {error}") from error
    return replace(
        representation,
        entries=keep(representation.entries),
        deviation=keep(representation.deviation),
        mean=keep(representation.mean),
        norm=keep(representation.norm),
    )


def keep_outputs(outputs: Outputs, what: str) -> Outputs:
    """A copy of outputs that nobody can change.

    Raises:
        LayerwiseError: If they are none; `what` says whose.
    """
    try:
        check_outputs(outputs)
    except ValueError as error:
        raise LayerwiseError(f"{what}: {error}") from error
    return replace(outputs, values=keep(outputs.values))


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
