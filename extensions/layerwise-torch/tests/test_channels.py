"""PyTorch's channels in front become Layerwise's channels last, whatever the operation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from layerwise.plugin import represent

from layerwise_torch.tensors import Form


def test_shapes_have_their_channels_last(load):
    shapes = {layer.name: layer.shape for layer in load("torch:small:Inception").layers}
    assert shapes["input"] == (32, 32, 3)
    assert shapes["conv"] == (16, 16, 8)
    assert shapes["pool"] == (1, 1, 15)
    assert shapes["fc"] == (10,)


def test_tokens_keep_their_channels_last(load):
    model = load("torch:small:Tokens")
    shapes = {node.name: node.shape for node in model.graph}
    assert shapes["patches"] == (4, 4, 12)
    assert shapes["permute"] == (16, 12)
    assert shapes["cat"] == (17, 12)
    assert shapes["norm"] == (17, 12)
    assert all(layer.block is None for layer in model.layers)  # a class token is no branch
    assert "expand" not in shapes  # nor an activation: it is the same for every image


def test_the_mean_over_positions_is_one_value_a_channel(load, values, network, pixels, state_file):
    model = load("torch:small:Inception", weights=str(state_file))
    found = values(model, "mixed0")["mixed0"].mean(axis=(1, 2))
    with torch.no_grad():
        images = torch.from_numpy(model.preprocess(pixels)).permute(0, 3, 1, 2)
        expected = network.mixed0(torch.relu(network.conv(images))).mean((2, 3)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_representation_does_not_depend_on_the_order_of_the_axes(load, values):
    found = values(load("torch:small:Inception"), "mixed0")["mixed0"]
    last = represent(found.reshape(6, -1).astype(np.float64))
    front = represent(np.moveaxis(found, -1, 1).reshape(6, -1).astype(np.float64))
    np.testing.assert_allclose(last.correlation, front.correlation, atol=1e-6)


@pytest.mark.parametrize("axis", [1, 2, 3])
@pytest.mark.parametrize("is_channels_last", [True, False])
def test_a_tensor_survives_the_way_there_and_back(axis, is_channels_last):
    form = Form(axis, torch.float32, torch.device("cpu"), is_channels_last)
    array = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    tensor = form.to_tensor(array)
    assert tensor.shape[axis] == 5
    np.testing.assert_array_equal(form.from_tensor(tensor), array)
    assert form.from_tensor(tensor).flags.c_contiguous


def test_arrays_that_may_not_be_written_to_are_taken_without_a_warning(recwarn):
    array = np.zeros((2, 3, 3, 1), np.float32)
    array.flags.writeable = False
    Form(1, torch.float32, torch.device("cpu")).to_tensor(array)
    assert not recwarn.list
