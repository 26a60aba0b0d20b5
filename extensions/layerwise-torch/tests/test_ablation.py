"""PyTorch networks without some of their layers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from layerwise.plugin import InputError
from layerwise.testing import without_layers


def outputs_with(network, name, replace, pixels, preprocess):
    """What the module itself gives when a hook replaces the value of one of its modules."""
    seen = []
    tensor = torch.from_numpy(np.ascontiguousarray(preprocess(pixels))).movedim(-1, 1)
    module = network.get_submodule(name)
    with torch.no_grad():
        handle = module.register_forward_hook(lambda _module, _args, value: seen.append(value))
        network(tensor)
        handle.remove()
        [value] = seen
        given = replace(value)
        handle = module.register_forward_hook(lambda _module, _args, _value: given)
        found = network(tensor).numpy()
        handle.remove()
    return found


REPLACE = {
    "zero": torch.zeros_like,
    "mean": lambda value: value.mean(0, keepdim=True).expand_as(value),
}


def make_pair(load):
    """A model, and the module with its weights."""
    from small import Inception

    model = load("torch:small:Inception")
    network = Inception().eval()
    network.load_state_dict({name: value.clone() for name, value in model._traced.program.state_dict().items()})
    return model, network


def module_of(model, layer):
    return next(one.node for one in model.layers if one.name == layer).partition(":")[0]


def compute(model, pixels):
    return model.compile(model.graph.input, [model.graph.output])(model.preprocess(pixels))[0]


@pytest.mark.parametrize("substitute", ["zero", "mean"])
@pytest.mark.parametrize("layer", ["mixed0/5x5", "mixed1/1x1"])
def test_an_ablated_branch_is_the_module_with_that_branch_replaced(load, pixels, substitute, layer):
    model, network = make_pair(load)
    silenced = without_layers(model, [layer], pixels, substitute)
    expected = outputs_with(network, module_of(model, layer), REPLACE[substitute], pixels, model.preprocess)
    np.testing.assert_allclose(compute(silenced, pixels), expected, atol=1e-5)
    assert np.abs(compute(silenced, pixels) - compute(model, pixels)).max() > 1e-4


def test_shuffled_activations_are_those_of_another_stimulus_each(load, pixels):
    model, network = make_pair(load)
    silenced = compute(without_layers(model, ["mixed0/5x5"], pixels, "shuffle", 2), pixels)
    place = module_of(model, "mixed0/5x5")
    shifted = [
        outputs_with(network, place, lambda value, shift=shift: value.roll(shift, 0), pixels, model.preprocess)
        for shift in range(len(pixels))
    ]
    apart = np.abs(np.stack(shifted) - silenced).max(axis=2)  # of each stimulus, for each partner it may have
    assert (apart[1:].min(axis=0) < 1e-5).all()
    assert (apart[0] > 1e-4).any()


def test_a_network_that_is_run_whole_cannot_be_ablated(load, pixels):
    model = load("torch:small:Inception@graph=modules")
    hidden = next(layer.name for layer in model.layers if layer.role == "hidden")
    with pytest.raises(InputError, match="could not be traced"):
        without_layers(model, [hidden], pixels)


def test_a_sweep_runs_from_the_command_line_and_is_stored(command_line, tmp_path, pixels):
    np.save(tmp_path / "pictures.npy", np.concatenate([pixels, pixels[::-1] // 2 + 30]))
    asked = ["ablate", "torch:small:Inception", "--stimuli", tmp_path / "pictures.npy", "--json"]
    found = command_line(*asked, "--ablate-with", "shuffle")
    assert found.code == 0, found.err
    assert len(found.json["effects"]) == found.json["n_computed"] >= 4
    assert all(effect["layers"][0].startswith("mixed") for effect in found.json["effects"])
    again = command_line(*asked, "--ablate-with", "shuffle")
    assert again.json["n_computed"] == 0
    assert again.json["effects"] == found.json["effects"]
