"""Which tensor of a TensorFlow graph counts as the output, and placeholders that are settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerwise.core.base.errors import InputError

PIXELS = np.random.default_rng(5).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
KERNEL = np.random.default_rng(2).normal(size=(192, 5)).astype(np.float32) / 1000


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Probabilities of what is kept of some logits, unless it trains; a class at the end, and two pieces."""
    import tensorflow as tf

    with tf.Graph().as_default() as built:
        image = tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 3], name="image")
        keep = tf.compat.v1.placeholder(tf.float32, name="keep_prob")
        training = tf.compat.v1.placeholder(tf.bool, [], name="training")
        logits = tf.multiply(tf.matmul(tf.reshape(image, [-1, 192]), KERNEL), keep, name="logits")
        prob = tf.nn.softmax(logits, name="prob")
        chosen = tf.where(training, prob * 0.0, prob, name="chosen")
        tf.split(prob, [2, 3], 1, name="pieces")
        tf.argmax(chosen, 1, name="classes")
    path = tmp_path_factory.mktemp("graphs") / "fed.pb"
    path.write_bytes(built.as_graph_def().SerializeToString())
    return path


def expected(keep: float) -> np.ndarray:
    logits = keep * (PIXELS.reshape(5, 192).astype(np.float64) @ KERNEL)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def predict(model: Any) -> np.ndarray:
    (found,) = model.compile(model.graph.input, [model.graph.output])(model.preprocess(PIXELS))
    return np.asarray(found)


@pytest.mark.parametrize("keep", [1.0, 0.25])
def test_a_setting_that_is_fed_is_part_of_what_is_computed(load: Any, graph: Path, keep: float) -> None:
    model = load(graph, output="prob", feed=(("keep_prob", keep),))
    np.testing.assert_allclose(predict(model), expected(keep), rtol=1e-5)
    assert model.info.has_probabilities


def test_what_is_fed_and_what_counts_make_different_models(load: Any, graph: Path) -> None:
    asked = [("prob", 1.0), ("prob", 0.5), ("logits", 1.0), ("pieces", 1.0), ("pieces:1", 1.0)]
    models = [load(graph, output=output, feed=(("keep_prob", keep),)) for output, keep in asked]
    assert len({model.info.fingerprint for model in models}) == len(asked)
    np.testing.assert_allclose(predict(models[-1]), expected(1.0)[:, 2:], rtol=1e-5)


def test_without_a_name_the_class_leads_to_the_probabilities_before_it(load: Any, graph: Path) -> None:
    model = load(graph, feed=(("keep_prob:0", 1.0), ("training", 0.0)), output="chosen")
    np.testing.assert_allclose(predict(model), expected(1.0), rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, r"3 placeholders before .*image, keep_prob, training.*--feed"),
        ({"output": "prob"}, r"2 placeholders before 'prob' \(image, keep_prob\)"),
        ({"output": "prop"}, "no node 'prop'; did you mean prob"),
        ({"feed": (("keep", 1.0),)}, "no placeholder 'keep'; did you mean keep_prob"),
        ({"feed": (("training", 0.5),)}, "'training' takes bool, not 0.5"),
        ({"imports": ("layers.py",)}, "'frozen-graph'.* has no use for --import"),
    ],
)
def test_a_name_or_value_that_means_nothing_is_refused(
    load: Any, graph: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        load(graph, **options)


def test_of_several_outputs_of_a_saved_model_one_counts_and_the_others_are_layers(load: Any, tmp_path: Path) -> None:
    import tensorflow as tf

    module = tf.Module()
    module.kernel = tf.Variable(KERNEL)

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32, name="image")])
    def call(image: Any) -> dict[str, Any]:
        logits = tf.matmul(tf.reshape(image, [-1, 192]), module.kernel)
        scores = tf.nn.softmax(logits, name="prob")
        return {"scores": scores, "doubled": tf.multiply(logits, 2.0, name="twice"), "class": tf.argmax(scores, 1)}

    tf.saved_model.save(module, str(tmp_path / "two"), signatures=call)
    model = load(tmp_path / "two", output="scores")
    np.testing.assert_allclose(predict(model), expected(1.0), rtol=1e-5)
    (doubled,) = model.compile("image", ["twice"])(model.preprocess(PIXELS))
    np.testing.assert_allclose(doubled, 2 * (PIXELS.reshape(5, 192).astype(np.float64) @ KERNEL), rtol=1e-5)
    assert [layer.name for layer in model.layers][-2:] == ["twice", "prob"]
    other = load(tmp_path / "two", output="doubled")
    assert other.graph.output == "twice"
    assert other.info.fingerprint != model.info.fingerprint
    (said,) = load(tmp_path / "two").notes
    assert "of 2 outputs" in said  # the class is chosen from the scores, which are there already
    assert "--output (output= in Python) names another" in said
    with pytest.raises(InputError, match="no output 'score'; did you mean scores"):
        load(tmp_path / "two", output="score")
