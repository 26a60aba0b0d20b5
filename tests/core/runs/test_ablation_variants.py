"""A sweep that is stored keeps each variant as a run, and goes on where it was stopped."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerwise.cli import main
from layerwise.core.analysis.functional.effects import measure_effects
from layerwise.core.base.errors import InputError
from layerwise.core.history.memory import MemoryHistory
from layerwise.core.history.records import LayerAddress, RunFilter
from layerwise.core.network.ablating.ablation import Ablation
from layerwise.core.runs.ablating.sweep import Sweep, choose_ablations, sweep_ablations
from layerwise.core.runs.ablating.variants import StoredSweep, measure_savings, sweep_stored
from layerwise.core.runs.prepared import PreparedRun, prepare_run
from layerwise.core.runs.request import RunRequest, SilentObserver
from layerwise.core.runs.run import execute_run
from layerwise.demo.digits import load_digits
from layerwise.demo.network import build_network
from layerwise.plugins import load_plugins
from layerwise.storage import open_store

keras: Any = pytest.importorskip("keras")
N = 40
BOTH = ("layerwise:main", "layerwise:branches")


@pytest.fixture(scope="module")
def digits() -> Any:
    return load_digits(N, seed=0)[1]


@pytest.fixture(scope="module")
def network(digits: Any) -> Any:
    keras.utils.set_random_seed(0)
    network = build_network()
    network.compile("adam", "sparse_categorical_crossentropy")
    network.fit(digits.pixels[..., None].astype(np.float32), digits.labels, epochs=3, verbose=0)
    return network


@pytest.fixture(scope="module")
def registry() -> Any:
    return load_plugins()


@pytest.fixture(scope="module")
def prepare(network: Any, digits: Any, registry: Any) -> Any:
    def make(**asked: Any) -> PreparedRun:
        request = RunRequest(network, digits.pixels[..., None], layers=BOTH, **asked)
        return prepare_run(request, registry, SilentObserver())

    return make


def sweep(prepared: PreparedRun, ablations: Any, store: Any, observer: Any = None) -> StoredSweep:
    main_layers = [layer for layer in prepared.model.layers if layer.is_main]
    return sweep_stored(prepared, ablations, main_layers, store, observer or SilentObserver())


@pytest.mark.parametrize("substitute", ["zero", "mean", "shuffle"])
def test_a_variant_is_what_an_analysis_without_the_layer_is(substitute: Any, prepare: Any, registry: Any) -> None:
    history = MemoryHistory()
    prepared = prepare()
    ablations = [Ablation((name,), substitute) for name in ("mixed1/3x3", "conv0", "mixed2")]
    ablations.append(Ablation(("mixed1/5x5", "mixed2/5x5"), substitute))
    stored = sweep(prepared, ablations, history)
    intact, *variants = (history.find_run(run) for run in (stored.baseline, *stored.variants))
    in_memory = sweep_ablations(
        prepared.model, ablations, prepared.stimuli.read, prepared.stimuli.labels, Sweep(n_resamples=50)
    )[1]
    for ablation, run, effect in zip(ablations, variants, in_memory, strict=True):
        assert (run.origin, run.status) == ("ablated", "finished")
        assert run.variant is not None
        assert (run.variant.layers, run.variant.baseline) == (ablation.layers, intact.model.fingerprint)
        outputs = history.read_outputs(run.id)
        assert outputs is not None
        assert np.abs(outputs.values - effect.outputs).max() < 1e-5
        whole = prepare(ablate=ablation.layers, ablate_with=substitute)
        alone = execute_run(whole, history, SilentObserver()).run_id
        names = [layer.name for layer in history.list_layers(run.id)]
        assert names[-1] == "output"
        assert not {"input", *ablation.layers} & set(names)
        for name in names:
            ours, theirs = (history.read_representation(LayerAddress(one, name)) for one in (run.id, alone))
            apart = ours.squared_distances()
            assert np.abs(apart - theirs.squared_distances()).max() <= 1e-4 * apart.max()
        assert history.find_run(alone).variant == run.variant


class Stopping(SilentObserver):
    """Stops the work while the third variant is computed."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def advance(self, count: int, what: str) -> None:
        self.seen |= {what} if what.startswith("without") else set()
        if len(self.seen) == 3:
            raise KeyboardInterrupt


def test_a_sweep_that_was_stopped_goes_on_with_what_is_missing(prepare: Any, registry: Any) -> None:
    history = MemoryHistory()
    prepared = prepare()
    ablations = choose_ablations(registry, prepared.model, [], [], "zero")
    whole = sweep(prepare(), ablations, MemoryHistory())
    assert whole.n_computed == len(ablations) == 8
    with pytest.raises(KeyboardInterrupt):
        sweep(prepared, ablations, history, Stopping())
    finished = {run.id for run in history.list_runs(RunFilter(origin="ablated", status="finished"))}
    assert len(finished) == 2
    stored = sweep(prepare(), ablations, history)
    assert stored.n_computed == 8 - len(finished)
    assert finished < set(stored.variants)
    assert history.count_runs(RunFilter(origin="ablated")) == 8
    again = sweep(prepare(), ablations, history)
    assert (again.n_computed, again.variants) == (0, stored.variants)


def test_effects_are_ranked_and_say_what_changed_after_the_layer(prepare: Any, registry: Any) -> None:
    history = MemoryHistory()
    prepared = prepare()
    ablations = choose_ablations(registry, prepared.model, ["mixed1/3x3", "mixed2/5x5"], ["glob:*/5x5"], "zero")
    stored = sweep(prepared, ablations, history)
    intact, *variants = (history.find_run(run) for run in (stored.baseline, *stored.variants))
    effects = measure_effects(registry, history, intact, variants)
    assert [effect.severity for effect in effects] == sorted((one.severity for one in effects), reverse=True)
    first = next(effect for effect in effects if effect.variant.layers == ("mixed1/3x3",))
    assert [change.layer for change in first.layers][-1] == "output"
    assert {change.layer for change in first.layers} >= {"mixed1", "mixed2"}
    assert all(change.value is not None and change.value < 1 - 1e-6 for change in first.layers)
    assert first.structure is not None
    assert first.structure.low <= first.structure.value <= first.structure.high
    assert first.structure.value == first.layers[-1].value
    late = next(effect for effect in effects if effect.variant.layers == ("mixed2/5x5",))
    assert "mixed1" not in {change.layer for change in late.layers}


def test_what_is_saved_is_counted(prepare: Any, network: Any) -> None:
    model = prepare().model
    one, both = measure_savings(model, [Ablation(("mixed1/3x3",)), Ablation(("mixed1/3x3", "mixed2/5x5"))])
    layers = [layer for layer in network.layers if layer.name in ("mixed1_3x3", "mixed1_3x3_reduce")]
    assert layers
    assert one.n_parameters == sum(layer.count_params() for layer in layers)
    assert one.share_of_parameters == pytest.approx(one.n_parameters / network.count_params())
    assert 0 < one.share_of_cost < both.share_of_cost < 1


def test_an_output_that_is_not_kept_cannot_be_compared_with(prepare: Any) -> None:
    with pytest.raises(InputError, match="not kept whole"):
        sweep(prepare(outputs="none"), [Ablation(("mixed2/5x5",))], MemoryHistory())


@pytest.fixture(scope="module")
def files(network: Any, digits: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    network.save(folder / "digits.keras")
    np.savez(folder / "digits.npz", images=digits.pixels[..., None], labels=digits.labels)
    return folder


def test_the_command_killed_in_the_middle_goes_on(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = f"sqlite:///{tmp_path}/history.db"
    command = ["ablate", str(files / "digits.keras"), "--stimuli", str(files / "digits.npz"), "--db", database]
    dying = (
        "import os, sys\n"
        "from layerwise.core.runs.ablating import sweep as ablation_sweep\n"
        "from layerwise.cli import main\n"
        "calls = []\n"
        "def add(self, n_passed, what):\n"
        "    calls.append(what)\n"
        "    if len(calls) == 30:\n"
        "        os._exit(9)\n"
        "ablation_sweep.Progress.add = add\n"
        "main(sys.argv[1:])\n"
    )
    assert subprocess.run([sys.executable, "-c", dying, *command], check=False).returncode == 9
    with open_store(database) as store:
        finished = {run.id for run in store.list_runs(RunFilter(origin="ablated", status="finished"))}
        assert 0 < len(finished) < 8
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["n_computed"] == 8 - len(finished)
    assert finished < {effect["run_id"] for effect in found["effects"]}
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == found | {"n_computed": 0}
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "all variants were stored already" in shown
    assert main(["db", "check", "--db", database]) == 0
    capsys.readouterr()
    first = found["effects"][0]
    compared = ["compare", found["baseline"], first["run_id"], "--db", database, "--with", "disagreement", "jsd"]
    assert main([*compared, "--json"]) == 0
    disagreement, divergence = json.loads(capsys.readouterr().out)
    assert disagreement["matrix"][0][1] == pytest.approx(1 - first["agreement"]["value"])
    assert disagreement["low"][0][1] <= disagreement["matrix"][0][1] <= disagreement["high"][0][1]
    assert divergence["matrix"] == pytest.approx(np.array([[0, 1], [1, 0]]) * first["divergence_bits"]["value"])
    assert divergence["low"][0][1] == pytest.approx(first["divergence_bits"]["low"])
    assert main([*compared, "cka"]) == 0
    shown = capsys.readouterr().out
    assert "Jensen-Shannon divergence" in shown
    assert "cka (layerwise:cka" in shown
    assert main(["compare", found["baseline"], "--with", "jsd", "--db", database]) == 2
    assert "name two or more" in capsys.readouterr().err
    assert main(["show", first["run_id"], "--db", database]) == 0
    assert f"set to 0; beside the intact run {found['baseline'][:8]}" in capsys.readouterr().out
