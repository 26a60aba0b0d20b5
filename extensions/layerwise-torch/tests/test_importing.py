"""Networks by import path: from packages, the current folder and files; and what goes wrong with them."""

from __future__ import annotations

import sys
import textwrap

import numpy as np
import pytest
import torch
from layerwise.plugin import InputError


def test_classes_functions_and_instances_are_loaded(load):
    assert load("torch:small:Inception").info.name == "Inception"
    assert load("torch:small:half").info.name == "half"
    assert load("torch:small:instance").info.name == "instance"


def test_modules_that_find_their_sizes_in_the_first_batch_are_shown_one_under_the_seed(load, tmp_path):
    first, same, other = (load("torch:small:Lazy", seed=seed) for seed in (0, 0, 1))
    assert first.layers[-1].shape == (5,)
    assert first.info.fingerprint == same.info.fingerprint != other.info.fingerprint
    network = small_network("Lazy")
    network(torch.zeros(2, 3, 32, 32))
    torch.save(network.state_dict(), tmp_path / "lazy.pth")
    with_weights = load("torch:small:Lazy", weights=str(tmp_path / "lazy.pth"))
    kernel = next(tensor for tensor in with_weights.weights() if tensor.name == "conv/weight")
    np.testing.assert_array_equal(kernel.values, network.conv.weight.detach().numpy())


@pytest.mark.parametrize("wrapped", ["compiled", "parallel"])
def test_a_network_is_analysed_without_what_was_wrapped_around_it(load, wrapped):
    assert load(f"torch:small:{wrapped}").info.fingerprint == load("torch:small:Inception").info.fingerprint


def small_network(name):
    import small

    return getattr(small, name)()


def test_a_file_can_be_named_instead_of_a_module(load, in_networks, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    model = load(f"torch:{in_networks / 'small.py'}:Inception")
    assert model.info.source.startswith("small.py (sha256 ")
    assert str(in_networks) not in model.info.source
    by_module = load(f"torch:{in_networks / 'small.py'}:Inception")
    assert by_module.info.fingerprint == model.info.fingerprint


def test_installed_packages_are_found(load):
    model = load("torch:torch.nn:Flatten@size=4")
    assert [layer.role for layer in model.layers] == ["input", "output"]


def test_the_current_folder_is_looked_in_first_but_does_not_stay_in_front(load, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine_alone.py").write_text(
        textwrap.dedent("""
            import torch
            class Net(torch.nn.Module):
                layerwise = {"size": 8}
                def forward(self, x):
                    return x.mean((2, 3))
        """)
    )
    assert load("torch:mine_alone:Net").layers[-1].shape == (3,)
    assert sys.path[0] != str(tmp_path)
    sys.path.remove(str(tmp_path))


def test_initial_weights_follow_from_the_seed_and_leave_random_numbers_alone(load):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    first, same, other = (load("torch:small:Inception", seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.rand(2), expected)
    assert first.info.fingerprint == same.info.fingerprint != other.info.fingerprint
    assert "seed 1" in other.info.source


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("torch:small", "'torch:small' does not name a network: write torch:package.module:factory"),
        ("torch::Net", "does not name a network"),
        ("torch:", "does not name a network"),
        ("torch:nowhere.at.all:Net", "there is no Python module 'nowhere'"),
        ("torch:nowhere.py:Net", "there is no Python file 'nowhere.py'"),
        ("torch:small:Inceptoin", "'small' has no 'Inceptoin'; did you mean Inception"),
        ("torch:small:Mixed", "torch:small:Mixed failed to make the network: TypeError: .*c_in"),
        ("torch:small:failing", "torch:small:failing failed to make the network: ValueError: no weights$"),
        ("torch:small:number", "torch:small:number gives a int, not a torch.nn.Module"),
        ("torch:small:CONSTANT", "torch:small:CONSTANT is a int, not a torch.nn.Module or what makes one"),
        ("torch:broken:Net", "importing 'broken' failed: ZeroDivisionError: division by zero"),
        ("torch:needing:Net", "importing 'needing' failed: ModuleNotFoundError: No module named 'not_there'"),
    ],
)
def test_each_thing_that_goes_wrong_is_one_line(load, model, message):
    with pytest.raises(InputError, match=message) as caught:
        load(model)
    assert "\n" not in str(caught.value)


def test_weights_are_listed_in_order_with_their_layers(load, small_state, state_file):
    model = load("torch:small:Inception", weights=str(state_file))
    tensors = {tensor.name: tensor for tensor in model.weights()}
    assert next(iter(tensors)) == "conv/weight"
    np.testing.assert_array_equal(tensors["mixed0.b.2/weight"].values, small_state["mixed0.b.2.weight"].numpy())
    assert tensors["mixed0.b.2/weight"].layer == "mixed0.b.2"
    parameters = {name: value for name, value in small_state.items() if "running" not in name and "num_" not in name}
    assert model.info.n_parameters == sum(value.numel() for value in parameters.values())
    assert len(tensors) == len(parameters)


def test_weights_that_are_used_without_a_module_are_listed_too(load):
    names = [tensor.name for tensor in load("torch:small:Tokens").weights()]
    assert "expand/token" in names
    assert "encoder/self_attn.in_proj_weight" in names


def test_running_statistics_are_part_of_the_fingerprint(load, small_state, state_file, tmp_path):
    changed = dict(small_state) | {"mixed0.b.3.running_mean": torch.ones(6)}
    torch.save(changed, tmp_path / "changed.pth")
    first = load("torch:small:Inception", weights=str(state_file))
    second = load("torch:small:Inception", weights=str(tmp_path / "changed.pth"))
    assert first.info.fingerprint != second.info.fingerprint


def test_the_version_of_pytorch_is_recorded(load):
    assert load("torch:small:Inception").info.versions["torch"] == torch.__version__
