"""One run from request to history: stored once, resumed where it stopped, answered when asked again."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from given_model import GivenLoader

from layerwise.core.base.errors import InputError, LayerwiseError, PluginError
from layerwise.core.history.memory import MemoryHistory
from layerwise.core.history.records import LayerAddress
from layerwise.core.host import hookspecs
from layerwise.core.host.kinds import ActivationStatistic, RepresentationStatistic, StatisticValue
from layerwise.core.host.registry import Registry
from layerwise.core.runs.prepared import prepare_run
from layerwise.core.runs.request import RunRequest, SilentObserver
from layerwise.core.runs.run import execute_run
from layerwise.plugins import load_plugins
from layerwise.storage import open_store
from layerwise.storage.holding import heartbeat

ALL = ("all",)


class Plugin:
    """A plugin that registers whatever it is given."""

    def __init__(self, **offers: list[Any]) -> None:
        for hook, values in offers.items():
            method = hookspecs.hookimpl(specname=f"register_{hook}")(lambda values=values: values)
            setattr(self, f"register_{hook}", method)


@pytest.fixture
def pixels(toy: Any, tmp_path: Path) -> Path:
    path = tmp_path / "noise.npz"
    stimuli = toy.make_stimuli(20)
    np.savez(path, images=stimuli.read(0, 20), labels=np.array(stimuli.labels))
    return path


@pytest.fixture
def model(toy: Any) -> Any:
    return toy.ToyModel()


@pytest.fixture
def registry(model: Any) -> Registry:
    registry = load_plugins()
    registry.register(Plugin(model_loaders=[GivenLoader(model)]), "toys", "toys", "1.0")
    return registry


@pytest.fixture
def store() -> MemoryHistory:
    return MemoryHistory()


@pytest.fixture
def store_on_disk(tmp_path: Path) -> Iterator[Any]:
    with open_store(f"sqlite:///{tmp_path}/history.db") as store:
        yield store


def run(registry: Registry, store: Any, pixels: Path, **changes: Any) -> Any:
    request = dataclasses.replace(RunRequest("toy", str(pixels), layers=ALL, batch_size=4), **changes)
    return execute_run(prepare_run(request, registry, SilentObserver()), store, SilentObserver())


def read_all(store: Any, run_id: str) -> dict[str, Any]:
    return {
        layer.name: store.read_representation(LayerAddress(run_id, layer.name)) for layer in store.list_layers(run_id)
    }


def test_a_run_is_stored_with_layers_statistics_weights_and_predictions(
    registry: Registry, store: Any, pixels: Path
) -> None:
    outcome = run(registry, store, pixels, command="layerwise run toy")
    record = store.find_run("latest")
    assert (record.id, record.status, record.command) == (outcome.run_id, "finished", "layerwise run toy")
    assert record.n_layers == len(outcome.layers) == 9
    assert record.loader.name == "toys:toy"
    assert {"python", "numpy"} <= set(record.versions)
    assert record.accuracy is not None
    assert outcome.accuracy == record.accuracy
    names = {statistic.result.name for statistic in store.read_statistics(outcome.run_id)}
    assert {"mean", "sparseness-population", "participation-ratio"} <= names
    assert next(tensor.name for tensor in store.read_weights(outcome.run_id)) == "conv/kernel"
    assert len(store.read_predictions(outcome.run_id)) == 5 * 20


def test_the_same_analysis_asked_for_twice_is_answered_without_the_network(
    registry: Registry, store: Any, pixels: Path, model: Any
) -> None:
    first = run(registry, store, pixels)
    model.calls.clear()
    second = run(registry, store, pixels)
    assert (second.run_id, second.status) == (first.run_id, "stored")
    assert second.layers == first.layers
    assert model.calls == []


class Trace(RepresentationStatistic):
    name = "trace"
    description = "a statistic of representations that came later"

    def compute(self, representation: Any) -> StatisticValue:
        return StatisticValue(float(np.trace(representation.gram())))


class Lowest(ActivationStatistic):
    name = "lowest"
    description = "a statistic that only the network can give, which came later"

    def compute(self, summary: Any) -> StatisticValue:
        return StatisticValue(0.0)


def test_a_statistic_of_representations_that_came_later_is_added_without_the_network(
    registry: Registry, store: Any, pixels: Path, model: Any
) -> None:
    first = run(registry, store, pixels)
    model.calls.clear()
    registry.register(Plugin(statistics=[Trace()]), "late", "late", "1.0")
    second = run(registry, store, pixels)
    assert (second.run_id, second.status, model.calls) == (first.run_id, "stored", [])
    added = [item for item in store.read_statistics(first.run_id) if item.result.name == "trace"]
    assert [item.layer for item in added] == list(first.layers)
    representation = store.read_representation(LayerAddress(first.run_id, first.layers[0]))
    assert added[0].result.value == pytest.approx(np.trace(representation.gram()))


def test_a_statistic_that_only_the_network_can_give_makes_it_another_analysis(
    registry: Registry, store: Any, pixels: Path
) -> None:
    first = run(registry, store, pixels)
    registry.register(Plugin(statistics=[Lowest()]), "late", "late", "1.0")
    assert run(registry, store, pixels).run_id != first.run_id


def test_force_computes_again_and_gives_identical_numbers(registry: Registry, store: Any, pixels: Path) -> None:
    first = run(registry, store, pixels)
    second = run(registry, store, pixels, force=True)
    assert second.run_id != first.run_id
    before, after = read_all(store, first.run_id), read_all(store, second.run_id)
    for name, representation in before.items():
        assert np.array_equal(representation.correlation, after[name].correlation, equal_nan=True)


@pytest.mark.parametrize("change", [{"batch_size": 5}, {"layers": ("main",)}, {"step": 3}, {"tags": {"a": "b"}}])
def test_a_different_analysis_is_another_run(
    registry: Registry, store: Any, pixels: Path, change: dict[str, Any]
) -> None:
    assert run(registry, store, pixels).run_id != run(registry, store, pixels, **change).run_id


class StopAt:
    """An observer that interrupts when a layer is finished."""

    def __init__(self, layer: str, error: BaseException) -> None:
        self.layer, self.error = layer, error
        self.said: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None

    def message(self, text: str) -> None:
        self.said.append(text)

    def layer_finished(self, name: str) -> None:
        if name == self.layer:
            raise self.error


@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt(), "interrupted"), (LayerwiseError("no space left"), "failed")]
)
def test_an_interrupted_run_keeps_what_it_finished_and_goes_on_with_identical_numbers(
    registry: Registry, store: Any, pixels: Path, error: BaseException, status: str
) -> None:
    request = RunRequest("toy", str(pixels), layers=ALL, batch_size=4)
    prepared = prepare_run(request, registry, SilentObserver())
    observer = StopAt("block/b", error)
    with pytest.raises(type(error)):
        execute_run(prepared, store, observer)
    [stopped] = store.list_runs()
    assert stopped.status == status
    kept = {layer.name for layer in store.list_layers(stopped.id)}
    assert "block/b" in kept
    assert "output" not in kept
    told = f"{len(kept)} of {len(prepared.layers)} layers are stored; the same command goes on from there"
    assert observer.said[-1:] == ([told] if status == "interrupted" else [])
    resumed = run(registry, store, pixels)
    assert (resumed.run_id, resumed.resumed) == (stopped.id, True)
    whole = run(registry, store, pixels, force=True)
    before, after = read_all(store, resumed.run_id), read_all(store, whole.run_id)
    assert before.keys() == after.keys()
    for name, representation in before.items():
        assert np.array_equal(representation.correlation, after[name].correlation, equal_nan=True)
        assert np.array_equal(representation.mean, after[name].mean)


def test_preparing_stores_nothing(registry: Registry, store: Any, pixels: Path) -> None:
    prepared = prepare_run(RunRequest("toy", str(pixels)), registry, SilentObserver())
    assert prepared.plan.n_stimuli == 20
    assert store.list_runs() == []


def test_layers_after_a_transform_are_stored_beside_the_plain_ones(
    registry: Registry, store: Any, pixels: Path
) -> None:
    outcome = run(registry, store, pixels, transforms=("rank",))
    plain = store.read_representation(LayerAddress(outcome.run_id, "conv"))
    ranked = store.read_representation(LayerAddress(outcome.run_id, "conv", "rank"))
    assert not np.allclose(plain.correlation, ranked.correlation)


class Broken(ActivationStatistic):
    name = "broken"
    description = "raises"

    def compute(self, summary: Any) -> StatisticValue:
        raise ZeroDivisionError("oh no")


def test_a_statistic_that_raises_leaves_a_reason_that_names_it_and_the_run_goes_on(
    registry: Registry, store: Any, pixels: Path
) -> None:
    registry.register(Plugin(statistics=[Broken()]), "breaker", "breaker", "1.0")
    outcome = run(registry, store, pixels)
    assert outcome.status == "finished"
    [result] = {s.result.reason for s in store.read_statistics(outcome.run_id) if s.result.name == "broken"}
    assert "plugin 'breaker' (register_statistics): broken.compute raised ZeroDivisionError: oh no" in result


class Slow(RepresentationStatistic):
    name = "slow"
    description = "says nothing for long"

    def __init__(self, wait: Any) -> None:
        self._wait = wait

    def compute(self, representation: Any) -> StatisticValue:
        self._wait()
        return StatisticValue(0.0)


def test_a_run_gives_signs_of_life_while_a_plugin_s_statistic_says_nothing(
    registry: Registry, store_on_disk: Any, pixels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beaten, beat = threading.Event(), heartbeat.beat
    store, database = store_on_disk, store_on_disk._database

    def give_a_sign(*arguments: Any) -> bool:
        answer = beat(*arguments)
        beaten.set()
        return answer

    def wait() -> None:
        with database.write() as connection:
            connection.exec_driver_sql("UPDATE runs SET heartbeat_at = '2020-01-01 00:00:00.000000'")
        beaten.clear()
        assert beaten.wait(600)
        seen.append(store.query("SELECT min(heartbeat_at) FROM runs").item())

    seen: list[str] = []
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.01)
    monkeypatch.setattr(heartbeat, "beat", give_a_sign)
    registry.register(Plugin(statistics=[Slow(wait)]), "slow", "slow", "1.0")
    outcome = run(registry, store, pixels, layers=("output",))
    assert outcome.status == "finished"
    assert len(seen) == 1
    assert str(seen[0]) > "2021"


def test_a_run_that_fails_with_its_history_says_why_it_failed(
    registry: Registry, store: Any, pixels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise LayerwiseError("the history is out of reach")

    monkeypatch.setattr(store, "fail_run", fail)
    request = RunRequest("toy", str(pixels), layers=ALL, batch_size=4)
    prepared = prepare_run(request, registry, SilentObserver())
    with pytest.raises(LayerwiseError, match="no space left"):
        execute_run(prepared, store, StopAt("block/b", LayerwiseError("no space left")))
    assert [run.status for run in store.list_runs()] == ["interrupted"]
    assert run(registry, store, pixels).resumed


def test_a_loader_that_raises_is_an_error_that_names_it(store: Any, pixels: Path) -> None:
    class Bad(GivenLoader):
        def load(self, request: Any) -> Any:
            raise RuntimeError("kaput")

    registry = load_plugins()
    registry.register(Plugin(model_loaders=[Bad(None)]), "bad", "bad", "1.0")
    with pytest.raises(PluginError, match=r"plugin 'bad' \(register_model_loaders\).*kaput"):
        run(registry, store, pixels)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 0}, "batch size must be at least 1"),
        ({"engine": "locl"}, "no engine 'locl'; did you mean local?"),
        ({"transforms": ("ranks",)}, "no transform 'ranks'; did you mean rank?"),
        ({"layers": ("blok",)}, "blok"),
        ({"stimuli": "missing.npz"}, "missing.npz"),
        ({"spool_folder": Path("missing-folder")}, "cannot spool to missing-folder"),
    ],
)
def test_a_wrong_request_is_one_clear_error_before_anything_is_stored(
    registry: Registry, store: Any, pixels: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message.replace("?", r"\?")):
        run(registry, store, pixels, **change)
    assert store.list_runs() == []


class Listening(SilentObserver):
    def __init__(self) -> None:
        self.said: list[str] = []

    def message(self, text: str) -> None:
        self.said.append(text)


def test_a_run_on_a_set_that_extends_an_analysed_one_says_that_nothing_of_that_is_reused(
    registry: Registry, store: MemoryHistory, pixels: Path
) -> None:
    def listen(limit: int | None, **changes: Any) -> tuple[str, list[str]]:
        request = RunRequest("toy", str(pixels), layers=("output",), limit=limit, **changes)
        observer = Listening()
        return execute_run(prepare_run(request, registry, observer), store, observer).run_id, observer.said

    first, said = listen(12)
    assert said == []
    _, said = listen(None)
    assert said == [
        f"12 of these 20 stimuli are those of run {first}; nothing of it can be reused, because pairs of old with "
        "new stimuli need the activations of both, which no run keeps"
    ]
    assert listen(5)[1] == []
