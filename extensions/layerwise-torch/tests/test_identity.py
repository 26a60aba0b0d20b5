"""Two PyTorch networks that compute with different numbers are never taken for one; the same network always is."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from layerwise.plugin import LoadRequest
from torch import nn
from torch.nn import functional

from layerwise_torch.loaders import TorchFileLoader, TorchModuleLoader

SIZE = (8, 8)
SCALE = 1.5
DTYPES = ("float32", "float64", "float16", "bfloat16", "float8_e4m3fn", "int8", "uint8", "int64", "bool", "complex64")


class Net(nn.Module):
    """A convolution that is the same every time, and what is made of it."""

    layerwise = {"size": SIZE}  # noqa: RUF012

    def __init__(self, part, function=None):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            self.conv = nn.Conv2d(3, 4, 3)
        self.part = part
        self.function = function

    def forward(self, x):
        x = self.part(self.conv(x))
        return x if self.function is None else self.function(x)


class Branching(Net):
    """What it does depends on the pixels, so that it has no graph and is run as Python code."""

    def forward(self, x):
        return super().forward(x) if x.abs().sum() < 1e9 else x


class Holding(nn.Module):
    """Adds a tensor that is a parameter, a buffer, or nothing but an attribute."""

    def __init__(self, tensor, kind):
        super().__init__()
        if kind == "parameter":
            self.held = nn.Parameter(tensor, requires_grad=False)
        elif kind == "attribute":
            self.held = tensor
        else:
            self.register_buffer("held", tensor, persistent=kind == "buffer")

    def forward(self, x):
        held = self.held.real if self.held.is_complex() else self.held
        return x + held.to(x.dtype).sum()


def attention(heads):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        return Tokens(nn.TransformerEncoderLayer(4, heads, 8, dropout=0.0, batch_first=True))


class Tokens(nn.Module):
    def __init__(self, part):
        super().__init__()
        self.part = part

    def forward(self, x):
        return self.part(x.flatten(2).transpose(1, 2)).mean(1)


def fingerprint(network, **options):
    model = TorchModuleLoader().adopt(network, LoadRequest("net", **options))
    return model.info.fingerprint


CASES = {
    "slope": (lambda n: Net(nn.LeakyReLU(n)), 0.1, 0.2),
    "epsilon": (lambda n: Net(nn.BatchNorm2d(4, eps=n)), 1e-5, 1e-3),
    "heads of attention": (lambda n: Net(attention(n)), 1, 2),
    "rows of a slice": (lambda n: Net(nn.Identity(), lambda x: x[:, :, n]), slice(0, 3), slice(3, 6)),
    "constant": (lambda n: Net(nn.Identity(), lambda x: x * n), 1.5, 1.25),
    "keyword": (lambda n: Net(nn.Identity(), lambda x: functional.leaky_relu(x, negative_slope=n)), 0.1, 0.2),
    "axis": (lambda n: Net(nn.Identity(), lambda x: x.flip(n)), 2, 3),
    "order of branches": (lambda n: Net(nn.Identity(), lambda x: torch.cat([x, x.tanh()][::n], 1)), 1, -1),
    "type on the way": (lambda n: Net(nn.Identity(), lambda x: x.to(n).float()), torch.float16, torch.bfloat16),
    "one-element tensor": (lambda n: Net(Holding(torch.tensor(n), "attribute")), 1.0, 1.5),
    "constant in Python code": (lambda n: Branching(nn.Identity(), lambda x: x * n), 1.5, 1.25),
    "attribute of Python code": (lambda n: Branching(nn.LeakyReLU(n)), 0.1, 0.2),
}


@pytest.mark.parametrize("case", CASES)
def test_networks_that_differ_in_one_number_are_two(case):
    build, first, second = CASES[case]
    assert fingerprint(build(first)) != fingerprint(build(second))
    assert fingerprint(build(first)) == fingerprint(build(first))


@pytest.mark.parametrize("kind", ["parameter", "buffer", "lost buffer", "attribute"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3,), ()])
def test_a_tensor_of_any_type_counts_with_each_of_its_numbers(dtype, kind, shape):
    zeros = np.zeros(shape)
    changed = [(zeros.ravel() + row).reshape(shape) for row in np.eye(zeros.size)]

    def holding(values, kind=kind):
        return Net(Holding(torch.tensor(values, dtype=torch.float32).to(getattr(torch, dtype)), kind))

    prints = [fingerprint(holding(values)) for values in (zeros, *changed)]
    assert len(set(prints)) == len(prints)
    assert fingerprint(holding(zeros)) == prints[0]


def test_the_same_numbers_in_another_type_are_another_network():
    values = torch.tensor([0.0, 1.0, 2.0])
    assert (
        len({fingerprint(Net(Holding(values.to(dtype), "buffer"))) for dtype in (torch.float32, torch.bfloat16)}) == 2
    )


def scaled(x):
    return x * SCALE


def test_a_number_that_python_code_looks_up_in_its_module_counts(monkeypatch):
    before = fingerprint(Branching(nn.Identity(), scaled))
    assert fingerprint(Branching(nn.Identity(), scaled)) == before
    monkeypatch.setattr(sys.modules[__name__], "SCALE", 2.5)
    assert fingerprint(Branching(nn.Identity(), scaled)) != before


@pytest.mark.parametrize("number", [1.5, 1.25])
def test_files_have_the_fingerprint_of_what_is_in_them(tmp_path, number):
    def save(name, number):
        network = Net(nn.Identity(), lambda x: x * number).eval()
        example = torch.zeros(2, 3, *SIZE)
        path = tmp_path / name
        if path.suffix == ".pt2":
            shapes = ({0: torch.export.Dim("batch", min=1)},)
            torch.export.save(torch.export.export(network, (example,), dynamic_shapes=shapes), path)
        else:
            torch.jit.save(torch.jit.trace(network, example), path)
        return TorchFileLoader().load(LoadRequest(f"{path}@size=8x8")).info.fingerprint

    for suffix in ("pt", "pt2"):
        found = [save(f"{name}.{suffix}", n) for name, n in (("a", number), ("b", number), ("c", 3.0))]
        assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("name", ["Inception", "Tokens", "Branching"])
def test_a_network_is_the_same_in_another_process(load, name):
    program = (
        "import sys\n"
        "from layerwise import LoadRequest\n"
        "from layerwise_torch.loaders import TorchModuleLoader\n"
        "print(TorchModuleLoader().load(LoadRequest(sys.argv[1])).info.fingerprint)\n"
    )
    model = f"torch:small:{name}"
    done = subprocess.run([sys.executable, "-c", program, model], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == load(model).info.fingerprint
