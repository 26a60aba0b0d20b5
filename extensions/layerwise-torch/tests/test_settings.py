"""What is said of a network: by itself, on the command line, behind the MODEL."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from layerwise.plugin import InputError

from layerwise_torch.settings import Settings, own_settings, read_settings, split_model


def test_settings_stand_behind_the_model():
    name, settings = split_model("torch:nets:Net@size=28x30,channels=1,mean=0.1/0.2/0.3,softmax=yes")
    assert name == "torch:nets:Net"
    assert settings == Settings(size=(28, 30), channels=1, mean=(0.1, 0.2, 0.3), softmax=True)


@pytest.mark.parametrize("model", ["torch:nets:Net", "timm:hf_hub:name@revision", "x@y.pt"])
def test_a_name_without_settings_stays_as_it_is(model):
    assert split_model(model) == (model, Settings())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("siz=3", "no setting 'siz'; did you mean size"),
        ("size=big", "size must be .*, not 'big'"),
        ("size=0", "size must be a height and width"),
        ("channels=4", "channels must be 1 or 3, not '4'"),
        ("std=0", "std must be positive numbers"),
        ("softmax=perhaps", "softmax must be yes or no"),
        ("dtype=int8", "dtype must be one of float32, float16, bfloat16"),
        ("size=3,hello", "'hello' after '@' is not of the form setting=value"),
        ("range=0", "range must be a positive number"),
    ],
)
def test_wrong_settings_are_named(text, message):
    with pytest.raises(InputError, match=message):
        split_model(f"torch:nets:Net@{text}")


def test_the_readme_lists_every_setting():
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    listed = {name.strip(" `") for row in rows for name in row.split(",")}
    assert {field.name for field in fields(Settings)} <= listed


def test_what_is_said_later_wins_over_what_is_said_earlier():
    said = read_settings({"size": 10}, "x").over(Settings(size=(5, 5), channels=3))
    assert said == Settings(size=(10, 10), channels=3)


def test_an_attribute_that_is_no_dictionary_is_an_error():
    class Network:
        layerwise = "28x28"

    with pytest.raises(InputError, match="its attribute 'layerwise' is a str, not a dictionary"):
        own_settings(Network(), "nets:Network")


def test_pixels_get_imagenets_mean_and_deviation_unless_something_else_is_said(load, pixels):
    model = load("torch:small:Inception")
    wanted = (pixels / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(model.preprocess(pixels), wanted, atol=1e-5)


def test_means_range_and_order_of_channels_can_be_said(load, pixels):
    model = load("torch:small:Inception@mean=104/117/123,range=255,order=bgr")
    assert model.info.preprocessing == "(BGR - (104, 117, 123)) / (1, 1, 1)"
    np.testing.assert_array_equal(model.preprocess(pixels), pixels[..., ::-1] - np.array([104, 117, 123], np.float32))
    half = load("torch:small:Inception@mean=0.5,std=0.5")
    np.testing.assert_allclose(half.preprocess(pixels), pixels / 127.5 - 1, atol=1e-5)
    assert half.info.fingerprint != model.info.fingerprint


def test_a_preprocessing_can_be_asked_for_by_name_but_not_twice(load, pixels):
    np.testing.assert_array_equal(load("torch:small:Inception", preprocessing="none").preprocess(pixels), pixels)
    with pytest.raises(InputError, match="say one of them"):
        load("torch:small:Inception@mean=0.5", preprocessing="none")
    with pytest.raises(InputError, match="2 numbers are given for mean or std, but its input has 3"):
        load("torch:small:Inception@mean=0.5/0.5")


def test_a_network_for_grey_pictures_gets_their_luminance(load):
    model = load("torch:small:Grey")
    assert model.info.input_shape == (28, 28, 1)
    tensor = model.preprocess(np.full((2, 28, 28, 3), 255, np.uint8))
    assert tensor.shape == (2, 28, 28, 1)
    np.testing.assert_allclose(tensor, 1, atol=1e-5)


def test_a_network_that_does_not_take_the_size_says_how_to_say_it(load):
    with pytest.raises(InputError, match=r"does not take a batch of 3 images of 1 x 40 x 40 .*@size=HEIGHTxWIDTH"):
        load("torch:small:Grey@size=40")


def test_a_softmax_is_added_where_classes_are_known(load, values, tmp_path):
    plain, classified = load("torch:small:Inception"), load("torch:small:Classifier")
    assert not plain.info.has_probabilities
    assert classified.info.has_probabilities
    assert classified.info.class_names == tuple("abcdefghij")
    roles = {layer.role: layer.name for layer in classified.layers}
    assert (roles["logits"], roles["output"]) == ("fc", "softmax")
    assert next(layer for layer in classified.layers if layer.name == "fc").is_main
    np.testing.assert_allclose(values(classified, "softmax")["softmax"].sum(1), 1, atol=1e-5)
    (tmp_path / "classes.txt").write_text("\n".join("klmnopqrst"))
    assert load("torch:small:Inception", class_names=str(tmp_path / "classes.txt")).info.has_probabilities


def test_a_softmax_can_be_asked_for_and_refused(load):
    assert load("torch:small:Inception@softmax=yes").info.has_probabilities
    assert not load("torch:small:Classifier@softmax=no").info.has_probabilities


def test_a_network_that_ends_in_a_softmax_gets_no_second_one(load):
    model = load("torch:small:Distribution@softmax=yes")
    assert [node.op for node in model.graph].count("softmax") == 1
    assert model.info.has_probabilities


def test_a_device_that_is_not_there_is_an_error(load, monkeypatch):
    with pytest.raises(InputError, match="there is no device 'cuda:77' for PyTorch here"):
        load("torch:small:Inception@device=cuda:77")
    monkeypatch.setenv("LAYERWISE_TORCH_DEVICE", "nonsense")
    with pytest.raises(InputError, match="there is no device 'nonsense' for PyTorch here"):
        load("torch:small:Inception")


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_comes_out_as_float32_near_the_full_one(load, values, state_file, dtype):
    full = values(load("torch:small:Inception", weights=str(state_file)))
    half = values(load(f"torch:small:Inception@dtype={dtype}", weights=str(state_file)))
    for name, value in half.items():
        assert value.dtype == np.float32
        assert np.corrcoef(value.ravel(), full[name].ravel())[0, 1] > 0.99, name
    assert not np.array_equal(half["fc"], full["fc"])


def test_networks_that_are_in_half_or_double_precision_themselves_work(load, values):
    model = load("torch:small:half")
    assert {tensor.values.dtype for tensor in model.weights()} == {np.dtype(np.float32)}
    assert values(model)["fc"].dtype == np.float32
    double = load("torch:small:instance")
    assert {tensor.values.dtype for tensor in double.weights()} == {np.dtype(np.float64)}
    assert values(double)["fc"].dtype == np.float32
