"""A silenced layer gives what it is replaced by, and the rest of the network computes with that."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerwise.cli import main
from layerwise.core.base.errors import InputError
from layerwise.core.history.baselines import find_baseline
from layerwise.core.network.ablating import stand_ins
from layerwise.core.network.ablating.ablation import Ablation, ablate, measure_means
from layerwise.core.network.ablating.stand_ins import draw_partners
from layerwise.core.network.model import LoadRequest
from layerwise.core.runs.ablating.sweep import sweep_ablations
from layerwise.demo.network import build_network
from layerwise.plugins.loaders.graphdef.files import FrozenGraphLoader, SavedModelLoader
from layerwise.plugins.loaders.keras.files import KerasFileLoader
from layerwise.storage import open_store
from layerwise.testing.toy import ToyModel

keras: Any = pytest.importorskip("keras")
N = 20
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (N, 16, 16, 1), dtype=np.uint8)


def read(start: int, stop: int) -> Any:
    return PIXELS[start:stop]


@pytest.fixture(scope="module")
def network() -> Any:
    keras.utils.set_random_seed(0)
    return build_network()


@pytest.fixture(scope="module")
def model(network: Any) -> Any:
    return KerasFileLoader().adopt(network, LoadRequest("digits"))


def outputs_without(network: Any, layer: str, value: Any) -> Any:
    """What Keras makes of the stimuli when the layer's output is multiplied by 0 and `value` is added."""

    def clone(original: Any) -> Any:
        return original.__class__.from_config(original.get_config())

    copied = keras.models.clone_model(network, clone_function=clone)
    copied.set_weights(network.get_weights())
    target = copied.get_layer(layer)
    call = target.call
    target.call = lambda tensor: call(tensor) * 0 + value
    rebuilt = keras.models.clone_model(copied, clone_function=lambda one: one)
    return rebuilt.predict(PIXELS.astype(np.float32), verbose=0)


def compute(model: Any) -> Any:
    function = model.compile(model.graph.input, [model.graph.output])
    return function(model.preprocess(PIXELS))[0]


@pytest.mark.parametrize("substitute", ["zero", "mean", "shuffle"])
def test_an_ablated_branch_is_a_keras_model_with_that_branch_replaced(
    substitute: Any, network: Any, model: Any
) -> None:
    silenced = ablate(model, Ablation(("mixed2/5x5",), substitute, seed=3), read, N)
    intact = keras.Model(network.input, network.get_layer("mixed2_5x5").output)
    given = intact.predict(PIXELS.astype(np.float32), verbose=0)
    value = {"zero": 0.0, "mean": given.mean(axis=0), "shuffle": given[draw_partners(N, 3)]}[substitute]
    expected = outputs_without(network, "mixed2_5x5", value)
    assert np.abs(compute(silenced) - expected).max() < 1e-6
    assert np.abs(compute(silenced) - compute(model)).max() > 1e-4


@pytest.mark.parametrize("n_stimuli", [2, 3, 50])
def test_everybody_gets_another_ones_activations_and_each_is_used_once(n_stimuli: int) -> None:
    partners = draw_partners(n_stimuli, 5)
    assert sorted(partners) == list(range(n_stimuli))
    assert (partners != np.arange(n_stimuli)).all()
    assert (partners == draw_partners(n_stimuli, 5)).all()
    assert n_stimuli < 50 or (partners != draw_partners(n_stimuli, 6)).any()


def test_a_shuffled_layer_gives_a_stimulus_the_same_row_in_any_batch_and_from_disk(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for most in (2**28, 0):
        monkeypatch.setattr(stand_ins, "_MOST_IN_MEMORY", most)
        silenced = ablate(model, Ablation(("mixed1/3x3", "mixed2/1x1"), "shuffle"), read, N)
        function = silenced.compile(silenced.graph.input, [silenced.graph.output])
        for size in (N, 7):
            parts = [function.at(at, silenced.preprocess(read(at, at + size)))[0] for at in range(0, N, size)]
            found.append(np.concatenate(parts))
    assert all(np.abs(other - found[0]).max() < 1e-6 for other in found)
    assert np.abs(found[0] - compute(model)).max() > 1e-4


def test_segments_give_what_the_whole_gives(model: Any) -> None:
    silenced = ablate(model, Ablation(("mixed1/3x3", "mixed1/1x1"), "mean"), read, N)
    cuts = silenced.graph.cut_points()
    tensor = silenced.preprocess(PIXELS)
    for start, end in pairwise(cuts):
        tensor = silenced.compile(start, [end])(tensor)[0]
    assert np.abs(tensor - compute(silenced)).max() < 1e-6


def test_a_silenced_layer_gives_its_substitute_and_is_told_from_the_intact(model: Any) -> None:
    node = next(layer.node for layer in model.layers if layer.name == "conv0")
    silenced = ablate(model, Ablation(("conv0",), "mean"), read, N)
    given = silenced.compile(silenced.graph.input, [node])(silenced.preprocess(PIXELS))[0]
    assert given.shape[0] == N
    assert (given == given[0]).all()
    means = measure_means(model, [node], read, N)[node]
    assert np.array_equal(given[0], means)
    other = ablate(model, Ablation(("conv0",)), read, N)
    assert len({model.info.fingerprint, silenced.info.fingerprint, other.info.fingerprint}) == 3
    assert other.info.name == "digits without conv0"


def freeze(network: Any, path: Path) -> Any:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    signature = tf.TensorSpec([None, 16, 16, 1], tf.float32, name="image")
    function = tf.function(lambda image: network(image, training=False), input_signature=[signature])
    frozen = convert_variables_to_constants_v2(function.get_concrete_function()).graph.as_graph_def()
    path.write_bytes(frozen.SerializeToString())
    return FrozenGraphLoader().load(LoadRequest(str(path), preprocessing="none"))


def export(network: Any, path: Path) -> Any:
    network.export(path, verbose=False)
    return SavedModelLoader().load(LoadRequest(str(path), preprocessing="none"))


@pytest.fixture(scope="module", params=[freeze, export], ids=["frozen graph", "SavedModel"])
def graph(request: pytest.FixtureRequest, network: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return request.param(network, tmp_path_factory.mktemp("graph") / "digits.pb")


@pytest.mark.parametrize("substitute", ["zero", "mean", "shuffle"])
def test_a_branch_of_an_exported_network_is_silenced_as_keras_says(substitute: Any, network: Any, graph: Any) -> None:
    given = keras.Model(network.input, network.get_layer("mixed2_5x5").output).predict(PIXELS * 1.0, verbose=0)
    value = {"zero": 0.0, "mean": given.mean(axis=0), "shuffle": given[draw_partners(N, 3)]}[substitute]
    (branch,) = (layer.name for layer in graph.layers if layer.branch == "5x5" and "mixed2" in layer.name)
    silenced = ablate(graph, Ablation((branch,), substitute, seed=3), read, N)
    assert np.abs(compute(silenced) - outputs_without(network, "mixed2_5x5", value)).max() < 1e-6
    assert np.abs(compute(silenced) - compute(graph)).max() > 1e-4


def test_a_sweep_over_an_exported_network_silences_each_branch(network: Any, graph: Any) -> None:
    branches = [layer.name for layer in graph.layers if layer.branch and "mixed2" in layer.name]
    assert len(branches) == 4
    _, effects = sweep_ablations(graph, [Ablation((name,)) for name in branches], read, [None] * N)
    for name, effect in zip(branches, effects, strict=True):
        whole = ablate(graph, Ablation((name,)), read, N)
        assert np.abs(effect.outputs - compute(whole)).max() < 1e-6


@pytest.mark.parametrize(
    ("name", "reason"), [("mixed2/5x6", "mixed2/5x5"), ("output", "the output"), ("input", "the input")]
)
def test_what_cannot_be_silenced_is_said(name: str, reason: str, model: Any) -> None:
    with pytest.raises(InputError, match=reason):
        ablate(model, Ablation((name,)), read, N)


def test_a_loader_that_cannot_replace_a_node_says_so() -> None:
    toy = ToyModel()
    hidden = next(layer.name for layer in toy.layers if layer.role == "hidden")
    with pytest.raises(InputError, match="cannot replace a layer"):
        ablate(toy, Ablation((hidden,)), read, N)


def test_an_ablated_run_is_kept_beside_the_intact_one(
    network: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network.save(tmp_path / "digits.keras")
    np.save(tmp_path / "digits.npy", PIXELS)
    database = f"sqlite:///{tmp_path}/history.db"
    command = ["run", str(tmp_path / "digits.keras"), "--stimuli", str(tmp_path / "digits.npy"), "--json"]
    ids = []
    silenced = ["--ablate", "mixed2/5x5"]
    for options in ([], silenced, [*silenced, "--ablate-with", "mean"], [*silenced, "--ablate-with", "shuffle"]):
        assert main([*command, *options, "--db", database]) == 0
        ids.append(json.loads(capsys.readouterr().out)["run_id"])
    assert len(set(ids)) == 4
    with open_store(database, read_only=True) as store:
        assert store.find_run(ids[0]).tags == {}
        assert store.find_run(ids[2]).tags == {"ablated": "mixed2/5x5", "ablated-with": "mean"}
        intact, *variants = [store.find_run(run) for run in ids]
        assert [run.origin for run in variants] == ["ablated"] * 3
        assert [run.variant.substitute for run in variants if run.variant] == ["zero", "mean", "shuffle"]
        assert all(find_baseline(store, run) == intact for run in variants)
        assert find_baseline(store, intact) is None
        outputs = [store.read_outputs(run) for run in ids]
        assert all(found is not None and found.values.shape == (N, 10) for found in outputs)
        assert len({found.values.tobytes() for found in outputs if found is not None}) == 4
    assert main([*command, "--ablate", "mixed2/5x7", "--db", database]) == 2
    assert "did you mean mixed2/5x5" in capsys.readouterr().err
