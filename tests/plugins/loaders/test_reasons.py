"""A model file that cannot be loaded says why: the reason that Keras gives, and which Keras saved it."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerwise.core.base.errors import InputError

LONGEST = 500


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one small network as a `.keras` and a `.h5` file."""
    import keras
    from keras import layers

    folder = tmp_path_factory.mktemp("saved")
    image = keras.Input((8, 8, 3), name="image")
    pooled = layers.GlobalAveragePooling2D(name="g")(layers.Conv2D(4, 3, name="c")(image))
    network = keras.Model(image, layers.Dense(5, name="d")(pooled))
    network.save(folder / "network.keras")
    network.save(folder / "network.h5")
    return folder


def rewrite(files: Path, change: Callable[[Any], None], version: str | None = None) -> Path:
    """The `.keras` file with another configuration of its convolution."""
    path = files / "changed.keras"
    with zipfile.ZipFile(files / "network.keras") as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "config.json":
                config = json.loads(content)
                change(config["config"]["layers"][1])
                content = json.dumps(config).encode()
            if name == "metadata.json" and version is not None:
                content = json.dumps({"keras_version": version}).encode()
            target.writestr(name, content)
    return path


def rewrite_older(files: Path, version: str, change: Callable[[Any], None]) -> Path:
    """The `.h5` file as an older Keras might have written it."""
    import h5py

    path = files / "older.h5"
    shutil.copy(files / "network.h5", path)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        change(config["config"]["layers"][1])
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = version
    return path


def refusal(load: Any, path: Path) -> str:
    with pytest.raises(InputError) as caught:
        load(path)
    text = str(caught.value)
    assert "raised" not in text
    assert len(text) < LONGEST + len(str(path))
    assert "\n" not in text
    return text


def test_an_unknown_argument_is_named(load: Any, files: Path) -> None:
    path = rewrite(files, lambda layer: layer["config"].update(frobnicate=1))
    assert refusal(load, path).endswith("Unrecognized keyword arguments passed to Conv2D: {'frobnicate': 1}")


def test_the_version_that_saved_the_file_is_said_where_it_is_newer(load: Any, files: Path) -> None:
    path = rewrite(files, lambda layer: layer["config"].update(frobnicate=1), "99.1.0")
    assert "(it was saved by Keras 99.1.0; 3." in refusal(load, path)


def test_a_class_that_is_missing_is_named(load: Any, files: Path) -> None:
    path = rewrite(files, lambda layer: layer.update(class_name="Magic", module="keras.layers"))
    assert "it needs the class 'keras.layers.Magic', which Keras does not know" in refusal(load, path)


def test_thousands_of_letters_are_cut(load: Any, files: Path) -> None:
    refusal(load, rewrite(files, lambda layer: layer["config"].update(kernel_size="x" * 6400)))
    refusal(load, rewrite(files, lambda layer: layer["config"].update({"y" * 6400: 1})))


def test_a_file_of_an_older_keras_is_told_what_works(load: Any, files: Path) -> None:
    path = rewrite_older(files, "2.2.4-tf", lambda layer: layer.update(class_name="TFOpLambda"))
    text = refusal(load, path)
    assert "it was saved by Keras 2.2.4-tf, and Keras 3" in text
    assert "has no 'TFOpLambda'" in text
    assert "SavedModel" in text


@pytest.mark.parametrize("name", ["network.keras", "network.h5"])
def test_endings_in_capitals_are_read_alike(load: Any, files: Path, tmp_path: Path, name: str) -> None:
    source = files / name
    path = tmp_path / f"network{source.suffix.upper()}"
    shutil.copy(source, path)
    pixels = np.random.default_rng(1).integers(0, 256, (3, 8, 8, 3)).astype(np.float32)
    models = [load(source), load(path), load(source, weights=str(path))]
    values = [model.compile("image", [model.graph.output])(pixels)[0] for model in models]
    np.testing.assert_array_equal(values[1], values[0])
    np.testing.assert_array_equal(values[2], values[0])


JUNK: dict[str, Any] = {
    "empty": b"",
    "text": b"hello\n" * 50,
    "noise": np.random.default_rng(3).integers(0, 256, 4000, dtype=np.uint8).tobytes(),
    "zeros": bytes(3000),
}


@pytest.mark.parametrize("content", JUNK)
@pytest.mark.parametrize("name", ["net.keras", "net.h5", "net.pb", "net/saved_model.pb"])
def test_what_is_no_model_is_refused_in_one_line(load: Any, tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(JUNK[content])
    refusal(load, path)


def test_a_file_that_was_cut_anywhere_is_refused_in_one_line(load: Any, files: Path, tmp_path: Path) -> None:
    for name in ("network.keras", "network.h5"):
        whole = (files / name).read_bytes()
        for share in (0.02, 0.3, 0.6, 0.9):
            path = tmp_path / name
            path.write_bytes(whole[: int(share * len(whole))])
            refusal(load, path)


def test_a_path_with_a_nul_in_it_is_refused(load: Any) -> None:
    with pytest.raises(InputError, match="contains NUL"):
        load("net\0.keras")
