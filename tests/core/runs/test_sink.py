"""Layers on their way to the store: few wait, none is lost without a word, and none is written after a gap."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController, threadpool_limits

from layerwise.core.base.errors import LayerwiseError
from layerwise.core.history.left_out import describe_left_out, was_left_out
from layerwise.core.history.records import Claim, LayerResult, LayerStatistic, StatisticResult
from layerwise.core.host.jobs import StreamedLayer
from layerwise.core.host.kinds import Statistic
from layerwise.core.host.registry import Registry
from layerwise.core.network.products import represent
from layerwise.core.runs.request import SilentObserver
from layerwise.core.runs.sink import N_UNWRITTEN, StoringSink, measure_representation
from layerwise.core.runs.streaming.stream import stream_segments
from layerwise.plugins import statistics as statistics_plugin
from layerwise.testing import RecordingSink, load_digits, make_job

CLAIM = Claim("a1", token="secret")
PATIENCE = 600


class Store:
    """Keeps the names of layers; each write may be held up or fail."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.gate = threading.Event()
        self.error: Exception | None = None

    def save_layer(self, claim: Claim, result: LayerResult) -> None:
        assert claim is CLAIM
        assert self.gate.wait(PATIENCE)
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        self.written.append(result.layer)

    def save_predictions(self, *_: Any) -> None: ...

    def save_outputs(self, *_: Any) -> None: ...


@pytest.fixture(scope="module")
def job() -> Any:
    return make_job(load_digits(12))


@pytest.fixture(scope="module")
def layers(job: Any) -> list[StreamedLayer]:
    recorded = RecordingSink()
    stream_segments(job, recorded)
    assert len(recorded.layers) > N_UNWRITTEN + 1
    return recorded.layers


def make_sink(store: Any, job: Any, claim: Claim = CLAIM) -> StoringSink:
    return StoringSink(claim, store, SilentObserver(), (), job.model.info, job.stimuli)


def hand_over(sink: StoringSink, layers: Sequence[StreamedLayer]) -> None:
    for layer in layers:
        sink.layer_finished(layer)


def test_a_layer_is_taken_only_once_there_is_room_for_it(job: Any, layers: list[StreamedLayer]) -> None:
    store, is_taken = Store(), threading.Event()

    def open_gate() -> None:
        is_taken.wait(0.2)  # it is not, however long one waits: the gate is closed
        store.gate.set()

    with make_sink(store, job) as sink:
        hand_over(sink, layers[:N_UNWRITTEN])
        opener = threading.Thread(target=open_gate)
        opener.start()
        sink.layer_finished(layers[N_UNWRITTEN])
        written_before = list(store.written)
        is_taken.set()
        opener.join(PATIENCE)
    assert layers[0].target.layer.name in written_before
    assert store.written == [layer.target.layer.name for layer in layers[: N_UNWRITTEN + 1]]


def test_layers_that_are_stored_once_streaming_is_over_are_measured_as_those_before(
    job: Any, layers: list[StreamedLayer]
) -> None:
    """BLAS on several threads gives eigenvalues other last digits, and how many layers are left depends on time."""

    class Watching(Store):
        def save_layer(self, claim: Claim, result: LayerResult) -> None:
            seen.extend(library["num_threads"] for library in ThreadpoolController().select(user_api="blas").info())
            super().save_layer(claim, result)

    seen: list[int] = []
    store = Watching()
    store.gate.set()
    with threadpool_limits(2, user_api="blas"), make_sink(store, job) as sink:
        hand_over(sink, layers[:1])
    assert set(seen) == {1}


def test_a_write_that_fails_is_raised_before_room_for_another_layer_is_given(
    job: Any, layers: list[StreamedLayer]
) -> None:
    store = Store()
    store.error = LayerwiseError("the disk is full")
    store.gate.set()
    with make_sink(store, job) as sink, pytest.raises(LayerwiseError, match="the disk is full"):
        hand_over(sink, layers[: N_UNWRITTEN + 1])
    assert store.written == []


def test_the_last_write_that_fails_is_raised_when_all_is_written(job: Any, layers: list[StreamedLayer]) -> None:
    store = Store()
    store.error = LayerwiseError("the disk is full")
    with make_sink(store, job) as sink:
        sink.layer_finished(layers[0])
        store.gate.set()
        with pytest.raises(LayerwiseError, match="the disk is full"):
            sink.flush()


def test_layers_that_are_stored_already_are_neither_written_nor_waited_for(
    job: Any, layers: list[StreamedLayer]
) -> None:
    store = Store()
    done = frozenset(layer.target.key for layer in layers)
    claim = Claim("a1", done=done, token="secret")
    with make_sink(store, job, claim) as sink:
        hand_over(sink, layers)
        sink.flush()
    assert store.written == []


def test_a_run_of_many_stimuli_keeps_the_reason_in_place_of_what_costs_the_cube(monkeypatch: Any) -> None:
    registry = Registry()
    registry.register(statistics_plugin, "statistics", "layerwise", "1")
    statistics = [registry.get(Statistic, name) for name in ("effective-rank", "participation-ratio")]
    layer = represent(np.random.default_rng(0).normal(size=(5, 9)))

    def ask() -> list[StatisticResult]:
        return [measure_representation(statistic, print, layer) for statistic in statistics]

    computed = ask()
    monkeypatch.setattr("layerwise.core.runs.sink.MOST_STIMULI", 4)
    left_out, follows_from_traces = ask()
    assert computed[0].value is not None
    assert left_out.value is None
    assert was_left_out(left_out)
    assert follows_from_traces.value == computed[1].value
    told = describe_left_out(LayerStatistic(name, "none", left_out) for name in "ab")
    assert told == "effective-rank: not computed in a run above 2,000 stimuli; `layerwise measure` computes it"
    assert describe_left_out([LayerStatistic("a", "none", follows_from_traces)]) == ""
