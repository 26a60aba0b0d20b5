"""Where a network runs: what can be asked for, what is recorded, and what comes of it where its tensors stay."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from layerwise.plugin import Graph, InputError, LayerAddress, LoadRequest, Node, open_history

from layerwise_torch import devices
from layerwise_torch.arrays import TorchArrays
from layerwise_torch.devices import Placement, find_placement, torch_device
from layerwise_torch.settings import Settings


@pytest.fixture
def on_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processor's tensors are treated as those of any other device."""
    monkeypatch.setattr(Placement, "keeps_tensors", True)


@pytest.fixture
def correlate(command_line: Any, temporary_database: Path, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Analyse a network on 140 pictures of noise: the correlations of each layer by its name."""
    rng = np.random.default_rng(1)
    shades = rng.integers(0, 200, (140, 1, 1, 3)) + rng.integers(0, 56, (140, 32, 32, 3))
    np.save(tmp_path / "pictures.npy", shades.astype(np.uint8))

    def run(model: str, *options: object) -> dict[str, Any]:
        shared = ["--stimuli", tmp_path / "pictures.npy", "--layers", "main", "--layers", "branches", "--force"]
        said = command_line("run", model, *shared, "--json", *options)
        assert said.code == 0, said.err
        found = said.json["run_id"]
        with open_history(temporary_database) as history:
            addresses = [LayerAddress(found, layer.name) for layer in history.list_layers(found)]
            return {a.layer: history.read_representation(a).correlation for a in addresses}

    return run


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch says that it sees two GPUs of 80 GiB."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA H100")
    monkeypatch.setattr(devices, "all_memory", lambda _: 80 * 2**30)


def test_a_device_that_is_not_there_is_an_error_that_says_what_is(load):
    for word in ("cuda:77", "nonsense", "meta"):
        with pytest.raises(InputError, match=f"no device '{word}' for PyTorch here; there is cpu"):
            load("torch:small:Inception", device=word)


@pytest.mark.usefixtures("two_gpus")
def test_a_gpu_is_chosen_where_there_is_one_and_words_mean_what_pytorch_means_by_them():
    assert str(torch_device("auto")) == "cuda:0"
    assert str(torch_device("cuda")) == "cuda:1"
    assert str(torch_device("cpu:0")) == "cpu"
    with pytest.raises(InputError, match=r"there is cpu, cuda:0 \(NVIDIA H100\), cuda:1 \(NVIDIA H100\)"):
        torch_device("cuda:2")
    assert Placement(torch.device("cuda:1")).words == "NVIDIA H100 (cuda:1)"


@pytest.mark.usefixtures("two_gpus")
def test_what_the_command_line_asks_for_comes_before_where_a_network_is_and_the_environment(monkeypatch):
    monkeypatch.setenv("LAYERWISE_TORCH_DEVICE", "cuda:1")

    def find(asked: str, home: object = None, **said: Any) -> str:
        return str(find_placement(LoadRequest("x", device=asked), Settings(**said), home).device)

    assert find("auto") == "cuda:1"
    assert find("auto", home=torch.device("cpu")) == "cpu"
    assert find("cuda:0", home=torch.device("cpu")) == "cuda:0"
    assert find("auto", device="cpu") == "cpu"
    with pytest.raises(InputError, match="@device=cpu and --device cuda are two devices"):
        find("cuda", device="cpu")


@pytest.mark.usefixtures("two_gpus")
def test_tf32_is_asked_for_recorded_and_only_for_gpus():
    placement = find_placement(LoadRequest("x", device="cuda:0"), Settings(tf32=True))
    assert placement.words == "NVIDIA H100 (cuda:0), TF32"
    before = torch.get_float32_matmul_precision()
    with placement.precision():
        assert torch.get_float32_matmul_precision() == "high"
    assert torch.get_float32_matmul_precision() == before
    with pytest.raises(InputError, match="@tf32=yes is for CUDA GPUs, and the network is to run on cpu"):
        find_placement(LoadRequest("x", device="cpu"), Settings(tf32=True))


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(("side", "size"), [(32, 256), (96, 128), (4000, 16)])
def test_batches_fill_the_device(side, size):
    graph = Graph((Node("input", "input", (), (side, side, 256)),), "input")
    assert Placement(torch.device("cuda:0")).choose_batch(graph) == size
    assert Placement(torch.device("cpu")).choose_batch(graph) is None


def test_the_processor_gives_arrays_that_share_memory_with_its_tensors(load, pixels):
    model = load("torch:small:Inception", device="cpu")
    assert model.arrays is None
    assert model.device == "cpu"
    values = model.compile(model.graph.input, [model.graph.input])(given := model.preprocess(pixels))[0]
    assert np.shares_memory(values, given)


@pytest.mark.usefixtures("on_device")
@pytest.mark.parametrize("name", ["Inception", "Grey", "half", "instance", "Branching"])
def test_where_tensors_stay_a_network_gives_the_same(load, pixels, monkeypatch, name):
    found = load(f"torch:small:{name}")
    height, width, _ = found.info.input_shape
    pictures = np.resize(pixels, (5, height, width, 3))
    nodes = [layer.node for layer in found.layers]
    given = found.preprocess(pictures)
    tensors = found.compile(found.graph.input, nodes)(given)
    assert isinstance(found.arrays, TorchArrays)
    monkeypatch.setattr(Placement, "keeps_tensors", False)
    expected = load(f"torch:small:{name}")
    assert isinstance(given, torch.Tensor)
    np.testing.assert_array_equal(given, expected.preprocess(pictures))
    arrays = expected.compile(expected.graph.input, nodes)(expected.preprocess(pictures))
    for layer, tensor, array in zip(expected.layers, tensors, arrays, strict=True):
        assert tuple(tensor.shape) == (5, *layer.shape)
        np.testing.assert_array_equal(found.arrays.fetch(tensor).astype(np.float32), array)


@pytest.mark.usefixtures("on_device")
def test_a_live_network_stays_where_it_is_and_is_followed(network, pixels):
    from layerwise_torch.networks import adopt_network

    network.layerwise = {"size": 32}
    model = adopt_network(network, LoadRequest("live"))
    assert model.device == "cpu"
    before = model.info.fingerprint
    with torch.no_grad():
        network.fc.weight.add_(1)
    model.refresh()
    assert model.info.fingerprint != before


@pytest.mark.usefixtures("on_device")
@pytest.mark.parametrize("options", ["", "@dtype=bfloat16"])
def test_a_whole_analysis_where_tensors_stay_is_that_of_the_processor(correlate, monkeypatch, options):
    found = correlate(f"torch:small:Classifier{options}", "--memory", "64MiB")
    monkeypatch.setattr(Placement, "keeps_tensors", False)
    expected = correlate(f"torch:small:Classifier{options}", "--device", "cpu")
    assert found.keys() == expected.keys()
    for name, correlation in expected.items():
        np.testing.assert_allclose(found[name], correlation, atol=1e-5, err_msg=name)


@pytest.mark.usefixtures("on_device")
def test_the_plan_and_the_record_say_the_device_and_the_batch_size_that_was_chosen_for_it(
    command_line, correlate, tmp_path, monkeypatch
):
    monkeypatch.setattr(Placement, "words", "NVIDIA H100 (cuda:0), TF32")
    monkeypatch.setattr(Placement, "choose_batch", lambda self, graph: 32)
    correlate("torch:small:Inception")
    assert "Computed: on NVIDIA H100 (cuda:0), TF32, in batches of 32" in command_line("show", "latest").out
    asked = ["torch:small:Inception", "--stimuli", tmp_path / "pictures.npy", "--dry-run", "--json"]
    plan = command_line("run", *asked).json
    assert (plan["device"], plan["batch_size"]) == ("NVIDIA H100 (cuda:0), TF32", 32)
    assert command_line("run", *asked, "--batch-size", "7").json["batch_size"] == 7


@pytest.mark.usefixtures("on_device")
def test_memory_bounds_what_a_device_holds_and_changes_no_number(command_line, correlate, tmp_path, monkeypatch):
    monkeypatch.setattr(Placement, "make_arrays", lambda _: TorchArrays("cpu", "a device", 2**30))
    ample = correlate("torch:small:Inception")
    asked = ["torch:small:Inception", "--stimuli", tmp_path / "pictures.npy", "--dry-run", "--json", "--memory"]
    assert command_line("run", *asked, "24MiB").json["memory_bytes"] <= 24 * 2**20
    for memory in ("24MiB", "23MiB"):
        tight = correlate("torch:small:Inception", "--memory", memory)
        for name, correlation in ample.items():
            np.testing.assert_array_equal(tight[name], correlation, err_msg=name)
    monkeypatch.setattr(Placement, "make_arrays", lambda _: TorchArrays("cpu", "a device", 24 * 2**20))
    assert command_line("run", *asked, "1GiB").json["memory_bytes"] <= 24 * 2**20
