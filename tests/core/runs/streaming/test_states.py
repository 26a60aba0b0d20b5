"""A streamed statistic may read, compare and write: whatever feeds it, no two threads are in it at once."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from layerwise.core.host.jobs import StreamedLayer, StreamJob
from layerwise.core.host.kinds import StatisticValue, StreamedStatistic, UnitTransform
from layerwise.core.host.plans import Budget, Target
from layerwise.core.host.registered import Registered
from layerwise.core.runs.streaming.planner import plan_stream
from layerwise.core.runs.streaming.states import StreamedState
from layerwise.core.runs.streaming.stream import stream_segments

PATIENCE = 0.5  # how long somebody waits in vain for a second thread, where there is none as there should be none


@dataclass
class Count:
    """Cells that came, and a door at which the first to come waits for a second one."""

    n_cells: int = 0
    met: threading.Event = field(default_factory=threading.Event)
    n_inside: int = 0
    first: bool = True


class Cells(StreamedStatistic):
    """Counts cells, and between reading and writing gives every other thread the time to do the same."""

    name = "cells"
    description = "number of cells that came"

    def start(self, n_stimuli: int, n_features: int) -> Count:
        return Count()

    def update(self, state: Count, activations: Any, stimuli: slice, units: slice) -> None:
        n_cells = state.n_cells
        state.n_inside += 1
        if state.n_inside > 1:
            state.met.set()
        if state.first:
            state.first = False
            state.met.wait(PATIENCE)
        state.n_cells = n_cells + activations.size
        state.n_inside -= 1

    def finish(self, state: Count) -> StatisticValue:
        return StatisticValue(float(state.n_cells))


class Same(UnitTransform):
    name = "same"
    description = "units as they are"

    def apply_units(self, units: Any) -> Any:
        return units.copy()


class Collector:
    def __init__(self) -> None:
        self.layers: dict[str, StreamedLayer] = {}

    def layer_finished(self, streamed: StreamedLayer) -> None:
        self.layers[streamed.target.layer.name] = streamed

    def advance(self, n_stimuli: int, what: str) -> None:
        pass


def register(offer: Any, hook: str) -> Registered[Any]:
    return Registered(offer, "mine", "mine", "1", hook)


@pytest.mark.parametrize("transform", [None, register(Same(), "register_transforms")], ids=["plain", "units"])
def test_every_cell_of_a_block_arrives_though_its_branches_stream_on_several_threads(
    toy: Any, monkeypatch: pytest.MonkeyPatch, transform: Any
) -> None:
    monkeypatch.setattr("layerwise.core.runs.streaming.planner.chunk_width", lambda n: 64)
    n, model = 40, toy.ToyModel()
    targets = tuple(Target(layer, transform) for layer in model.layers)
    features = {target.key: target.layer.n_features for target in targets}
    plan = plan_stream(model.graph, targets, features, n, 4, Budget(2**30, 0), n_cores=16)
    statistics = (register(Cells(), "register_statistics"),)
    sink = Collector()
    stream_segments(StreamJob(model, toy.make_stimuli(n), targets, plan, statistics), sink)
    assert "block" in [target.layer.name for target in plan.derived]
    counted = {name: streamed.streamed[0][1].value for name, streamed in sink.layers.items()}
    assert counted == {layer.name: n * layer.n_features for layer in model.layers}


def test_a_state_takes_one_thread_at_a_time() -> None:
    state = StreamedState(register(Cells(), "register_statistics"), 6, 1)
    piece = np.ones((1, 1), dtype=np.float32)
    start = threading.Barrier(6)

    def feed(row: int) -> None:
        start.wait()
        state.update(piece, slice(row, row + 1), slice(0, 1))

    threads = [threading.Thread(target=feed, args=(row,)) for row in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert state.finish()[1].value == 6


class Failing(Cells):
    """Fails at the first piece, and remembers whether it was asked again."""

    name = "failing"

    def __init__(self) -> None:
        self.n_asked = 0

    def update(self, state: Count, activations: Any, stimuli: slice, units: slice) -> None:
        self.n_asked += 1
        raise ValueError("broken")


def test_a_statistic_that_failed_is_not_fed_any_more() -> None:
    offer = Failing()
    state = StreamedState(register(offer, "register_statistics"), 2, 1)
    for row in range(2):
        state.update(np.ones((1, 1), dtype=np.float32), slice(row, row + 1), slice(0, 1))
    _, value = state.finish()
    assert offer.n_asked == 1
    assert value.value is None
    assert "broken" in value.reason
