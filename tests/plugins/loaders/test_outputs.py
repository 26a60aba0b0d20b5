"""What counts as probabilities: an output that one softmax gives, and nothing that only looks like it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerwise.core.runs.prepared import prepare_run
from layerwise.core.runs.request import RunRequest, SilentObserver
from layerwise.core.runs.run import execute_run
from layerwise.plugins import load_plugins
from layerwise.plugins.loaders.description import ModelDescription
from layerwise.plugins.loaders.keras.model import KerasModel
from layerwise.plugins.loaders.preprocessing import find_preprocessing
from layerwise.storage import open_store


def end_in(build: Callable[[Any, Any], Any]) -> Any:
    """A small Keras model with five scores at its end, and what is built on them."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(2)
    image = keras.Input((6, 6, 3), name="image")
    scores = layers.Dense(5, name="scores")(layers.GlobalAveragePooling2D()(layers.Rescaling(1 / 255)(image)))
    return keras.Model(image, build(keras, scores))


def wrap(network: Any) -> KerasModel:
    return KerasModel(network, ModelDescription("test", "memory", find_preprocessing("none")))


ENDS: dict[str, tuple[Callable[[Any, Any], Any], str, bool, str | None]] = {
    "softmax layer": (lambda k, x: k.layers.Softmax()(x), "softmax", True, "scores"),
    "softmax by number of axis": (lambda k, x: k.layers.Softmax(axis=1)(x), "softmax", True, "scores"),
    "softmax operation": (lambda k, x: k.ops.softmax(x), "softmax", True, "scores"),
    "softmax activation": (lambda k, x: k.layers.Activation("softmax")(x), "softmax", True, "scores"),
    "fused softmax": (lambda k, x: k.layers.Dense(4, activation="softmax")(x), "softmax", True, "logits"),
    "log-softmax operation": (lambda k, x: k.ops.log_softmax(x), "log_softmax", False, "scores"),
    "log-softmax activation": (lambda k, x: k.layers.Activation("log_softmax")(x), "log_softmax", False, "scores"),
    "fused log-softmax": (
        lambda k, x: k.layers.Dense(4, activation="log_softmax")(x), "log_softmax", False, "logits",
    ),
    "one sigmoid": (lambda k, x: k.layers.Dense(1, activation="sigmoid")(x), "dense", False, None),
    "scaled softmax": (lambda k, x: k.layers.Rescaling(100.0)(k.layers.Softmax()(x)), "rescaling", False, None),
    "softmax at each position": (
        lambda k, x: k.layers.Softmax()(k.layers.Reshape((5, 1))(x)), "softmax", False, "scores",
    ),
    "softmax along another axis": (
        lambda k, x: k.layers.Softmax(axis=1)(k.layers.Reshape((5, 1))(x)), "axis_softmax", False, None,
    ),
    "attention": (
        lambda k, x: k.layers.Flatten()(k.layers.Attention()([k.layers.Reshape((5, 1))(x)] * 2)),
        "flatten", False, None,
    ),
    "recurrent softmax": (
        lambda k, x: k.layers.LSTM(3, activation="softmax")(k.layers.Reshape((5, 1))(x)), "lstm", False, None,
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis:UserWarning")
@pytest.mark.parametrize("case", ENDS)
def test_an_output_is_probabilities_only_if_it_is(case: str) -> None:
    build, op, expected, logits = ENDS[case]
    network = end_in(build)
    model = wrap(network)
    assert model.graph[model.graph.output].op == op
    assert model.info.has_probabilities is expected
    assert next((layer.node for layer in model.layers if layer.role == "logits"), None) == logits
    images = np.random.default_rng(0).normal(size=(3, 6, 6, 3)).astype(np.float32)
    (ours,) = model.compile("image", [model.graph.output])(images)
    np.testing.assert_allclose(ours, network.predict(images, verbose=0), atol=1e-6)
    if expected:
        np.testing.assert_allclose(ours.sum(axis=1), 1, atol=1e-5)


def test_a_frozen_log_softmax_is_no_probabilities_either(load: Any, tmp_path: Path) -> None:
    import tensorflow as tf

    v1 = tf.compat.v1
    found = {}
    for name in ("softmax", "log_softmax"):
        with v1.Graph().as_default() as graph:
            x = v1.reduce_mean(v1.placeholder(tf.float32, [None, 6, 6, 3], name="input"), [1, 2], name="scores")
            getattr(v1.nn, name)(x, name="end")
        (tmp_path / f"{name}.pb").write_bytes(graph.as_graph_def().SerializeToString())
        found[name] = load(tmp_path / f"{name}.pb")
    assert [model.info.has_probabilities for model in found.values()] == [True, False]
    assert [model.graph["end"].op for model in found.values()] == ["softmax", "log_softmax"]
    assert {layer.node for layer in found["log_softmax"].layers if layer.role == "logits"} == {"scores"}


def test_predictions_of_a_log_softmax_are_probabilities_and_its_layer_is_left_as_it_is(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (7, 6, 6, 3), dtype=np.uint8)
    np.savez(tmp_path / "noise.npz", images=pixels, labels=np.arange(7) % 5)
    registry, observer, read = load_plugins(), SilentObserver(), {}
    with open_store(f"sqlite:///{tmp_path}/history.db") as store:
        for name in ("softmax", "log_softmax"):
            path = tmp_path / f"{name}.keras"
            end_in(lambda k, x, name=name: getattr(k.ops, name)(x)).save(path)
            request = RunRequest(str(path), str(tmp_path / "noise.npz"), layers=("main",))
            done = execute_run(prepare_run(request, registry, observer), store, observer)
            run = store.find_run(done.run_id)
            read[name] = (store.read_predictions(done.run_id), run.accuracy)
            assert run.model.has_probabilities is (name == "softmax")
            output = next(layer for layer in store.list_layers(done.run_id) if layer.role == "output")
            assert output.op == name
    (plain, accuracy), (from_logs, accuracy_from_logs) = read.values()
    assert accuracy == accuracy_from_logs
    assert [p.class_index for p in plain] == [p.class_index for p in from_logs]
    np.testing.assert_allclose([p.probability for p in from_logs], [p.probability for p in plain], atol=1e-6)
    assert all(0 <= prediction.probability <= 1 for prediction in from_logs)
