"""The analysis that Layerwise was made for: GoogLeNet's published weights, real photos, from the command line."""

import contextlib
import io
import json

import numpy as np
import pytest

from layerwise.cli import main

pytestmark = [pytest.mark.slow, pytest.mark.data]


class Published:
    """A history of the main command on all photos: what it printed, and the similarity of any two layers."""

    def __init__(self, data_dir, folder):
        self.database = f"sqlite:///{folder / 'layerwise.db'}"
        weights = data_dir / "googlenet" / "bvlc_googlenet.caffemodel"
        self.line = ("run", "googlenet", "--weights", weights, "--stimuli", data_dir / "imagenet500")
        self.line += ("--layers", "main", "--layers", "branches")
        self.run = self.call(*self.line)
        compared = self.call("compare", "latest")
        self.names = [layer["layer"] for layer in compared["layers"]]
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
    assert table.run["accuracy"]["top1"] >= 0.74
    assert table.run["accuracy"]["top5"] >= 0.92


def test_the_sharpest_drop_after_maxpool0_is_from_avgpool0_to_output(table):
    main = [name for name in table.names if "/" not in name]
    start = main.index("maxpool0")
    steps = {pair: table.similarity(*pair) for pair in zip(main[start:-1], main[start + 1 :], strict=True)}
    assert min(steps, key=steps.get) == ("avgpool0", "output")
    assert 0.18 <= steps["avgpool0", "output"] <= 0.30


def test_layers_close_in_the_hierarchy_are_alike_and_the_input_is_lost(table):
    assert table.similarity("mixed4b", "mixed4c") > 0.85
    assert table.similarity("input", "output") < 0.1


def test_the_5x5_branch_of_mixed4d_is_the_least_like_the_output(table):
    branches = {name: table.similarity(f"mixed4d/{name}", "output") for name in ("1x1", "3x3", "5x5", "pool")}
    assert min(branches, key=branches.get) == "5x5"


def test_another_run_with_little_memory_gives_identical_numbers(table):
    again = table.call(*table.line, "--memory", "1GiB", "--force")
    assert again["run_id"] != table.run["run_id"]
    first, second = table.read(table.run["run_id"]), table.read(again["run_id"])
    for name in table.names:
        assert np.array_equal(first[name].correlation, second[name].correlation, equal_nan=True), name
        assert np.array_equal(first[name].mean, second[name].mean), name
        assert np.array_equal(first[name].norm, second[name].norm), name


@pytest.mark.parametrize("name", ["input", "conv2d1", "mixed3a/5x5", "mixed4c", "avgpool0", "output"])
def test_correlations_of_real_layers_agree_with_corrcoef_in_float64(table, data_dir, name):
    from layerwise.core.network.layers import find_layer
    from layerwise.core.network.model import LoadRequest
    from layerwise.core.runs.decoding import load_stimuli
    from layerwise.core.runs.loading import load_model
    from layerwise.plugins import load_plugins

    registry = load_plugins()
    weights = str(data_dir / "googlenet" / "bvlc_googlenet.caffemodel")
    _, model = load_model(registry, LoadRequest("googlenet", weights=weights))
    pixels = load_stimuli(registry, str(data_dir / "imagenet500"), (224, 224), "squash").pixels
    compute = model.compile(model.graph.input, [find_layer(name, model.layers).node])
    batches = [compute(model.preprocess(pixels[start : start + 25]))[0] for start in range(0, len(pixels), 25)]
    activations = np.concatenate([batch.reshape(len(batch), -1) for batch in batches]).astype(np.float64)
    stored = table.read(table.run["run_id"])[name].correlation
    assert np.abs(stored - np.corrcoef(activations)).max() < 1e-5
