"""What a run was predicted to cost stands beside what it did cost, and tells the next run how long it will take."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerwise.core.base.spool import SPOOLED, Spool
from layerwise.core.base.usage import MemoryWatch, resident_bytes
from layerwise.core.history.costs import Costs, Pace, Rates, RunCosts
from layerwise.core.history.memory import MemoryHistory
from layerwise.core.host.registry import Registry
from layerwise.core.runs.costing import metering
from layerwise.core.runs.costing.amounts import count_amounts, foretell
from layerwise.core.runs.costing.metering import Meter
from layerwise.core.runs.costing.predicting import predict_from_history
from layerwise.core.runs.describing import find_circumstances
from layerwise.core.runs.prepared import prepare_run
from layerwise.core.runs.request import RunRequest, SilentObserver
from layerwise.core.runs.run import execute_run
from layerwise.plugins import load_plugins
from layerwise.storage import open_store
from layerwise.testing.toy import ToyModel

MIB = 2**20


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_plugins()


@pytest.fixture
def pixels(tmp_path: Path) -> str:
    path = tmp_path / "noise.npy"
    np.save(path, np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), dtype=np.uint8))
    return str(path)


def prepare(registry: Registry, pixels: str, **changes: Any) -> Any:
    request = RunRequest(ToyModel(), pixels, layers=("all",), batch_size=4)
    return prepare_run(dataclasses.replace(request, **changes), registry, SilentObserver())


def run(registry: Registry, store: Any, pixels: str, **changes: Any) -> RunCosts:
    outcome = execute_run(prepare(registry, pixels, **changes), store, SilentObserver())
    costs = store.find_run(outcome.run_id).attempts[-1].costs
    assert costs is not None
    return costs


def test_a_run_in_a_database_remembers_what_it_was_predicted_to_cost_and_what_it_did(
    registry: Registry, pixels: str, tmp_path: Path
) -> None:
    plan = prepare(registry, pixels).plan
    with open_store(f"sqlite:///{tmp_path}/history.db") as store:
        costs = run(registry, store, pixels)
    assert costs.predicted.memory_bytes == plan.memory_bytes
    assert costs.predicted.spool_bytes == costs.happened.spool_bytes == 0
    assert costs.predicted.seconds is None  # ten batches: too few to try one, and none has run before
    happened = costs.happened
    assert happened.seconds is not None
    assert happened.processor_seconds is not None
    assert min(happened.seconds, happened.processor_seconds) > 0
    assert happened.memory_bytes is not None
    assert happened.memory_bytes >= 0
    assert costs.predicted.database_bytes is not None
    assert happened.database_bytes is not None
    assert 0.5 < costs.predicted.database_bytes / happened.database_bytes < 2


def test_the_next_run_of_a_network_is_predicted_from_the_last(registry: Registry, pixels: str) -> None:
    store = MemoryHistory()
    first = run(registry, store, pixels)
    earlier = store.find_run("latest").id
    second = run(registry, store, pixels, limit=20)
    assert earlier[:8] in second.basis
    assert first.rates is not None
    expected = foretell(first.rates, prepare(registry, pixels, limit=20).plan)
    assert second.predicted.seconds == pytest.approx(expected.seconds)
    assert second.predicted.processor_seconds == pytest.approx(expected.processor)
    assert second.happened.database_bytes is None  # it is on no disk


@pytest.mark.parametrize("changes", [{"batch_size": 5}, {"model": dataclasses.replace}])
def test_what_ran_otherwise_says_nothing(registry: Registry, pixels: str, changes: dict[str, Any]) -> None:
    store = MemoryHistory()
    run(registry, store, pixels)
    other = ToyModel()
    if "model" in changes:
        other.info = dataclasses.replace(other.info, n_parameters=7)
        changes = {"model": other}
    prepared = prepare(registry, pixels, **changes)
    now = find_circumstances(prepared)
    assert predict_from_history(prepared.plan, now, store).costs.seconds is None
    elsewhere = dataclasses.replace(find_circumstances(prepare(registry, pixels)), host={"hostname": "elsewhere"})
    assert predict_from_history(prepared.plan, elsewhere, store).costs.seconds is None


def test_the_first_batch_of_a_long_run_is_tried_out(registry: Registry, pixels: str) -> None:
    store = MemoryHistory()
    costs = run(registry, store, pixels, batch_size=2)
    assert costs.basis == "as fast as its first batch"
    assert costs.predicted.seconds is not None
    assert costs.predicted.seconds > 0
    assert "trial" in store.find_run("latest").timings


def test_a_trial_changes_no_number(registry: Registry, pixels: str) -> None:
    read = []
    for tried in (True, False):
        store = MemoryHistory()
        if not tried:  # the second time it is known how fast it goes
            run(registry, store, pixels, batch_size=2, limit=39)
        run(registry, store, pixels, batch_size=2)
        record = store.find_run("latest")
        assert (record.attempts[-1].costs.basis == "as fast as its first batch") is tried  # type: ignore[union-attr]
        read.append([store.read_statistics(record.id)])
    values = [[one.result.value for one in found] for (found,) in read]
    assert values[0] == values[1]


def test_what_is_spooled_is_measured(registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "many.npy"
    np.save(path, np.random.default_rng(0).integers(0, 256, (600, 8, 8, 3), dtype=np.uint8))
    whole = prepare(registry, str(path), batch_size=100).plan.memory_bytes
    shares = (whole * share // 100 for share in range(99, 0, -1))
    memory = next(m for m in shares if prepare(registry, str(path), batch_size=100, memory=m).plan.spool_bytes)
    costs = run(registry, MemoryHistory(), str(path), memory=memory, batch_size=100)
    assert costs.predicted.spool_bytes
    assert costs.happened.spool_bytes
    assert 0.7 < costs.predicted.spool_bytes / costs.happened.spool_bytes < 1.3


def test_costs_survive_a_database_as_they_were(registry: Registry, pixels: str, tmp_path: Path) -> None:
    pace = Pace(1.5, 2.5)
    costs = RunCosts(Costs(1.0, None, 3, 4, 5), Costs(memory_bytes=7), "so", Rates(pace, pace, Pace(1.0, None), pace))
    assert RunCosts.from_json(costs.as_json()) == costs
    later = costs.as_json() | {"new": 1}
    later["predicted"]["joules"] = 3
    assert RunCosts.from_json(later) == costs
    assert RunCosts.from_json(RunCosts(Costs(), Costs()).as_json()) == RunCosts(Costs(), Costs())


class Clock:
    """A clock that says what it is told to."""

    def __init__(self) -> None:
        self.now = Pace()

    def go(self, seconds: float) -> None:
        self.now = self.now.plus(Pace(seconds, 2 * seconds))


class Sink:
    """A sink that takes its time over a layer."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def layer_finished(self, streamed: Any) -> None:
        self._clock.go(0.5)

    def advance(self, n_stimuli: int, what: str) -> None:
        """Take no time."""


def test_time_is_the_networks_the_sums_or_storings(
    registry: Registry, pixels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, clock = prepare(registry, pixels).plan, Clock()
    monkeypatch.setattr(metering, "_now", lambda: clock.now)
    meter = Meter()
    with meter.running():
        clock.go(1.0)
        meter.set_aside()
        sink = meter.watch(Sink(clock))
        clock.go(5.0)  # tracing a function, before its first batch
        for _ in range(10):
            clock.go(0.1)
            sink.advance(4, "input")
        clock.go(3.0)
        sink.layer_finished(None)  # type: ignore[arg-type]
        clock.go(0.25)
    rates, amounts = meter.rates(plan, is_local=True), count_amounts(plan)
    assert rates is not None
    assert rates.start.seconds == pytest.approx(6.0)
    assert rates.network.times(amounts.passes).seconds == pytest.approx(1.0)
    assert rates.sums.times(amounts.products).seconds == pytest.approx(3.0)
    assert rates.layers.times(amounts.pairs).seconds == pytest.approx(0.75)
    assert foretell(rates, plan).seconds == pytest.approx(meter.total.seconds)
    assert foretell(rates, plan).processor == pytest.approx(2 * meter.total.seconds)
    elsewhere = meter.rates(plan, is_local=False)
    assert elsewhere is not None
    assert foretell(elsewhere, plan).processor is None


def test_an_engine_elsewhere_measures_no_memory_of_this_process(registry: Registry, pixels: str) -> None:
    from layerwise.core.runs.costing.predicting import Prediction, settle
    from layerwise.core.runs.run import make_job

    job = make_job(prepare(registry, pixels), frozenset())
    meter = Meter(Pace(1.0, 2.0), 3, 4)
    here = Costs(1.0, 2.0, 3 + job.stimuli.memory_bytes, 4, 5)
    happened = settle(Prediction(Costs()), meter, job, 5, is_local=False).happened
    assert happened == Costs(1.0, None, None, None, 5)
    assert settle(Prediction(Costs()), meter, job, 5, is_local=True).happened == here


def test_a_device_that_is_full_is_tried_no_further(
    registry: Registry, pixels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from layerwise.core.runs.costing import predicting

    class FullError(Exception):
        pass

    def fail(*_: Any) -> Rates:
        raise FullError

    monkeypatch.setattr(predicting, "try_out", fail)
    prepared = prepare(registry, pixels, batch_size=2)
    store = MemoryHistory()
    with pytest.raises(FullError):
        execute_run(prepared, store, SilentObserver())
    monkeypatch.setattr(predicting, "_is_exhausted", lambda _job, error: isinstance(error, FullError))
    assert run(registry, store, pixels, batch_size=2).basis == ""


def test_the_most_memory_within_a_block_is_seen() -> None:
    before = resident_bytes()
    with MemoryWatch() as watch:
        values = np.ones(64 * MIB, dtype=np.uint8)
        deadline = time.monotonic() + 30  # the thread that looks may have to wait for a core
        while watch.peak - before <= 48 * MIB and time.monotonic() < deadline:
            time.sleep(0.01)
        del values
    assert watch.peak - before > 48 * MIB


def test_spools_are_counted_while_they_are_open(tmp_path: Path) -> None:
    with SPOOLED.watching() as watched:
        before = watched.peak
        with Spool(tmp_path) as first, Spool(tmp_path) as second:
            first.write(0, np.zeros(1000, dtype=np.uint8))
            second.write(500, np.zeros(500, dtype=np.uint8))
            first.write(0, np.zeros(1000, dtype=np.uint8))
        assert watched.peak - before == 2000
    with SPOOLED.watching() as watched:
        assert watched.peak == before
