"""A model inside a model gives what Keras gives when it calls one, in segments too."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from layerwise.plugins.loaders.description import ModelDescription
from layerwise.plugins.loaders.keras.model import KerasModel
from layerwise.plugins.loaders.preprocessing import find_preprocessing


def wrap(network: Any) -> KerasModel:
    return KerasModel(network, ModelDescription("test", "memory", find_preprocessing("none")), has_own_names=True)


def compare_with_keras(network: Any) -> KerasModel:
    """Predict in one piece, and cut at every place where it can be cut; the model as it was wrapped."""
    model = wrap(network)
    pixels = np.random.default_rng(5).integers(0, 256, (5, 8, 8, 3)).astype(np.float32)
    expected = network.predict(pixels, verbose=0, batch_size=5)
    (whole,) = model.compile(model.graph.input, [model.graph.output])(pixels)
    np.testing.assert_allclose(whole, expected, rtol=1e-4, atol=1e-4)
    tensor, cuts = pixels, model.graph.cut_points()
    for start, end in pairwise(cuts):
        (tensor,) = model.compile(start, [end])(tensor)
    np.testing.assert_allclose(tensor, expected, rtol=1e-4, atol=1e-4)
    return model


def two_branches() -> tuple[Any, Any, Any]:
    import keras
    from keras import layers

    keras.utils.set_random_seed(3)
    image = keras.Input((8, 8, 3), name="image")
    flat = layers.Flatten(name="flat")(layers.Rescaling(1 / 255, name="scaled")(image))
    return image, layers.Dense(6, name="a")(flat), layers.Dense(6, name="b")(flat)


def difference(declared_as: str) -> Any:
    """A model that is not the same with its two inputs swapped."""
    import keras
    from keras import layers

    query, key = keras.Input((6,), name="query"), keras.Input((6,), name="key")
    tensor = layers.ReLU(name="relu")(layers.Subtract(name="subtract")([query, key]))
    inputs = {"list": [query, key], "dict": {"query": query, "key": key}}[declared_as]
    return keras.Model(inputs, tensor, name="inner")


CALLS = {
    "list": lambda a, b: [a, b],
    "tuple": lambda a, b: (b, a),
    "dict": lambda a, b: {"query": a, "key": b},
    "dict the other way round": lambda a, b: {"key": a, "query": b},
    "dict with more in it": lambda a, b: {"query": a, "key": b, "unused": a},
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("declared_as", ["list", "dict"])
@pytest.mark.parametrize("call", CALLS)
def test_inputs_of_a_model_inside_go_where_keras_sends_them(call: str, declared_as: str) -> None:
    import keras
    from keras import layers

    image, a, b = two_branches()
    try:
        network = keras.Model(image, layers.Dense(2, name="d")(difference(declared_as)(CALLS[call](a, b))))
        network.predict(np.zeros((2, 8, 8, 3), np.float32), verbose=0)
    except (ValueError, TypeError):
        pytest.skip("Keras itself does not call it like this")
    compare_with_keras(network)


@pytest.mark.parametrize("call", ["list", "dict"])
def test_a_plain_call_is_laid_out_layer_by_layer(call: str) -> None:
    import keras

    image, a, b = two_branches()
    network = keras.Model(image, difference("list")(CALLS[call](a, b)))
    assert "inner/subtract" in compare_with_keras(network).graph


def test_an_inner_input_of_whole_numbers_is_cast_as_keras_does() -> None:
    import keras
    from keras import layers

    source = keras.Input((8, 8, 3), dtype="int32", name="whole")
    inner = keras.Model(source, layers.Rescaling(0.5, name="half")(source), name="inner")
    image = keras.Input((8, 8, 3), name="image")
    tensor = inner(layers.Rescaling(1 / 100, name="scaled")(image))
    compare_with_keras(keras.Model(image, layers.GlobalAveragePooling2D(name="g")(tensor)))


def test_an_axis_that_keras_takes_away_is_taken_away() -> None:
    import keras
    from keras import layers

    source = keras.Input((192,), name="series")
    inner = keras.Model(source, layers.Dense(2, name="dense")(source), name="inner")
    image = keras.Input((8, 8, 3), name="image")
    column = layers.Reshape((192, 1), name="column")(layers.Rescaling(1 / 255, name="scaled")(image))
    compare_with_keras(keras.Model(image, inner(column)))


@pytest.mark.filterwarnings("ignore")
def test_a_mask_from_outside_goes_in() -> None:
    import keras
    from keras import layers

    keras.utils.set_random_seed(3)
    image = keras.Input((8, 8, 3), name="image")
    rows = layers.Masking(0.0, name="m")(layers.Reshape((8, 24), name="r")(layers.ReLU(threshold=200)(image)))
    inner = keras.Sequential([keras.Input((8, 24)), layers.LSTM(3, name="l")], name="rnn")
    compare_with_keras(keras.Model(image, layers.Dense(2, name="d")(inner(rows))))


def test_an_image_of_whole_numbers_is_cast_as_keras_does() -> None:
    import keras
    from keras import layers, ops

    image = keras.Input((8, 8, 3), dtype="uint8", name="image")
    high = ops.cast(ops.floor_divide(image, ops.cast(16, "uint8")), "float32")
    compare_with_keras(keras.Model(image, layers.GlobalAveragePooling2D(name="g")(high)))


def test_models_inside_models_inside_a_model_are_called_as_keras_calls_them() -> None:
    import keras
    from keras import layers

    image, a, b = two_branches()
    left, right = keras.Input((6,), name="left"), keras.Input((6,), name="right")
    middle = keras.Model([left, right], difference("list")({"query": right, "key": left}), name="middle")
    compare_with_keras(keras.Model(image, layers.Dense(2, name="d")(middle({"left": b, "right": a}))))
