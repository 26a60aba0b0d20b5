"""Python of the user's own: layers that a file needs, and functions that make a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerwise.core.base.errors import InputError

LAYERS = """
import keras

class Doubled(keras.layers.Layer):
    def __init__(self, factor=2.0, **options):
        super().__init__(**options)
        self.factor = factor

    def call(self, inputs):
        return inputs * self.factor

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}

def build(factor=2.0):
    image = keras.Input((8, 8, 3), name="image")
    pooled = keras.layers.GlobalAveragePooling2D(name="g")(Doubled(factor, name="double")(image))
    return keras.Model(image, keras.layers.Dense(4, name="d")(pooled))

def build_nothing():
    return 3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "own_layers_of_mine.py").write_text(LAYERS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def built(folder: Path, factor: float = 2.0) -> Any:
    space: dict[str, Any] = {"__name__": "own_layers_of_mine"}
    exec(LAYERS, space)
    return space["build"](factor)


def test_a_file_gets_its_layers_from_python_that_is_named(load: Any, folder: Path) -> None:
    networks = [built(folder, factor) for factor in (2.0, 3.0)]
    networks[1].set_weights(networks[0].get_weights())
    pixels = np.random.default_rng(1).integers(0, 256, (4, 8, 8, 3)).astype(np.float32)
    found = []
    for network in networks:
        network.save("net.keras")
        with pytest.raises(InputError, match="it needs the class 'Doubled'"):
            load("net.keras")
        for place in ("own_layers_of_mine.py", "own_layers_of_mine"):
            model = load("net.keras", imports=(place,))
            (values,) = model.compile("image", [model.graph.output])(pixels)
            np.testing.assert_allclose(values, network.predict(pixels, verbose=0), rtol=1e-4, atol=1e-3)
        found.append(model.info.fingerprint)
    assert found[0] != found[1]


def test_a_function_makes_a_model_under_the_seed(load: Any, folder: Path) -> None:
    models = [load("keras:own_layers_of_mine:build", seed=seed) for seed in (1, 1, 2)]
    assert models[0].info.fingerprint == models[1].info.fingerprint != models[2].info.fingerprint
    assert [layer.name for layer in models[0].layers] == ["image", "double", "g", "d"]
    network = built(folder)
    network.save_weights("net.weights.h5")
    model = load("keras:own_layers_of_mine.py:build", weights="net.weights.h5")
    pixels = np.full((2, 8, 8, 3), 7, np.float32)
    (values,) = model.compile("image", [model.graph.output])(pixels)
    np.testing.assert_allclose(values, network.predict(pixels, verbose=0), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("keras:own_layers_of_mine", "does not name a network"),
        ("keras:own_layers_of_mine:bulid", "has no 'bulid'; did you mean build"),
        ("keras:own_layers_of_mine:build_nothing", "gives a int, not a keras.Model"),
        ("keras:no_such_module_at_all:build", "no Python module 'no_such_module_at_all'"),
        ("keras:none.py:build", "no Python file 'none.py'"),
    ],
)
def test_what_makes_no_model_is_refused(load: Any, folder: Path, model: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        load(model)


def test_python_that_fails_is_told_in_one_line(load: Any, folder: Path) -> None:
    (folder / "bad_of_mine.py").write_text("raise RuntimeError('not today')")
    built(folder).save("net.keras")
    with pytest.raises(InputError, match=r"importing 'bad_of_mine.py' failed: RuntimeError: not today"):
        load("net.keras", imports=("bad_of_mine.py",))
