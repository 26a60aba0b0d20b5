"""Blocks, branches, names and main layers of networks that are written in Python."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from layerwise.plugin import InputError
from layerwise.testing import check_loader

from layerwise_torch.loaders import TorchModuleLoader


@pytest.mark.parametrize("name", ["Inception", "Classifier", "Distribution", "Looping", "Tokens", "Nested", "Sliced"])
def test_a_traced_network_keeps_what_a_loader_promises(name):
    check_loader(TorchModuleLoader(), f"torch:small:{name}", max_nodes=60)


def test_a_network_that_cannot_be_traced_keeps_what_a_loader_promises(capsys):
    check_loader(TorchModuleLoader(), "torch:small:Branching", max_nodes=60)
    assert "Branching cannot be traced" in capsys.readouterr().err


def test_layers_are_named_after_the_modules_that_return_them(load):
    names = [layer.name for layer in load("torch:small:Inception").layers]
    assert {"conv", "relu", "mixed0", "mixed0.b.2", "stage.0.add", "stage.0", "stage.1", "pool", "fc"} <= set(names)
    assert "stage.0.relu" in names  # its first use; the second is what the block returns


def test_branches_are_found_from_concatenations_and_named_by_their_largest_window(load):
    layers = load("torch:small:Inception").layers
    assert [(layer.name, layer.shape) for layer in layers if layer.block == "mixed0"] == [
        ("mixed0/1x1", (16, 16, 4)),
        ("mixed0/3x3", (16, 16, 6)),
        ("mixed0/5x5", (16, 16, 2)),
        ("mixed0/pool", (16, 16, 3)),
        ("mixed0", (16, 16, 15)),
    ]
    block = next(layer for layer in layers if layer.name == "mixed1")
    assert block.parts == ("mixed1/1x1", "mixed1/3x3", "mixed1/5x5", "mixed1/pool")
    assert block.op == "concat"


def test_the_main_line_runs_through_places_where_a_single_tensor_passes(load):
    main = [layer.name for layer in load("torch:small:Inception").layers if layer.is_main]
    assert main == ["input", "relu", "mixed0", "stage.0", "stage.1", "mixed1", "pool", "fc"]


def test_a_concatenation_inside_another_is_a_block_of_its_own_where_it_is_read_again(load):
    layers = {layer.name: layer for layer in load("torch:small:Nested").layers}
    assert layers["cat"].parts == ("conv", "cat/3x3")
    assert layers["concat"].parts == ("cat", "concat/5x5")


@pytest.mark.parametrize("way", ["fx", "export"])
def test_both_ways_of_finding_the_graph_give_the_same_layers_and_values(load, values, state_file, way):
    model = load(f"torch:small:Inception@graph={way}", weights=str(state_file))
    plain = load("torch:small:Inception", weights=str(state_file))
    common = {layer.name: layer.shape for layer in model.layers}
    shared = [layer.name for layer in plain.layers if common.get(layer.name) == layer.shape]
    assert {"conv", "mixed0", "mixed0/5x5", "stage.0", "mixed1/pool", "fc"} <= set(shared)
    first, second = values(plain, *shared), values(model, *shared)
    for name in shared:
        np.testing.assert_allclose(first[name], second[name], atol=1e-5)


def test_layers_are_what_the_modules_themselves_return(load, values, pixels, network, state_file):
    model = load("torch:small:Inception", weights=str(state_file))
    kept = {}
    for module in network.modules():
        module.inplace = False
    for path, module in network.named_modules():
        module.register_forward_hook(lambda _m, _a, value, path=path: kept.update({path: value.clone()}))
    with torch.no_grad():
        network(torch.from_numpy(model.preprocess(pixels)).permute(0, 3, 1, 2))
    found = values(model)
    for name in ("conv", "mixed0.b.2", "mixed0.b.3", "mixed0", "stage.0.c1", "stage.0", "stage.1", "mixed1"):
        np.testing.assert_allclose(found[name], kept[name].permute(0, 2, 3, 1).numpy(), atol=1e-5, err_msg=name)
    np.testing.assert_allclose(found["mixed0/3x3"], kept["mixed0.b"].permute(0, 2, 3, 1).numpy(), atol=1e-5)
    np.testing.assert_allclose(found["fc"], kept["fc"].numpy(), atol=1e-5)


def test_what_an_operation_in_place_writes_over_is_analysed_as_it_was(load, values, state_file):
    model = load("torch:small:Inception", weights=str(state_file))
    found = values(model, "conv", "relu", "stage.0.c2", "stage.0.add")
    assert (found["conv"] < 0).any()
    np.testing.assert_array_equal(np.maximum(found["conv"], 0), found["relu"])
    assert not np.array_equal(found["stage.0.c2"], found["stage.0.add"])


def test_a_network_without_a_graph_has_the_layers_that_its_modules_return(load, values, state_file, capsys):
    model = load("torch:small:Branching", weights=str(state_file))
    note = capsys.readouterr().err
    assert note.count("\n") == 1
    assert "its layers are what its modules return, without blocks" in note
    assert "not traced" in model.info.source
    plain = load("torch:small:Inception", weights=str(state_file))
    names = ["conv", "mixed0.b.2", "mixed0", "stage.0", "mixed1", "fc"]
    first, second = values(plain, *names), values(model, *names)
    for name in names:
        np.testing.assert_allclose(first[name], second[name], atol=1e-5, err_msg=name)
    assert [layer.name for layer in model.layers if layer.is_main] == [
        "input", "conv", "mixed0", "stage.1", "mixed1", "pool", "fc"
    ]  # fmt: skip


def test_a_layer_that_is_not_computed_for_every_image_is_an_error_when_it_is_asked_for(load):
    function = load("torch:small:Skipping").compile("input", ["mixed1", "fc"])
    dark, bright = np.zeros((2, 32, 32, 3), np.float32), np.full((2, 32, 32, 3), 20, np.float32)
    assert [value.shape for value in function(dark)] == [(2, 16, 16, 15), (2, 10)]
    with pytest.raises(InputError, match="'mixed1' is not computed for every image"):
        function(bright)


def test_watched_modules_can_end_in_a_softmax_too(load, values):
    model = load("torch:small:Branching@softmax=yes")
    roles = {layer.role: layer.name for layer in model.layers}
    assert (roles["logits"], roles["output"]) == ("fc", "softmax")
    assert model.info.has_probabilities
    np.testing.assert_allclose(values(model, "softmax")["softmax"].sum(1), 1, atol=1e-5)


def test_a_way_that_is_asked_for_and_does_not_work_is_an_error(load):
    with pytest.raises(InputError, match=r"Branching cannot be traced with fx: .*control flow"):
        load("torch:small:Branching@graph=fx")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Mixing", "what Mixing makes of an image depends on the others in its batch"),
        ("Random", "gives something else every time it is asked"),
    ],
)
def test_a_network_that_cannot_be_analysed_says_why(load, name, message):
    with pytest.raises(InputError, match=message):
        load(f"torch:small:{name}")


def test_one_of_several_outputs_can_be_chosen(load):
    assert load("torch:small:Several@output=features").graph.output == "flatten"
    assert load("torch:small:Several@output=scores").graph.output == "fc"
    assert load("torch:small:Likely").graph.output == "fc"
    first = load("torch:small:Several")
    assert first.graph.output == "flatten"
    assert "fc" in [layer.name for layer in first.layers]
    assert first.notes == (
        "of 2 outputs 'features' counts; --output (output= in Python) names another; 'fc' are layers",
    )
    assert load("torch:small:Several", output="scores").graph.output == "fc"
    with pytest.raises(InputError, match="returns no tensor 'nothing'"):
        load("torch:small:Several@output=nothing")


def test_sizes_that_are_read_along_the_way_do_not_tie_segments_to_the_input(load):
    cuts = load("torch:small:Inception").graph.cut_points()
    assert {"relu", "mixed0", "stage.0", "stage.1", "mixed1", "pool"} <= set(cuts)
