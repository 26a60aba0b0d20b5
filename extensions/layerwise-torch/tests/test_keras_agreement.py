"""The same network with the same weights, once in Keras and once in PyTorch, is analysed to the same numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from layerwise.plugin import LayerAddress, open_history


@pytest.fixture
def runs(command_line, temporary_database, tmp_path):
    """What each layer of the two makes of twenty pictures: (Keras, PyTorch), by layer and transform."""
    from keras_twin import build_twin, translate

    keras_network = build_twin()
    keras_network.save(tmp_path / "twin.keras")
    torch.save(translate(keras_network), tmp_path / "twin.pth")
    pictures = np.random.default_rng(3).integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)
    np.save(tmp_path / "pictures.npy", pictures)
    models = (
        [tmp_path / "twin.keras", "--preprocessing", "unit"],
        ["torch:twin:Twin", "--weights", tmp_path / "twin.pth"],
    )
    options = ["--layers", "main", "--layers", "branches", "--layers", "logits"]
    transforms = ["--transform", "spatial-mean", "--transform", "rank"]
    found = []
    for model in models:
        said = command_line("run", *model, "--stimuli", tmp_path / "pictures.npy", *options, *transforms, "--json")
        assert said.code == 0, said.err
        run_id, layers = said.json["run_id"], said.json["layers"]
        with open_history(temporary_database) as history:
            found.append(
                {
                    (layer, transform): history.read_representation(LayerAddress(run_id, layer, transform))
                    for layer in layers
                    for transform in ("none", "spatial-mean", "rank")
                }
            )
    return found


def test_every_layer_has_the_same_representation_under_every_transform(runs):
    ours, theirs = runs
    assert ours.keys() == theirs.keys()
    assert {"input", "first", "mixed", "mixed/5x5", "mixed/pool", "average", "logits", "output"} <= {
        layer for layer, _ in ours
    }
    for key, first in ours.items():
        second = theirs[key]
        assert first.n_features == second.n_features, key
        # Ranks jump where two activations are equal but for rounding.
        tolerance = 1e-3 if key[1] == "rank" else 2e-5
        np.testing.assert_allclose(first.correlation, second.correlation, atol=tolerance, err_msg=str(key))
        np.testing.assert_allclose(first.mean, second.mean, rtol=1e-4, atol=1e-5, err_msg=str(key))
        np.testing.assert_allclose(first.norm, second.norm, rtol=1e-4, atol=1e-5, err_msg=str(key))
