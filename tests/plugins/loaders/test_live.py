"""What a user may rely on when a Keras model that is being trained is analysed while it lives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from layerwise.core.base.errors import InputError
from layerwise.core.host.checked_model import AttributedModel
from layerwise.core.host.kinds import ModelLoader
from layerwise.core.network.model import LoadRequest, Model
from layerwise.plugins.loaders.keras.files import KerasFileLoader

IMAGES = np.random.default_rng(0).normal(size=(8, 6, 6, 3)).astype(np.float32)
CLASSES = np.arange(8) % 3


class Traced:
    """A network that counts how often its first layer is called, which is once for each trace."""

    def __init__(self) -> None:
        import keras
        from keras import layers

        counter = self
        self.n_calls = 0

        class Counting(layers.Conv2D):  # type: ignore[misc]
            def call(self, inputs: Any) -> Any:
                counter.n_calls += 1
                return super().call(inputs)

        image = keras.Input((6, 6, 3), name="image")
        x = Counting(4, 3, activity_regularizer="l2", name="first")(image)
        x = layers.BatchNormalization(name="norm")(x)
        x = layers.Dropout(0.5, name="drop")(layers.Flatten(name="flat")(x))
        self.network = keras.Model(image, layers.Dense(3, activation="softmax", name="classes")(x), name="net")
        self.network.compile("sgd", "sparse_categorical_crossentropy")

    def train(self) -> None:
        self.network.fit(IMAGES, CLASSES, batch_size=8, verbose=0)

    def predict(self, *names: str) -> list[np.ndarray]:
        """What Keras itself makes of the images in these layers."""
        import keras

        inner = keras.Model(self.network.inputs, [self.network.get_layer(name).output for name in names])
        return [np.asarray(value) for value in inner.predict(IMAGES, verbose=0)]


def adopt(network: object, **options: Any) -> Model:
    model = KerasFileLoader().adopt(network, LoadRequest("mine", **options))
    assert model is not None
    return model


def test_a_model_in_training_is_analysed_without_being_traced_again() -> None:
    traced = Traced()
    traced.train()
    model = adopt(traced.network)
    names = ["first", "norm", "classes"]
    function = model.compile("image", names)
    before, prints = function(IMAGES), {model.info.fingerprint}
    for _ in range(2):
        traced.train()
        n_calls, graph, layers = traced.n_calls, model.graph, model.layers
        model.refresh()
        prints.add(model.info.fingerprint)
        assert model.compile("image", names) is function
        assert (model.graph, model.layers) == (graph, layers)
        after = function(IMAGES)
        assert traced.n_calls == n_calls
        for ours, theirs, old in zip(after, traced.predict(*names), before, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
            assert not np.allclose(ours, old, atol=1e-5)
    assert len(prints) == 3


def test_a_model_is_the_same_before_and_after_a_training_that_changed_nothing() -> None:
    traced = Traced()
    model = adopt(traced.network)
    before = model.info
    traced.predict("classes")
    model.refresh()
    assert model.info == before
    kernel = traced.network.get_layer("first").kernel
    kernel.assign(kernel + 1)
    model.refresh()
    assert model.info.fingerprint != before.fingerprint
    kernel.assign(kernel - 1)


def test_analysing_a_model_leaves_its_training_as_it_was() -> None:
    import keras

    weights = []
    for is_watched in (False, True):
        keras.utils.set_random_seed(5)
        traced = Traced()
        traced.train()
        if is_watched:
            adopt(traced.network).compile("image", ["classes"])(IMAGES)
        traced.train()
        weights.append(traced.network.get_weights())
    for alone, watched in zip(*weights, strict=True):
        np.testing.assert_array_equal(alone, watched)


def test_a_snapshot_and_the_file_that_it_is_saved_to_are_one_model(tmp_path: Any) -> None:
    from keras import Sequential, layers

    network = Sequential([layers.Input((6, 6, 3)), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(3)])
    network.save(tmp_path / "net.keras")
    loaded = KerasFileLoader().load(LoadRequest(str(tmp_path / "net.keras")))
    assert adopt(network).info.fingerprint == loaded.info.fingerprint


def test_a_live_model_is_called_and_shown_pixels_as_is_asked(tmp_path: Any) -> None:
    (tmp_path / "classes.txt").write_text("a\nb\nc\n")
    info = adopt(Traced().network, class_names=str(tmp_path / "classes.txt"), preprocessing="unit").info
    assert (info.name, info.source, info.preprocessing) == ("mine", "in memory", "pixels / 255")
    assert info.class_names == ("a", "b", "c")


def test_only_keras_models_are_adopted_and_what_cannot_be_laid_out_says_why(loaders: Any) -> None:
    import keras

    class Subclassed(keras.Model):  # type: ignore[misc]
        def call(self, inputs: Any) -> Any:
            return inputs

    loader = KerasFileLoader()
    assert loader.adopt(object(), LoadRequest("x")) is None
    assert loader.adopt("net.keras", LoadRequest("x")) is None
    with pytest.raises(InputError, match="not a functional or sequential model"):
        loader.adopt(Subclassed(), LoadRequest("x"))
    network = Traced().network
    answers = {entry.name: entry.offer.adopt(network, LoadRequest("x")) for entry in loaders.all(ModelLoader)}
    assert {name for name, answer in answers.items() if answer is not None} == {"keras-file"}


def test_keras_is_not_imported_to_ask_whether_a_network_is_one_of_its_models(monkeypatch: Any) -> None:
    import sys

    monkeypatch.delitem(sys.modules, "keras")
    assert KerasFileLoader().adopt(object(), LoadRequest("x")) is None
    assert "keras" not in sys.modules


def test_what_the_engine_holds_follows_a_refresh(loaders: Any) -> None:
    traced = Traced()
    model = AttributedModel(loaders.get(ModelLoader, "keras-file"), adopt(traced.network))
    before = model.info.fingerprint
    traced.train()
    model.refresh()
    assert model.info.fingerprint != before


def test_a_model_that_cannot_be_refreshed_says_so(load: Any, frozen_graph: Any) -> None:
    with pytest.raises(InputError, match="the weights of model 'small_inception' cannot be read anew"):
        load(frozen_graph).refresh()
