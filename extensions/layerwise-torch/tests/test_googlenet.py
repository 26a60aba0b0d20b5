"""The network of the published analysis, in PyTorch with its real weights, agrees with the one in TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from layerwise.plugin import read_caffemodel

N_PHOTOS = 60
PUBLISHED = (
    "input conv2d0 maxpool0 conv2d1 conv2d2 maxpool1 mixed3a mixed3b maxpool4 mixed4a mixed4b mixed4c mixed4d "
    "mixed4e maxpool10 mixed5a mixed5b avgpool0 logits output"
)


@pytest.fixture
def weights(data_dir, tmp_path):
    """The real weights as a state dictionary."""
    import googlenet

    blobs = read_caffemodel(data_dir / "googlenet" / "bvlc_googlenet.caffemodel")
    torch.save(googlenet.state_from_caffe(blobs), tmp_path / "googlenet.pth")
    (tmp_path / "synset_words.txt").write_text((data_dir / "googlenet" / "synset_words.txt").read_text())
    return tmp_path / "googlenet.pth"


def test_the_layers_of_the_published_analysis_are_found_without_being_named(load):
    layers = load("torch:googlenet:GoogLeNet").layers
    assert [layer.name for layer in layers if layer.is_main] == PUBLISHED.split()
    branches = [layer.name for layer in layers if layer.block == "mixed4c" and layer.branch]
    assert branches == ["mixed4c/1x1", "mixed4c/3x3", "mixed4c/5x5", "mixed4c/pool"]


@pytest.mark.data
def test_it_agrees_with_tensorflow_in_every_pair_of_layers(command_line, weights, data_dir):
    options = ["--stimuli", data_dir / "imagenet500", "--limit", N_PHOTOS, "--json"]
    options += ["--layers", "main", "--layers", "branches", "--layers", "logits"]
    caffemodel = data_dir / "googlenet" / "bvlc_googlenet.caffemodel"
    models = (["googlenet", "--weights", caffemodel], ["torch:googlenet:GoogLeNet", "--weights", weights])
    runs = [command_line("run", *model, *options).json for model in models]
    assert runs[0]["layers"] == runs[1]["layers"]
    assert runs[0]["accuracy"] == runs[1]["accuracy"]
    for comparator in ("rsa-pearson", "cka"):
        found = [command_line("compare", run["run_id"], "--with", comparator, "--json").json for run in runs]
        first, second = (np.array(item["matrix"], float) for item in found)
        assert first.shape == (56, 56)
        assert np.abs(first - second).max() < 1e-3
