"""DeCov and equal steps of decorrelation in PyTorch: the numbers of the Keras ones, and what they do to a network."""

from __future__ import annotations

import layerwise as lw
import numpy as np
import pytest
import torch
from layerwise.plugin import InputError
from torch import nn

from layerwise_torch import DeCov, SmoothDecorrelation, WatchedLayers


def make_layers(n=12, dtype="float32"):
    rng = np.random.default_rng(2)
    rows = [rng.normal(size=(n, 48))]
    for width in (36, 30, 20, 10):
        mapped = rows[-1] @ rng.normal(size=(rows[-1].shape[1], width)) / 6
        rows.append(np.maximum(mapped, 0) + 0.1 * rng.normal(size=(n, width)))
    rows[1] = rows[1].reshape(n, 3, 3, 4)
    return [row.astype(dtype) for row in rows]


def in_torch(layers, **options):
    """The same tensors as PyTorch has them: channels before positions."""
    return [torch.tensor(layer.transpose(0, 3, 1, 2) if layer.ndim == 4 else layer, **options) for layer in layers]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["DeCov", "SmoothDecorrelation"])
def test_the_numbers_and_gradients_are_those_of_the_keras_losses(name, dtype):
    import tensorflow as tf

    layers = make_layers(dtype=dtype)
    variables = [tf.Variable(layer) for layer in layers]
    keras_loss = getattr(lw.keras, name)(0.5, dtype=dtype)
    with tf.GradientTape() as tape:
        keras_loss(variables)
        (expected,) = keras_loss.losses
    tensors = in_torch(layers, requires_grad=True)
    found = {"DeCov": DeCov, "SmoothDecorrelation": SmoothDecorrelation}[name](0.5)(tensors)
    found.backward()
    rtol = 2e-4 if dtype == "float32" else 1e-10
    assert float(found) == pytest.approx(float(expected), rel=rtol)
    for ours, theirs in zip(tensors, tape.gradient(expected, variables), strict=True):
        gradient = ours.grad.numpy()
        gradient = gradient.transpose(0, 2, 3, 1) if gradient.ndim == 4 else gradient
        np.testing.assert_allclose(gradient, theirs, rtol=rtol, atol=rtol * float(np.abs(theirs).max()))


@pytest.mark.parametrize("loss", [DeCov(0.5), SmoothDecorrelation(0.5)])
def test_gradients_agree_with_finite_differences(loss):
    tensors = in_torch(make_layers(6, "float64"), requires_grad=True)
    assert torch.autograd.gradcheck(lambda *layers: loss(layers), tensors, atol=1e-6, fast_mode=True)


@pytest.mark.parametrize("n", [1, 2])
def test_a_batch_of_one_or_two_says_nothing_of_smoothness(n):
    tensors = in_torch(make_layers(n), requires_grad=True)
    loss = SmoothDecorrelation(1.0)(tensors)
    loss.backward()
    assert float(loss) == pytest.approx(0, abs=1e-6)
    assert all(torch.allclose(tensor.grad, torch.zeros(()), atol=1e-6) for tensor in tensors)


def test_half_precision_under_autocast_is_measured_in_float32():
    layers = in_torch(make_layers())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = SmoothDecorrelation(0.5)(layers)
    assert found.dtype == torch.float32
    assert float(found) == pytest.approx(float(SmoothDecorrelation(0.5)(layers)), abs=1e-6)


def train(make_loss, seed):
    """A small network trained on digits; its layers for held-out ones, (n, ...) each."""
    from sklearn.datasets import load_digits

    torch.manual_seed(seed)
    published = load_digits()
    images = torch.tensor(published.images[:, None] / 16, dtype=torch.float32)
    labels = torch.tensor(published.target)
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(256, 32), nn.ReLU(), nn.Linear(32, 10),
    )  # fmt: skip
    names = ["1", "2", "4", "7", "8"]
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    order = torch.randperm(1500)
    with WatchedLayers(network, names) as watched:
        for start in [*range(0, 1500, 100)] * 3:
            batch = order[start : start + 100]
            logits = network(images[batch])
            loss = nn.functional.cross_entropy(logits, labels[batch])
            if make_loss is not None:
                loss = loss + make_loss([images[batch], *watched.tensors])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            network(images[1500:])
            return [images[1500:], *watched.tensors]


@pytest.mark.parametrize("seed", range(3))
def test_training_with_them_smooths_held_out_digits_and_decorrelates_units(seed):
    plain = train(None, seed)
    smooth = train(SmoothDecorrelation(0.5), seed)
    hidden = DeCov(0.05)
    decorrelated = train(lambda layers: hidden(layers[4]), seed)
    roughness, decov = SmoothDecorrelation(1.0), DeCov(1.0)
    assert roughness(smooth) < roughness(plain) - 0.1
    assert decov(decorrelated[4]) < 0.2 * decov(plain[4])


def test_what_cannot_work_is_one_line():
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    with pytest.raises(InputError, match="must not be negative"):
        DeCov(-1)
    with pytest.raises(InputError, match="needs 3 layers, and is given 2"):
        SmoothDecorrelation(1)([torch.zeros(4, 2), torch.zeros(4, 2)])
    with pytest.raises(InputError, match="there is no module '3' in the network"):
        WatchedLayers(network, ["3"])
    with pytest.raises(InputError, match="module '1' gave no tensor"):
        _ = WatchedLayers(network, ["1"]).tensors


def test_nothing_is_watched_once_it_is_closed():
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    with WatchedLayers(network, ["0", "1"]) as watched:
        network(torch.ones(3, 2, 2))
        assert [tuple(tensor.shape) for tensor in watched.tensors] == [(3, 4), (3, 2)]
    network(torch.ones(3, 2, 2))
    with pytest.raises(InputError, match="gave no tensor"):
        _ = watched.tensors
