"""A small inception network that has a twin in Keras (test_keras_agreement.py)."""

import torch
from googlenet import Convolution, Inception
from torch import nn


class Twin(nn.Module):
    layerwise = {"size": (16, 16), "range": 1}  # noqa: RUF012

    def __init__(self):
        super().__init__()
        self.first = Convolution(3, 8, 3, padding=1)
        self.shrunk = nn.MaxPool2d(2)
        self.mixed = Inception(8, 4, 3, 6, 2, 3, 3)
        self.average = nn.AdaptiveAvgPool2d(1)
        self.logits = nn.Linear(16, 5)
        self.output = nn.Softmax(1)

    def forward(self, x):
        x = self.mixed(self.shrunk(self.first(x)))
        return self.output(self.logits(torch.flatten(self.average(x), 1)))
