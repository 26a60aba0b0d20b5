"""Models that take something else than one picture, end to end: what is stored is what Keras and NumPy say."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from layerwise.core.base.errors import InputError


def agree(found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> None:
    """Each layer's correlations are NumPy's of what Keras predicts."""
    for name, values in expected.items():
        rows = np.asarray(values, np.float64).reshape(len(values), -1)
        np.testing.assert_allclose(found[name], np.corrcoef(rows), atol=2e-5, err_msg=name)


def predict_all(network: Any, inputs: Any, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    import keras

    tensors = [network.get_layer(name).output for name in names]
    values = keras.Model(network.inputs, tensors).predict(inputs, verbose=0)
    return dict(zip(names, values if len(names) > 1 else [values], strict=True))


RNG = np.random.default_rng(3)
PICTURES = RNG.integers(0, 256, (9, 12, 12, 3)).astype(np.float32)


def with_auxiliary_head() -> Any:
    import keras
    from keras import layers

    keras.utils.set_random_seed(1)
    image = keras.Input((12, 12, 3), name="image")
    stem = layers.Conv2D(4, 3, activation="relu", name="stem")(layers.Rescaling(1 / 255, name="scaled")(image))
    side = layers.Dense(5, activation="softmax", name="side")(layers.GlobalAveragePooling2D(name="early")(stem))
    body = layers.Conv2D(6, 3, activation="relu", name="body")(stem)
    main = layers.Dense(5, activation="softmax", name="main")(layers.GlobalAveragePooling2D(name="late")(body))
    return keras.Model(image, {"a_side": side, "b_main": main})


def test_an_auxiliary_head_is_a_layer_beside_the_output(analyse: Any, tmp_path: Path) -> None:
    network = with_auxiliary_head()
    network.save(tmp_path / "heads.keras")
    np.savez(tmp_path / "pictures.npz", images=PICTURES)
    expected = predict_all(network, PICTURES, ("stem", "side", "body", "late", "main"))
    found, _, messages = analyse(str(tmp_path / "heads.keras"), str(tmp_path / "pictures.npz"))
    agree(found, expected)
    assert [text for text in messages if "of 2 outputs 'main' counts" in text]
    for wanted in ("a_side", "side"):
        other, _, messages = analyse(network, PICTURES, output=wanted, memory=40 * 2**20)
        agree(other, expected)
        assert list(other)[-1] == "side"
    with pytest.raises(InputError, match="no output 'sid'; did you mean"):
        analyse(network, PICTURES, output="sid")


def test_two_inputs_go_where_they_belong(analyse: Any, tmp_path: Path) -> None:
    import keras
    from keras import layers

    keras.utils.set_random_seed(2)
    picture, facts = keras.Input((12, 12, 3), name="picture"), keras.Input((4,), name="facts", dtype="int32")
    seen = layers.Flatten(name="flat")(layers.Conv2D(3, 3, name="conv")(picture))
    known = layers.Dense(5, name="known")(layers.Lambda(lambda x: keras.ops.cast(x, "float32"), name="cast")(facts))
    joined = layers.Concatenate(name="joined")([seen, known])
    network = keras.Model([picture, facts], layers.Dense(3, name="out")(joined))
    numbers = RNG.integers(-50, 50, (9, 4))
    expected = predict_all(network, [PICTURES, numbers], ("conv", "known", "joined", "out"))
    expected |= {"picture": PICTURES, "facts": numbers}
    given = {"facts": numbers, "picture": PICTURES}
    found, stimuli, _ = analyse(network, given)
    agree(found | {"known": found.get("known", found.get("joined/dense"))}, expected)
    np.savez(tmp_path / "two.npz", **given, names=np.array([f"s{i}" for i in range(9)]), labels=np.arange(9) % 2)
    again, named, _ = analyse(network, str(tmp_path / "two.npz"))
    np.testing.assert_array_equal(again["out"], found["out"])
    assert [(one.name, one.label) for one in named] == [(f"s{i}", str(i % 2)) for i in range(9)]
    assert [one.content_hash for one in named] == [one.content_hash for one in stimuli]
    for wrong, words in (
        ({"picture": PICTURES}, "there is no 'facts'"),
        ({"picture": PICTURES, "fact": numbers}, "there is no 'facts'; did you mean fact"),
        ({"picture": PICTURES[:5], "facts": numbers}, "'picture' 5, 'facts' 9"),
        (
            {"picture": PICTURES, "facts": numbers[:, :3]},
            r"have the shape \(3,\) where the model takes 'facts' \(4, int32",
        ),
        ({"picture": PICTURES, "facts": numbers + 0.5}, "gives fractions to input 'facts'"),
        ({"picture": PICTURES, "facts": numbers + 2**25}, "gives values from .* to input 'facts'"),
    ):
        with pytest.raises(InputError, match=words):
            analyse(network, wrong)


def test_series_of_any_length_are_run_at_the_length_they_have(analyse: Any, tmp_path: Path) -> None:
    import keras
    from keras import layers

    keras.utils.set_random_seed(3)
    source = keras.Input((None, 2), name="series")
    states = layers.GRU(4, return_sequences=True, name="states")(source)
    network = keras.Model(source, layers.Dense(3, name="out")(layers.GlobalMaxPooling1D(name="pool")(states)))
    network.save(tmp_path / "series.keras")
    series = RNG.normal(size=(8, 21, 2)).astype(np.float32)
    np.save(tmp_path / "series.npy", series)
    expected = predict_all(network, series, ("states", "pool", "out")) | {"series": series}
    found, stimuli, messages = analyse(str(tmp_path / "series.keras"), str(tmp_path / "series.npy"))
    agree(found, expected)
    assert any("run with 'series' at 21 x 2" in text for text in messages)
    for stimulus in stimuli:
        assert Image.open(io.BytesIO(stimulus.thumbnail)).size <= (96, 192)


@pytest.mark.parametrize("memory", [None, 10 * 2**20])
def test_masked_tokens_keep_their_mask_wherever_the_network_is_cut(analyse: Any, memory: int | None) -> None:
    import keras
    from keras import layers

    keras.utils.set_random_seed(4)
    tokens = RNG.integers(1, 40, (8, 12))
    for row, end in zip(tokens, RNG.integers(2, 12, 8), strict=True):
        row[end:] = 0
    source = keras.Input((12,), dtype="int32", name="tokens")
    words = layers.Embedding(40, 6, mask_zero=True, name="words")(source)
    mixed = layers.Dense(6, name="mixed")(layers.MultiHeadAttention(2, 3, name="attention")(words, words))
    network = keras.Model(source, layers.Dense(3, name="out")(layers.LSTM(5, name="read")(mixed)))
    found, _, _ = analyse(network, tokens, memory=memory)
    assert set(found) == {"tokens", "words", "attention", "mixed", "read", "out"}
    agree(found, predict_all(network, tokens, ("words", "mixed", "read", "out")))


def sentences() -> tuple[list[str], list[str]]:
    """Sentences of Python's own help on strings and on imports, which every Python ships."""
    from pydoc_data.topics import topics

    texts, labels = [], []
    for label in ("formatstrings", "import"):
        found = [" ".join(part.split()) for part in re.split(r"\.\s", topics[label])]
        chosen = list(dict.fromkeys(part for part in found if 40 < len(part) < 300))[:30]
        texts += chosen
        labels += [label] * len(chosen)
    return texts, labels


def text_classifier(texts: list[str], labels: list[str]) -> Any:
    import keras
    import tensorflow as tf
    from keras import layers

    keras.utils.set_random_seed(5)
    tokens = layers.TextVectorization(300, output_sequence_length=24, name="tokens")
    tokens.adapt(texts)
    source = keras.Input((1,), dtype="string", name="text")
    words = layers.Embedding(300, 8, name="words")(tokens(source))
    hidden = layers.Dense(8, activation="relu", name="hidden")(layers.GlobalAveragePooling1D(name="mean")(words))
    network = keras.Model(source, layers.Dense(2, activation="softmax", name="topic")(hidden))
    network.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    network.fit(tf.constant(texts)[:, None], np.array([one == "import" for one in labels]), epochs=15, verbose=0)
    return network


def test_a_text_classifier_reads_texts_from_files_and_memory(analyse: Any, tmp_path: Path) -> None:
    import tensorflow as tf

    texts, labels = sentences()
    network = text_classifier(texts, labels)
    texts, labels = [*texts[::4], "Dž naïve — 你好"], [*labels[::4], "import"]
    names = ("words", "mean", "hidden", "topic")
    expected = predict_all(network, tf.constant(texts)[:, None], names)
    right = (expected["topic"].argmax(1) == np.array([one == "import" for one in labels])).mean()
    assert right > 0.8
    network.save(tmp_path / "topics.keras")
    model = str(tmp_path / "topics.keras")
    found, stimuli, messages = analyse(model, (texts, labels))
    agree(found, expected)
    assert stimuli[0].name.startswith("01 ")
    assert stimuli[0].name[3:20] == texts[0][:17]
    assert [one.label for one in stimuli] == labels
    assert any("'text' at 512" in text or "'text' at 256" in text for text in messages)

    (tmp_path / "texts.txt").write_text("\n".join(texts), encoding="utf-8")
    table = "\n".join(
        f'"{text.replace(chr(34), chr(34) * 2)}";{label}' for text, label in zip(texts, labels, strict=True)
    )
    (tmp_path / "texts.csv").write_text(f"sentence;label\n{table}\n", encoding="utf-8")
    for place, (text, label) in enumerate(zip(texts, labels, strict=True)):
        path = tmp_path / "folder" / label / f"{place}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for where in ("texts.txt", "texts.csv"):
        again, listed, _ = analyse(model, str(tmp_path / where))
        np.testing.assert_allclose(again["hidden"], found["hidden"], atol=1e-9)
        assert [one.label for one in listed] == (labels if where.endswith("csv") else [None] * len(labels))
    again, listed, _ = analyse(model, str(tmp_path / "folder"))
    order = [int(re.findall(r"(\d+)\.txt", one.name)[0]) for one in listed]
    np.testing.assert_allclose(again["topic"], found["topic"][np.ix_(order, order)], atol=1e-6)
    assert [one.label for one in listed] == [labels[place] for place in order]


def vision_transformer() -> Any:
    """Four by four patches, a class token, two blocks of attention with what is skipped added."""
    import keras
    from keras import layers, ops

    class Prepared(layers.Layer):
        def build(self, shape: Any) -> None:
            self.token = self.add_weight(shape=(1, 1, shape[-1]), name="token")
            self.places = self.add_weight(shape=(1, shape[1] + 1, shape[-1]), name="places")

        def call(self, patches: Any) -> Any:
            first = ops.broadcast_to(self.token, (ops.shape(patches)[0], 1, patches.shape[-1]))
            return ops.concatenate([first, patches], axis=1) + self.places

    keras.utils.set_random_seed(6)
    image = keras.Input((12, 12, 3), name="image")
    patches = layers.Conv2D(8, 4, 4, name="patches")(layers.Rescaling(1 / 127.5, -1, name="scaled")(image))
    state = Prepared(name="prepared")(layers.Reshape((9, 8), name="rows")(patches))
    for block in range(2):
        normed = layers.LayerNormalization(name=f"norm{block}a")(state)
        attended = layers.MultiHeadAttention(2, 4, name=f"attention{block}")(normed, normed)
        state = layers.Add(name=f"added{block}a")([state, attended])
        wide = layers.Dense(16, activation="gelu", name=f"wide{block}")(
            layers.LayerNormalization(name=f"norm{block}b")(state)
        )
        state = layers.Add(name=f"added{block}b")([state, layers.Dense(8, name=f"narrow{block}")(wide)])
    first = layers.LayerNormalization(name="last")(state)[:, 0]
    return keras.Model(image, layers.Dense(5, activation="softmax", name="classes")(first))


def test_a_vision_transformer_and_its_class_token(analyse: Any) -> None:
    network = vision_transformer()
    names = ("prepared", "added0b", "attention1", "added1b", "last", "classes")
    expected = predict_all(network, PICTURES, names)
    found, _, _ = analyse(network, PICTURES, memory=40 * 2**20)
    agree(found, expected)


def test_vectors_come_from_columns_of_a_table(analyse: Any, tmp_path: Path) -> None:
    import keras
    from keras import layers

    keras.utils.set_random_seed(7)
    network = keras.Sequential([keras.Input((3,), name="v"), layers.Dense(4, name="h"), layers.Dense(2, name="o")])
    values = RNG.normal(size=(6, 3)).round(3)
    rows = "\n".join(f"{'ab'[i % 2]},n{i},{','.join(map(str, row))}" for i, row in enumerate(values.tolist()))
    (tmp_path / "table.csv").write_text(f"class,name,x,y,z\n{rows}\n")
    found, stimuli, _ = analyse(network, str(tmp_path / "table.csv"))
    agree(found, predict_all(network, values, ("h", "o")) | {"v": values})
    assert [(one.name, one.label) for one in stimuli] == [(f"n{i}", "ab"[i % 2]) for i in range(6)]
    (tmp_path / "table.csv").write_text(f"class,name,x,y,z\n{rows}\na,n9,1,2,many\n")
    with pytest.raises(InputError, match=r"line 8: 'many' is no number for input 'v'"):
        analyse(network, str(tmp_path / "table.csv"))


def test_pictures_are_told_from_what_a_model_takes(analyse: Any, tmp_path: Path) -> None:
    import keras
    from keras import layers

    network = keras.Sequential([keras.Input((3,), name="v"), layers.Dense(4)])
    (tmp_path / "texts.txt").write_text("one\ntwo\n")
    with pytest.raises(InputError, match=r"holds texts, and the model takes 'v' \(3, float32\)"):
        analyse(network, str(tmp_path / "texts.txt"))
    with pytest.raises(InputError, match="the model takes pictures"):
        analyse(with_auxiliary_head(), str(tmp_path / "texts.txt"))
    with pytest.raises(InputError, match="--range is for pictures"):
        analyse(network, np.zeros((4, 3)), value_range=(0.0, 1.0))
    with pytest.raises(InputError, match="so that --preprocessing has no meaning"):
        analyse(network, np.zeros((4, 3)), preprocessing="unit")
