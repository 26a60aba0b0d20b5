"""The network of `layerwise demo` in PyTorch, and weights of the demo's checkpoints as it takes them."""

import numpy as np
import torch
from googlenet import Convolution, Inception
from torch import nn

PARTS = {"a": "1x1", "b_reduce": "3x3_reduce", "b": "3x3", "c_reduce": "5x5_reduce", "c": "5x5", "pool_proj": "pool"}


class Digits(nn.Module):
    layerwise = {"size": (16, 16), "channels": 1, "range": 1, "mean": 0, "std": 1}  # noqa: RUF012

    def __init__(self):
        super().__init__()
        self.conv0 = Convolution(1, 16, 3, padding=1)
        self.maxpool0 = nn.MaxPool2d(2)
        self.mixed1 = Inception(16, 8, 12, 24, 6, 12, 8)
        self.maxpool1 = nn.MaxPool2d(2)
        self.mixed2 = Inception(52, 16, 24, 48, 12, 24, 16)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.logits = nn.Linear(104, 10)
        self.output = nn.Softmax(1)

    def forward(self, x):
        x = self.mixed1(self.maxpool0(self.conv0(x)))
        x = self.mixed2(self.maxpool1(x))
        return self.output(self.logits(torch.flatten(self.avgpool(x), 1)))


def translate(keras_network):
    """The weights of one of the demo's checkpoints as a state dictionary of `Digits`."""
    names = {"conv0": "conv0", "logits": "logits"}
    for block in ("mixed1", "mixed2"):
        names |= {f"{block}.{ours}": f"{block}_{theirs}" for ours, theirs in PARTS.items()}
    state = {}
    for ours, theirs in names.items():
        kernel, bias = keras_network.get_layer(theirs).get_weights()
        moved = kernel.T if kernel.ndim == 2 else kernel.transpose(3, 2, 0, 1)
        state |= {f"{ours}.weight": torch.tensor(np.ascontiguousarray(moved)), f"{ours}.bias": torch.tensor(bias)}
    return state
