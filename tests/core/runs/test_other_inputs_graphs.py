"""SavedModels and frozen graphs that take something else than one picture: what is stored is what TensorFlow says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerwise.core.base.errors import InputError

RNG = np.random.default_rng(11)
PICTURES = RNG.integers(0, 256, (7, 8, 8, 3)).astype(np.float32)
TOKENS = RNG.integers(1, 20, (7, 9))
SERIES = RNG.normal(size=(7, 13, 2)).astype(np.float32)


def agree(found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> None:
    """Correlations of the last layer whose name has this part are NumPy's of the values."""
    for part, values in expected.items():
        rows = np.asarray(values, np.float64).reshape(len(values), -1)
        name = [one for one in found if part in f"/{one}/"][-1]
        np.testing.assert_allclose(found[name], np.corrcoef(rows), atol=2e-5, err_msg=part)


def with_two_inputs() -> Any:
    """A picture and a row of tokens of any length in, two heads out."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(1)
    picture, tokens = keras.Input((8, 8, 3), name="picture"), keras.Input((None,), name="tokens", dtype="int32")
    seen = layers.Dense(4, name="seen")(layers.Flatten(name="flat")(layers.Rescaling(1 / 255)(picture)))
    words = layers.Embedding(20, 5, name="words")(tokens)
    read = layers.GRU(4, name="read")(words)
    joined = layers.Concatenate(name="joined")([seen, read])
    side = layers.Dense(3, activation="softmax", name="side")(read)
    main = layers.Dense(3, activation="softmax", name="main")(layers.Dense(6, name="hidden")(joined))
    return keras.Model([picture, tokens], {"side": side, "main": main})


@pytest.fixture(scope="module")
def two_inputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    network = with_two_inputs()
    folder = tmp_path_factory.mktemp("two")
    network.export(folder / "saved", verbose=False)
    np.savez(folder / "both.npz", picture=PICTURES, tokens=TOKENS, names=[f"s{i}" for i in range(7)])
    return folder, network


@pytest.mark.parametrize("memory", [None, 10 * 2**20])
def test_an_exported_model_of_two_inputs_and_two_heads(analyse: Any, two_inputs: Any, memory: int | None) -> None:
    folder, network = two_inputs
    expected = network.predict([PICTURES, TOKENS], verbose=0)
    found, stimuli, said = analyse(str(folder / "saved"), str(folder / "both.npz"), memory=memory)
    agree(found, {"/main": expected["main"], "/side": expected["side"], "/picture/": PICTURES, "/tokens/": TOKENS})
    assert list(found)[-1].startswith("main")
    assert [one.name for one in stimuli] == [f"s{i}" for i in range(7)]
    assert any("of 2 outputs 'main' counts" in text for text in said)
    assert any("'tokens' at 9" in text for text in said)


def test_a_head_that_is_named_counts(analyse: Any, two_inputs: Any) -> None:
    folder, network = two_inputs
    given = {"picture": PICTURES, "tokens": TOKENS}
    found, _, _ = analyse(str(folder / "saved"), given, output="side")
    agree(found, {"/side": network.predict([PICTURES, TOKENS], verbose=0)["side"]})
    assert list(found)[-1].startswith("side")
    for wrong, words in (
        ({"picture": PICTURES}, r"the model takes 'picture' .*'tokens' \(any, int32\): there is no 'tokens'"),
        (given | {"tokens": TOKENS + 0.5}, "gives fractions to input 'tokens'"),
    ):
        with pytest.raises(InputError, match=words):
            analyse(str(folder / "saved"), wrong)
    with pytest.raises(InputError, match="so that --preprocessing has no meaning"):
        analyse(str(folder / "saved"), given, preprocessing="unit")


def export_text_model(folder: Path, texts: list[str]) -> Any:
    import keras
    from keras import layers

    keras.utils.set_random_seed(2)
    tokens = layers.TextVectorization(30, output_sequence_length=6, name="vectorized")
    tokens.adapt(texts)
    text = keras.Input((1,), dtype="string", name="text")
    mean = layers.GlobalAveragePooling1D(name="mean")(layers.Embedding(30, 5, name="words")(tokens(text)))
    network = keras.Model(text, layers.Dense(4, activation="softmax", name="topic")(mean))
    network.export(folder, verbose=False)
    return network


def test_an_exported_model_that_carries_its_tokenizer(analyse: Any, tmp_path: Path) -> None:
    import keras
    import tensorflow as tf

    texts = ["the cat sat", "a dog ran far", "the dog sat down", "naïve 你好 cat", "far away", "a cat"]
    network = export_text_model(tmp_path / "topics", texts)
    (tmp_path / "texts.txt").write_text("\n".join(texts), encoding="utf-8")
    given = tf.constant(texts)[:, None]
    mean = keras.Model(network.inputs, network.get_layer("mean").output).predict(given, verbose=0)
    found, stimuli, _ = analyse(str(tmp_path / "topics"), str(tmp_path / "texts.txt"))
    agree(found, {"/mean": mean, "/Softmax/": network.predict(given, verbose=0)})
    assert stimuli[3].name == "4 naïve 你好 cat"


def test_the_words_of_a_table_are_part_of_what_a_model_is(tmp_path: Path, all_plugins: Any) -> None:
    from layerwise.core.network.model import LoadRequest
    from layerwise.core.runs.loading import load_model

    prints = []
    for texts in (["one two three"], ["one two four"], ["one two three"]):
        export_text_model(tmp_path / "topics", texts)
        prints.append(load_model(all_plugins, LoadRequest(str(tmp_path / "topics")))[1].info.fingerprint)
    assert prints[0] == prints[2] != prints[1]


def test_a_frozen_graph_of_a_series_and_a_vector_with_a_setting(analyse: Any, tmp_path: Path) -> None:
    import tensorflow as tf

    v1 = tf.compat.v1
    kernel, other = RNG.normal(size=(2, 4)).astype(np.float32), RNG.normal(size=(7, 3)).astype(np.float32)
    with tf.Graph().as_default() as graph:
        series = v1.placeholder(tf.float32, [None, None, 2], name="in/series")
        facts = v1.placeholder(tf.float64, [None, 3], name="in/facts")
        keep = v1.placeholder(tf.float32, name="keep_prob")
        steps = tf.tanh(tf.matmul(series, tf.broadcast_to(kernel, [tf.shape(series)[0], 2, 4])), name="net/steps")
        joined = tf.concat([tf.reduce_mean(steps, 1), tf.cast(facts, tf.float32) * keep], 1, name="net/joined")
        tf.nn.softmax(tf.matmul(joined, other), name="net/prob")
    path = tmp_path / "two.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    numbers = RNG.normal(size=(7, 3)).round(3)
    given = {"in/series": SERIES, "in/facts": numbers}
    with pytest.raises(InputError, match=r"keep_prob takes no batch of stimuli: --feed NAME=NUMBER"):
        analyse(str(path), given)
    found, _, said = analyse(str(path), given, feed=(("keep_prob", 0.5),), memory=10 * 2**20)
    steps_right = np.tanh(SERIES @ kernel)
    joined_right = np.concatenate([steps_right.mean(1), numbers * 0.5], 1)
    odds = np.exp(joined_right @ other)
    right = {"/in/series/": SERIES, "/in/facts/": numbers, "/net/steps/": steps_right, "/net/joined/": joined_right}
    agree(found, right | {"/net/prob/": odds / odds.sum(1, keepdims=True)})
    assert any("'in/series' at 13 x 2" in text for text in said)


def test_arrays_with_channels_in_front_go_into_a_graph_that_takes_them(analyse: Any, tmp_path: Path) -> None:
    import tensorflow as tf

    kernel = RNG.normal(size=(192, 4)).astype(np.float32) / 100
    with tf.Graph().as_default() as graph:
        image = tf.compat.v1.placeholder(tf.float32, [None, 3, 8, 8], name="image")
        tf.matmul(tf.reshape(image, [-1, 192]), kernel, name="scores")
    (tmp_path / "front.pb").write_bytes(graph.as_graph_def().SerializeToString())
    arrays = RNG.normal(size=(7, 3, 8, 8)).astype(np.float32)
    np.save(tmp_path / "front.npy", arrays)
    found, _, _ = analyse(str(tmp_path / "front.pb"), str(tmp_path / "front.npy"))
    agree(found, {"/image/": arrays, "/scores/": arrays.reshape(7, -1) @ kernel})
    with pytest.raises(InputError, match=r"have the shape \(8, 8, 3\) where the model takes 'image' \(3 x 8 x 8"):
        analyse(str(tmp_path / "front.pb"), PICTURES)
