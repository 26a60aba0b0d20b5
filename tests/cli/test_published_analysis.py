"""The analysis that Layerwise was made for: GoogLeNet's published weights, real photos, from the command line."""

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.data]


@pytest.fixture(scope="module")
def table(data_dir, tmp_path_factory):
    """The main command on all photos: what it printed, and the similarity of any two layers."""
    from layerwise.cli import main

    return Published(data_dir, tmp_path_factory.mktemp("published"), main)


class Published:
    def __init__(self, data_dir, folder, main):
        import contextlib
        import io
        import json

        def call(*words):
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                assert main([*map(str, words), "--db", str(folder / "layerwise.db"), "--json"]) == 0
            return json.loads(out.getvalue())

        weights = data_dir / "googlenet" / "bvlc_googlenet.caffemodel"
        line = ("run", "googlenet", "--weights", weights, "--stimuli", data_dir / "imagenet500")
        self.run = call(*line, "--layers", "main", "--layers", "branches")
        compared = call("compare", "latest")
        self.names = [layer["layer"] for layer in compared["layers"]]
        self.matrix = np.array(compared["matrix"])

    def similarity(self, first, second):
        return self.matrix[self.names.index(first), self.names.index(second)]


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
