"""Imported runs, on every database: stored, answered, compared with bootstrap and tests, taken out again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerwise.core.analysis.compare import compare_layers
from layerwise.core.analysis.inference.from_history import ask_intervals, ask_tests
from layerwise.core.analysis.measure import find_measure
from layerwise.core.base.errors import LayerwiseError
from layerwise.core.history.intervals import IntervalPlan, PermutationPlan
from layerwise.core.history.records import Claim, LayerAddress, LayerResult, RunFilter
from layerwise.core.host.registry import Registry
from layerwise.core.runs.request import SilentObserver
from layerwise.interchange.importing import ImportRequest, execute_import, prepare_import
from layerwise.plugins import load_plugins
from layerwise.storage import Store, open_store

NAMES = [f"photo {index}.png" for index in range(12)]


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_plugins()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(12, 5))
    distances = np.linalg.norm(rows[:, None] - rows[None], axis=-1)
    tied = np.round(distances)
    gaps = distances.copy()
    gaps[3, :] = gaps[:, 3] = np.nan
    path = tmp_path / "recording.npz"
    np.savez(path, **{"V1/euclidean": distances, "V4/euclidean": tied, "IT/euclidean": gaps, "stimuli": NAMES})
    return path


def bring_in(store: Store, registry: Registry, file: Path, **changes: Any) -> Any:
    request = ImportRequest(files=(file,), command="layerwise import", **changes)
    return execute_import(prepare_import(request), registry, store, SilentObserver())


def test_an_imported_run_is_read_back_as_it_was_made_and_asked_for_again(
    store: Store, registry: Registry, file: Path
) -> None:
    outcome = bring_in(store, registry, file)
    assert (outcome.status, outcome.layers, outcome.n_stimuli) == ("finished", ("V1", "V4", "IT"), 12)
    again = bring_in(store, registry, file)
    assert (again.status, again.run_id) == ("stored", outcome.run_id)
    assert [stimulus.name for stimulus in store.list_stimuli(outcome.run_id)] == NAMES
    prepared = prepare_import(ImportRequest(files=(file,))).gathered
    for layer in prepared.layers:
        stored = store.read_representation(LayerAddress(outcome.run_id, layer.name))
        kept = layer.converted.representation
        np.testing.assert_array_equal(stored.correlation, kept.correlation)
        np.testing.assert_array_equal(stored.norm, kept.norm)
    assert list(store.read_representation(LayerAddress(outcome.run_id, "IT")).constant) == [3]
    assert {item.result.name for item in store.read_statistics(outcome.run_id)} >= {"participation-ratio"}


def test_an_import_says_that_it_is_one_and_has_no_shape_of_an_input(
    store: Store, registry: Registry, file: Path
) -> None:
    run = store.find_run(bring_in(store, registry, file).run_id)
    assert (run.origin, run.model.input_shape) == ("imported", ())
    assert [found.id for found in store.list_runs(RunFilter(origin="imported"))] == [run.id]


def test_imported_layers_are_compared_with_intervals_and_tests_that_are_kept(
    store: Store, registry: Registry, file: Path
) -> None:
    outcome = bring_in(store, registry, file)
    layers = [LayerAddress(outcome.run_id, name) for name in outcome.layers]
    measure = find_measure(registry, "rsa-pearson")
    table = compare_layers(registry, store, measure, layers)
    assert np.isfinite(table.matrix).all()
    plan, tests = IntervalPlan(40), PermutationPlan(40)
    found, tested = ask_intervals(store, measure, layers, plan), ask_tests(store, measure, layers, tests)
    assert (found.low <= table.matrix + 1e-9).all()
    assert (tested.p[0, 1] <= 0.05, np.isnan(tested.p[0, 0])) == (True, True)
    run_ids = [outcome.run_id]
    assert len(store.read_comparisons(measure.provider, run_ids)) == 9
    assert len(store.read_intervals(measure.provider, plan, run_ids)) == 9
    assert len(store.read_tests(measure.provider, tests, run_ids)) == 9
    np.testing.assert_array_equal(ask_intervals(store, measure, layers, plan).low, found.low)
    store.delete_run(outcome.run_id)
    assert store.read_comparisons(measure.provider, run_ids) == []


def test_an_import_that_has_lost_its_run_leaves_it_to_who_finished_it(
    store: Store, registry: Registry, file: Path, url: str, execute: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, finished = store.save_layer, []

    def be_overtaken(claim: Claim, result: LayerResult) -> None:
        if not finished:  # to the other, this process is on another machine, and has been silent for long
            execute("UPDATE runs SET hostname = 'elsewhere', heartbeat_at = '2020-01-01 00:00:00.000000'")
            with open_store(url) as other:
                finished.append(bring_in(other, registry, file).run_id)
        save(claim, result)

    monkeypatch.setattr(store, "save_layer", be_overtaken)
    with pytest.raises(LayerwiseError, match="is not held by this process any more: it is finished"):
        bring_in(store, registry, file)
    assert [(run.id, run.status) for run in store.list_runs()] == [(finished[0], "finished")]
    assert [layer.name for layer in store.list_layers(finished[0])] == ["V1", "V4", "IT"]
    assert store.verify() == []


def test_an_import_that_fails_leaves_nothing(
    store: Store, registry: Registry, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any) -> None:
        raise LayerwiseError("the disk is full")

    monkeypatch.setattr(store, "finish_run", fail)
    with pytest.raises(LayerwiseError, match="disk is full"):
        bring_in(store, registry, file)
    assert store.list_runs() == []
