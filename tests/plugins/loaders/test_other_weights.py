"""`--weights` fills a model from a file of its own layers, and lists what is another network's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerwise.core.base.errors import InputError

FORMS = ["other.weights.h5", "other.keras", "other.h5"]


def network(names: Sequence[str], seed: int = 0, width: int = 3) -> Any:
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    tensor = image = keras.Input((8, 8, 3), name="image")
    for name in names:
        tensor = layers.Conv2D(width, 3, padding="same", name=name)(tensor)
    return keras.Model(image, layers.Dense(2, name="d")(layers.GlobalAveragePooling2D(name="g")(tensor)))


def save(model: Any, path: Path) -> Path:
    model.save_weights(path) if path.name.endswith(".weights.h5") else model.save(path)
    return path


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    return save(network(["a", "b"]), tmp_path / "model.keras")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", FORMS)
def test_weights_of_the_same_layers_are_loaded(load: Any, tmp_path: Path, model_file: Path, form: str) -> None:
    other = network(["a", "b"], seed=5)
    loaded = load(model_file, weights=str(save(other, tmp_path / form)))
    values = {tensor.name: tensor.values for tensor in loaded.weights()}
    for name in ("a", "b", "d"):
        np.testing.assert_array_equal(values[f"{name}/kernel"], other.get_layer(name).kernel.numpy())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("names", "width", "message"),
    [
        (["a", "b", "c", "more"], 3, "the model has no"),
        (["a"], 3, "is not in the file|has 'd' where the model has 'b'"),
        (["b", "a"], 3, "the file has 'b' where the model has 'a'"),
        (["x", "y"], 3, "the file has 'x' where the model has 'a'"),
        (["a", "b"], 4, "shape|3 x 3 x 3 x 4"),
    ],
)
def test_weights_of_another_network_are_refused_with_what_does_not_fit(
    load: Any, tmp_path: Path, model_file: Path, form: str, names: list[str], width: int, message: str
) -> None:
    path = save(network(names, 1, width), tmp_path / form)
    with pytest.raises(InputError, match=message) as caught:
        load(model_file, weights=str(path))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", FORMS)
def test_names_that_keras_numbers_per_process_do_not_stand_in_the_way(load: Any, tmp_path: Path, form: str) -> None:
    import keras
    from keras import layers

    def unnamed() -> Any:
        inner = keras.Sequential([layers.Conv2D(3, 1), layers.BatchNormalization()])
        return keras.Sequential([keras.Input((8, 8, 3)), inner, layers.Flatten(), layers.Dense(2)])

    model_file = save(unnamed(), tmp_path / "unnamed.keras")
    other = unnamed()
    loaded = load(model_file, weights=str(save(other, tmp_path / form)))
    kernels = [tensor.values for tensor in loaded.weights() if tensor.name.endswith("kernel")]
    np.testing.assert_array_equal(kernels[-1], other.layers[-1].kernel.numpy())
