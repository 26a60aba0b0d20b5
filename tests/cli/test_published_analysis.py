"""The analysis that Layerwise was made for: GoogLeNet's published weights, real photos, from the command line.

These are the claims of the published analysis, as docs/study.md has them, held to in every run of the tests where the
weights and photos are; `slow` are only those that need a second run or another implementation.
"""

import contextlib
import io
import itertools
import json

import numpy as np
import pytest

from layerwise.cli import main

pytestmark = pytest.mark.data
BRANCHES = ("1x1", "3x3", "5x5", "pool")


class Published:
    """A history of the main command on all photos: what it printed, and the similarity of any two layers."""

    def __init__(self, data_dir, folder):
        self.database = f"sqlite:///{folder / 'layerwise.db'}"
        weights = data_dir / "googlenet" / "bvlc_googlenet.caffemodel"
        self.line = ("run", "googlenet", "--weights", weights, "--stimuli", data_dir / "imagenet500")
        self.line += ("--layers", "main", "--layers", "branches", "--layers", "logits")
        self.run = self.call(*self.line)
        compared = self.call("compare", "latest")
        self.names = [layer["layer"] for layer in compared["layers"]]
        self.main = [name for name in self.names if "/" not in name and name != "logits"]
        self.matrix = np.array(compared["matrix"])

    def call(self, *words):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            assert main([*map(str, words), "--db", self.database, "--json"]) == 0
        return json.loads(out.getvalue())

    def similarity(self, first, second):
        return self.matrix[self.names.index(first), self.names.index(second)]

    def read(self, run_id):
        """Layer name to representation."""
        from layerwise.core.history.records import LayerAddress
        from layerwise.storage import open_store

        with open_store(self.database) as store:
            return {name: store.read_representation(LayerAddress(run_id, name)) for name in self.names}


@pytest.fixture(scope="module")
def table(data_dir, tmp_path_factory):
    return Published(data_dir, tmp_path_factory.mktemp("published"))


def test_the_network_recognises_the_photos(table):
    assert table.run["n_stimuli"] == 500
    assert table.run["accuracy"]["top1"] == pytest.approx(0.776, abs=0.005)
    assert table.run["accuracy"]["top5"] == pytest.approx(0.942, abs=0.005)


def test_neighbours_are_similar(table):
    steps = [table.similarity(*pair) for pair in itertools.pairwise(table.main)]
    assert all(step > 0.4 for step in steps[:-1])
    blocks = table.main[table.main.index("maxpool1") : table.main.index("mixed5a") + 1]
    assert all(table.similarity(*pair) > 0.85 for pair in itertools.pairwise(blocks))
    assert table.similarity("mixed4b", "mixed4c") == pytest.approx(0.936, abs=0.005)


def test_the_structure_of_the_input_is_lost_quickly(table):
    left = {name: table.similarity("input", name) for name in table.main}
    assert left["conv2d0"] == pytest.approx(0.561, abs=0.005)
    assert left["maxpool0"] < 0.35
    assert left["mixed3a"] < 0.25
    assert left["output"] == pytest.approx(0.008, abs=0.005)


def test_the_sharpest_drop_of_all_is_from_avgpool0_to_the_output(table):
    steps = {pair: table.similarity(*pair) for pair in itertools.pairwise(table.main)}
    assert min(steps, key=steps.get) == ("avgpool0", "output")
    assert steps["avgpool0", "output"] == pytest.approx(0.232, abs=0.003)
    assert sorted(steps.values())[1] > 0.4


def test_most_of_the_sharpest_drop_is_the_softmax_s(table):
    assert table.similarity("avgpool0", "logits") == pytest.approx(0.734, abs=0.005)
    assert table.similarity("logits", "output") == pytest.approx(0.169, abs=0.005)


def test_the_5x5_branch_of_mixed4d_is_unlike_its_siblings_and_unlike_the_output(table):
    to_output = {name: table.similarity(f"mixed4d/{name}", "output") for name in BRANCHES}
    assert min(to_output, key=to_output.get) == "5x5"
    assert to_output["5x5"] == pytest.approx(0.028, abs=0.005)
    assert all(to_output[name] > 2 * to_output["5x5"] for name in BRANCHES if name != "5x5")
    among = {}
    for name in BRANCHES:
        siblings = [f"mixed4d/{other}" for other in BRANCHES if other != name]
        among[name] = np.mean([table.similarity(f"mixed4d/{name}", sibling) for sibling in siblings])
    assert min(among, key=among.get) == "5x5"
    ours = [table.similarity("mixed4d/5x5", f"mixed4d/{other}") for other in BRANCHES if other != "5x5"]
    assert (min(ours), max(ours)) == pytest.approx((0.277, 0.489), abs=0.005)


def test_asked_again_the_run_is_found_without_loading_the_network(table, monkeypatch):
    from layerwise.core.runs import run

    monkeypatch.setattr(run, "prepare_run", lambda *_: pytest.fail("the network was loaded"))
    again = table.call(*table.line)
    assert (again["run_id"], again["status"]) == (table.run["run_id"], "stored")
    assert again["layers"] == table.run["layers"]


@pytest.mark.slow
def test_another_run_with_little_memory_gives_identical_numbers(table):
    again = table.call(*table.line, "--memory", "1GiB", "--force")
    assert again["run_id"] != table.run["run_id"]
    first, second = table.read(table.run["run_id"]), table.read(again["run_id"])
    for name in table.names:
        assert np.array_equal(first[name].correlation, second[name].correlation, equal_nan=True), name
        assert np.array_equal(first[name].mean, second[name].mean), name
        assert np.array_equal(first[name].norm, second[name].norm), name


@pytest.mark.slow
@pytest.mark.parametrize("name", ["input", "conv2d1", "mixed3a/5x5", "mixed4c", "avgpool0", "output"])
def test_correlations_of_real_layers_agree_with_corrcoef_in_float64(table, data_dir, name):
    from layerwise.core.network.layers import find_layer
    from layerwise.core.network.model import LoadRequest
    from layerwise.core.runs.decode.stimuli import load_stimuli
    from layerwise.core.runs.loading import load_model
    from layerwise.plugins import load_plugins

    registry = load_plugins()
    weights = str(data_dir / "googlenet" / "bvlc_googlenet.caffemodel")
    _, model = load_model(registry, LoadRequest("googlenet", weights=weights))
    stimuli = load_stimuli(registry, str(data_dir / "imagenet500"), (224, 224), "squash")
    compute = model.compile(model.graph.input, [find_layer(name, model.layers).node])
    batches = [compute(model.preprocess(stimuli.read(start, start + 25)))[0] for start in range(0, 500, 25)]
    activations = np.concatenate([batch.reshape(len(batch), -1) for batch in batches]).astype(np.float64)
    stored = table.read(table.run["run_id"])[name].correlation
    assert np.abs(stored - np.corrcoef(activations)).max() < 1e-5
