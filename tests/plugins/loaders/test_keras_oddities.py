"""Keras models that are built in unusual ways give what Keras gives, or the reason why they cannot."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerwise.core.base.errors import InputError


def saved(network: Any, folder: Path) -> Path:
    network.save(folder / "network.keras")
    return folder / "network.keras"


def compare(model: Any, network: Any, n_stimuli: int = 5) -> None:
    pixels = np.random.default_rng(5).integers(0, 256, (n_stimuli, 8, 8, 3)).astype(np.float32)
    size = network.inputs[0].shape[0] or n_stimuli
    filled = np.concatenate([pixels, np.repeat(pixels[-1:], -n_stimuli % size, axis=0)])
    expected = network.predict(filled, batch_size=size, verbose=0)[:n_stimuli]
    tensor = pixels
    for start, end in pairwise(model.graph.cut_points()):
        (tensor,) = model.compile(start, [end])(tensor)
    np.testing.assert_allclose(tensor, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("batch", [1, 2, 8])
def test_a_model_of_one_batch_size_takes_any_number_of_stimuli(load: Any, tmp_path: Path, batch: int) -> None:
    import keras
    from keras import layers, ops

    image = keras.Input(batch_shape=(batch, 8, 8, 3), name="image")
    tensor = ops.reshape(layers.Conv2D(4, 3, name="c")(layers.Rescaling(1 / 255)(image)), (batch, -1))
    network = keras.Model(image, layers.Dense(3, activation="softmax", name="p")(tensor))
    compare(load(saved(network, tmp_path)), network)


@pytest.mark.parametrize("names", [("_conv", "-c"), ("logits", "image_1")])
def test_layers_may_be_called_what_keras_can_run(load: Any, tmp_path: Path, names: tuple[str, str]) -> None:
    import keras
    from keras import layers

    image = keras.Input((8, 8, 3), name="image")
    first, second = (layers.Conv2D(3, 1, name=name) for name in names)
    scaled = layers.Rescaling(1 / 255, name="r")(image)
    tensor = layers.GlobalAveragePooling2D(name="g")(first(second(first(scaled))))
    network = keras.Model(image, tensor)
    compare(load(saved(network, tmp_path)), network)


@pytest.mark.parametrize("name", ["c:1", "a b"])
def test_a_name_that_keras_cannot_run_is_refused_with_its_reason(load: Any, tmp_path: Path, name: str) -> None:
    import keras
    from keras import layers

    image = keras.Input((8, 8, 3), name="image")
    network = keras.Model(image, layers.Conv2D(3, 1, name=name)(image))
    with pytest.raises(InputError, match=rf"'{name}' is not a valid scope name"):
        load(saved(network, tmp_path))
    other = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    other.compile("adam", "mse")  # which names its variables: nothing of the refused network is left open
    other.fit(np.zeros((2, 2)), np.zeros(2), verbose=0)
    assert not any(name in variable.path for variable in other.optimizer.variables)


def test_a_model_that_was_never_built_says_so(load: Any, tmp_path: Path) -> None:
    import keras
    from keras import layers

    network = keras.Sequential([layers.Conv2D(4, 3), layers.GlobalAveragePooling2D()])
    with pytest.warns(UserWarning, match="not yet been built"):
        path = saved(network, tmp_path)
    with pytest.raises(InputError, match=r"was never built.*keras\.Input"):
        load(path)


def test_a_stateful_layer_is_refused_with_its_reason(load: Any, tmp_path: Path) -> None:
    import keras
    from keras import layers

    image = keras.Input(batch_shape=(2, 8, 8, 3), name="image")
    tensor = layers.LSTM(3, stateful=True, name="l")(layers.Reshape((8, 24), name="s")(image))
    with pytest.raises(InputError, match="layer 'l' is stateful"):
        load(saved(keras.Model(image, tensor), tmp_path))


def test_a_class_that_keras_does_not_know_is_named(load: Any, tmp_path: Path) -> None:
    import keras
    from keras import layers

    class Strange(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs * 2

    image = keras.Input((8, 8, 3), name="image")
    path = saved(keras.Model(image, Strange(name="s")(image)), tmp_path)
    with pytest.raises(
        InputError, match="it needs the class 'Strange', which Keras does not know: --import FILE"
    ) as caught:
        load(path)
    assert len(str(caught.value)) < 500


def mixing(way: str) -> Any:
    """A model that makes of a stimulus what depends on the others in its batch."""
    import keras
    from keras import layers, ops

    image = keras.Input((8, 8, 3), name="image")
    pooled = layers.GlobalAveragePooling2D(name="g")(image)
    tensor = {
        "joins": lambda: ops.concatenate([pooled, pooled], axis=0),
        "splits": lambda: ops.reshape(image, (-1, 24)),
        "centres": lambda: pooled - ops.mean(pooled, axis=0, keepdims=True),
        "turns": lambda: ops.flip(pooled, axis=0),
        "dropout": lambda: layers.Dropout(0.5, name="drop")(pooled, training=True),
        "normalises": lambda: layers.BatchNormalization(name="norm")(image, training=True),
        "nested": lambda: keras.Sequential([layers.Dropout(0.5)], name="inner")(pooled, training=True),
    }[way]()
    return keras.Model(image, tensor, name="mixing")


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("joins", "gives 6 rows for 3 stimuli"),
        ("splits", "gives 24 rows for 3 stimuli"),
        ("centres", "depends on the others in its batch"),
        ("turns", "depends on the others in its batch"),
        ("dropout", "'drop' is called with training=True"),
        ("normalises", "'norm' is called with training=True"),
        ("nested", "'inner' is called with training=True"),
    ],
)
def test_a_model_that_mixes_the_stimuli_of_a_batch_is_refused(way: str, words: str) -> None:
    from layerwise.core.network.model import LoadRequest
    from layerwise.plugins.loaders.keras.files import KerasFileLoader

    with pytest.raises(InputError, match=words):
        KerasFileLoader().adopt(mixing(way), LoadRequest("live"))
