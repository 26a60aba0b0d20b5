"""GoogLeNet (Szegedy et al. 2015) in its Caffe variant, with the layer names of the published analysis."""

from collections.abc import Iterator

import torch
from torch import nn

BLOCKS = {
    "3a": (192, 64, 96, 128, 16, 32, 32),
    "3b": (256, 128, 128, 192, 32, 96, 64),
    "4a": (480, 192, 96, 208, 16, 48, 64),
    "4b": (512, 160, 112, 224, 24, 64, 64),
    "4c": (512, 128, 128, 256, 24, 64, 64),
    "4d": (512, 112, 144, 288, 32, 64, 64),
    "4e": (528, 256, 160, 320, 32, 128, 128),
    "5a": (832, 256, 160, 320, 32, 128, 128),
    "5b": (832, 384, 192, 384, 48, 128, 128),
}
POOL_BEFORE = {"4a": "maxpool4", "5a": "maxpool10"}


class Convolution(nn.Conv2d):
    """A convolution and its ReLU, which Caffe computes in place."""

    def forward(self, x):
        return torch.relu_(super().forward(x))


class Inception(nn.Module):
    def __init__(self, c_in, c1x1, c3x3_reduce, c3x3, c5x5_reduce, c5x5, pool):
        super().__init__()
        self.a = Convolution(c_in, c1x1, 1)
        self.b_reduce = Convolution(c_in, c3x3_reduce, 1)
        self.b = Convolution(c3x3_reduce, c3x3, 3, padding=1)
        self.c_reduce = Convolution(c_in, c5x5_reduce, 1)
        self.c = Convolution(c5x5_reduce, c5x5, 5, padding=2)
        self.pool = nn.MaxPool2d(3, 1, padding=1, ceil_mode=True)
        self.pool_proj = Convolution(c_in, pool, 1)

    def forward(self, x):
        branches = [self.a(x), self.b(self.b_reduce(x)), self.c(self.c_reduce(x)), self.pool_proj(self.pool(x))]
        return torch.cat(branches, dim=1)


class GoogLeNet(nn.Module):
    layerwise = {"size": (224, 224), "mean": (104, 117, 123), "range": 255, "order": "bgr", "resize": "squash"}  # noqa: RUF012

    def __init__(self):
        super().__init__()
        self.conv2d0 = Convolution(3, 64, 7, stride=2, padding=3)
        self.maxpool0 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.lrn0 = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)
        self.conv2d1 = Convolution(64, 64, 1)
        self.conv2d2 = Convolution(64, 192, 3, padding=1)
        self.lrn1 = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)
        self.maxpool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        for place, channels in BLOCKS.items():
            if place in POOL_BEFORE:
                setattr(self, POOL_BEFORE[place], nn.MaxPool2d(3, 2, ceil_mode=True))
            setattr(self, f"mixed{place}", Inception(*channels))
        self.avgpool0 = nn.AvgPool2d(7)
        self.logits = nn.Linear(1024, 1000)
        self.output = nn.Softmax(dim=1)

    def forward(self, x):
        x = self.lrn0(self.maxpool0(self.conv2d0(x)))
        x = self.maxpool1(self.lrn1(self.conv2d2(self.conv2d1(x))))
        for place in BLOCKS:
            x = getattr(self, POOL_BEFORE[place])(x) if place in POOL_BEFORE else x
            x = getattr(self, f"mixed{place}")(x)
        x = torch.flatten(self.avgpool0(x), 1)
        return self.output(self.logits(x))


def caffe_names() -> Iterator[tuple[str, str]]:
    """The path of each layer with weights here, and its name in Caffe."""
    yield from (("conv2d0", "conv1/7x7_s2"), ("conv2d1", "conv2/3x3_reduce"), ("conv2d2", "conv2/3x3"))
    branches = {"a": "1x1", "b_reduce": "3x3_reduce", "b": "3x3", "c_reduce": "5x5_reduce", "c": "5x5"}
    for place in BLOCKS:
        yield from ((f"mixed{place}.{branch}", f"inception_{place}/{theirs}") for branch, theirs in branches.items())
        yield (f"mixed{place}.pool_proj", f"inception_{place}/pool_proj")
    yield ("logits", "loss3/classifier")


def state_from_caffe(blobs):
    """The state dictionary that a Caffe model's blobs make; Caffe and PyTorch store weights alike."""
    network = GoogLeNet()
    state = {}
    for path, theirs in caffe_names():
        for name, blob in zip(("weight", "bias"), blobs[theirs], strict=True):
            wanted = network.get_parameter(f"{path}.{name}").shape
            state[f"{path}.{name}"] = torch.from_numpy(blob.copy()).reshape(wanted)
    return state
