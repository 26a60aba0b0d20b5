"""SavedModels and frozen graphs as people export them: the numbers are TensorFlow's own, or the reason is said."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerwise.core.base.errors import InputError

PIXELS = np.random.default_rng(5).integers(0, 256, (5, 8, 8, 3))


def export(folder: Path, build: Callable[[Any, Any], Any], dtype: str = "float32") -> Any:
    """Export a Keras model of an image; gives it back."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(3)
    image = keras.Input((8, 8, 3), name="image", dtype=dtype)
    tensor = build(layers, layers.Rescaling(1 / 255, name="r")(image))
    network = keras.Model(image, layers.Dense(3, activation="softmax", name="p")(layers.Flatten(name="f")(tensor)))
    network.export(folder, verbose=False)
    return network


def compare(model: Any, expected: np.ndarray) -> None:
    """In one piece, and cut at every place where the graph can be cut."""
    tensor = model.preprocess(PIXELS.astype(np.uint8))
    (whole,) = model.compile(model.graph.input, [model.graph.output])(tensor)
    np.testing.assert_allclose(whole, expected, rtol=1e-4, atol=1e-5)
    for start, end in pairwise(model.graph.cut_points()):
        (tensor,) = model.compile(start, [end])(tensor)
        assert tensor.shape == (5, *model.graph[end].shape)
    np.testing.assert_allclose(tensor, expected, rtol=1e-4, atol=1e-5)


def mapped(layers: Any, tensor: Any) -> Any:
    import keras

    return keras.ops.map(lambda picture: keras.ops.flip(picture, 0) * 2, tensor)


NETWORKS: dict[str, Callable[[Any, Any], Any]] = {
    "LSTM": lambda layers, t: layers.LSTM(4, name="l")(layers.Reshape((8, 24), name="s")(t)),
    "GRU of all steps": lambda layers, t: layers.GRU(4, return_sequences=True)(layers.Reshape((8, 24))(t)),
    "Dense on three dimensions": lambda layers, t: layers.Dense(6, name="d")(layers.Reshape((8, 24), name="s")(t)),
    "attention": lambda layers, t: layers.MultiHeadAttention(2, 4)(x := layers.Reshape((8, 24))(t), x),
    "map": mapped,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_an_exported_network_gives_what_keras_gives(load: Any, tmp_path: Path, name: str) -> None:
    network = export(tmp_path / "saved", NETWORKS[name])
    compare(load(tmp_path / "saved"), network.predict(PIXELS.astype(np.float32), verbose=0))


def test_an_exported_network_of_whole_numbers_gives_what_keras_gives(load: Any, tmp_path: Path) -> None:
    network = export(tmp_path / "saved", lambda layers, t: layers.Conv2D(4, 3, name="c")(t), "uint8")
    compare(load(tmp_path / "saved"), network.predict(PIXELS.astype(np.uint8), verbose=0))


def test_augmentation_that_was_exported_is_refused_with_its_reason(load: Any, tmp_path: Path) -> None:
    export(tmp_path / "saved", lambda layers, t: layers.RandomFlip(name="flip")(t))
    with pytest.raises(InputError, match=r"depends on chance .*flip"):
        load(tmp_path / "saved")


def frozen(path: Path, build: Callable[[Any, Any], None], batch: int | None = None) -> Path:
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        build(tf, tf.compat.v1.placeholder(tf.float32, [batch, 8, 8, 3], name="image"))
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


KERNEL = np.random.default_rng(2).normal(size=(192, 4)).astype(np.float32) / 1000


def test_a_batch_of_one_size_is_filled_up(load: Any, tmp_path: Path) -> None:
    def build(tf: Any, image: Any) -> None:
        tf.matmul(tf.reshape(image, [2, 192]), KERNEL, name="out")

    model = load(frozen(tmp_path / "two.pb", build, batch=2))
    compare(model, PIXELS.reshape(5, 192).astype(np.float32) @ KERNEL)


def test_a_class_number_at_the_end_leads_to_what_it_was_chosen_from(load: Any, tmp_path: Path) -> None:
    def build(tf: Any, image: Any) -> None:
        logits = tf.matmul(tf.reshape(image, [-1, 192]), KERNEL)
        tf.cast(tf.argmax(tf.nn.softmax(logits, name="prob"), 1), "int32", name="classes")

    model = load(frozen(tmp_path / "argmax.pb", build))
    assert model.graph.output == "prob"
    assert model.info.has_probabilities


def test_a_loop_of_tensorflow_1_is_refused_rather_than_waited_for(load: Any, tmp_path: Path) -> None:
    def build(tf: Any, image: Any) -> None:
        tf.compat.v1.disable_control_flow_v2()
        try:
            flat = tf.reshape(image, [-1, 192])
            tf.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x * 2.0), [tf.constant(0), flat])[1]
        finally:
            tf.compat.v1.enable_control_flow_v2()

    with pytest.raises(InputError, match="loop of TensorFlow 1"):
        load(frozen(tmp_path / "loop.pb", build))


def test_rows_that_are_no_stimuli_are_refused(load: Any, tmp_path: Path) -> None:
    def build(tf: Any, image: Any) -> None:
        tf.reshape(image, [-1, 24], name="out")

    with pytest.raises(InputError, match="does not have a row for each stimulus"):
        load(frozen(tmp_path / "rows.pb", build))
