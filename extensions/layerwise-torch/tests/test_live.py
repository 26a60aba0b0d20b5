"""What a user may rely on when a PyTorch network that is being trained is analysed while it lives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from layerwise.plugin import InputError, LoadRequest
from torch import nn

from layerwise_torch.loaders import TorchModuleLoader


def build():
    torch.manual_seed(3)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Flatten(), nn.Linear(144, 5)
    )
    network.layerwise = {"size": (8, 8)}
    return network


def train(network):
    network.train()
    images = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    nn.functional.cross_entropy(network(images), torch.arange(6) % 5).backward()
    optimiser.step()


def adopt(network, **options):
    return TorchModuleLoader().adopt(network, LoadRequest("mine", **options))


@pytest.mark.parametrize("way", ["fx", "export", "modules"])
def test_a_network_in_training_is_analysed_without_being_traced_again(way):
    network = build()
    network.layerwise = {"size": (8, 8), "graph": way}
    train(network)
    model = adopt(network, preprocessing="unit")
    start, end = model.graph.input, model.graph.output
    function, graph, prints = model.compile(start, [end]), model.graph, {model.info.fingerprint}
    images = np.random.default_rng(0).normal(size=(4, 8, 8, 3)).astype(np.float32)
    for _ in range(2):
        train(network)
        model.refresh()
        prints.add(model.info.fingerprint)
        assert model.graph is graph
        assert model.compile(start, [end]) is function
        with torch.no_grad():
            expected = network.eval()(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()
        np.testing.assert_allclose(function(images)[0], expected, atol=1e-5)
    assert len(prints) == 3


def test_analysing_a_network_leaves_its_training_as_it_was():
    states = []
    for is_watched in (False, True):
        network = build()
        torch.manual_seed(4)
        train(network)
        if is_watched:
            adopt(network)
            assert network.training
            assert all(weight.requires_grad for weight in network.parameters())
            assert network[2].inplace
        train(network)
        states.append(network.state_dict())
    for name, tensor in states[0].items():
        assert torch.equal(tensor, states[1][name]), name


def test_the_same_weights_have_the_same_fingerprint_after_a_refresh():
    model = adopt(build())
    before = model.info
    model.refresh()
    assert model.info == before


def test_what_cannot_be_adopted_says_what_is_needed():
    assert adopt("torch:small:Inception") is None
    network = build()
    del network.layerwise
    with pytest.raises(
        InputError, match=r"mine does not take a batch .* layerwise = \{\"size\": \(HEIGHT, WIDTH\)\}"
    ):
        adopt(network)
    with pytest.raises(InputError, match="lazy modules that have not seen a batch"):
        adopt(nn.LazyConv2d(3, 1))


def test_a_network_whose_weights_are_others_by_now_is_to_be_given_anew():
    network = build()
    model = adopt(network)
    network[5] = nn.Linear(144, 7)
    with pytest.raises(InputError, match="no longer has the same weights"):
        model.refresh()
