"""What counts as probabilities among the ends that PyTorch networks have."""

from __future__ import annotations

import pytest
import torch
from layerwise.plugin import LoadRequest
from torch import nn

from layerwise_torch.loaders import TorchModuleLoader


class Ending(nn.Module):
    layerwise = {"size": (8, 8)}  # noqa: RUF012

    def __init__(self, end):
        super().__init__()
        self.fc = nn.Linear(192, 5)
        self.end = end

    def forward(self, x):
        return self.end(self.fc(x.flatten(1)))


@pytest.mark.parametrize(
    ("end", "op", "expected"),
    [
        (nn.Softmax(1), "softmax", True),
        (nn.Softmax(-1), "softmax", True),
        (lambda x: x.softmax(dim=-1), "softmax", True),
        (nn.LogSoftmax(1), "log_softmax", False),
        (lambda x: torch.log_softmax(x, 1), "log_softmax", False),
        (nn.Sigmoid(), "activation", False),
        (lambda x: x.softmax(1) * 100, "mul", False),
        (lambda x: x[:, :, None].softmax(1).flatten(1), "flatten", True),
        (lambda x: x[:, None].softmax(1).flatten(1), "flatten", False),
    ],
)
@pytest.mark.parametrize("way", ["fx", "export"])
def test_only_what_one_softmax_gives_is_probabilities(end, op, expected, way):
    network = Ending(end)
    network.layerwise = {"size": (8, 8), "graph": way}
    model = TorchModuleLoader().adopt(network, LoadRequest("net"))
    if way == "fx":
        assert model.graph[model.graph.output].op == op
    assert model.info.has_probabilities is expected
