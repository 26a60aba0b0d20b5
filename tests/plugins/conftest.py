"""Small networks in every format that the loaders read, built here rather than fetched."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerwise.core.host.kinds import ModelLoader
from layerwise.core.host.registry import Registry
from layerwise.core.network.model import LoadRequest, Model
from layerwise.core.runs.loading import load_model


@pytest.fixture(scope="session")
def loaders() -> Registry:
    """A registry with the built-in loaders only."""
    from layerwise.plugins import loaders

    registry = Registry()
    registry.register(loaders, "loaders", "layerwise", "0.1.0")
    return registry


@pytest.fixture(scope="session")
def load(loaders: Registry) -> Callable[..., Model]:
    """Load a model as the command line does: `load(model, weights=..., seed=...)`."""

    def load_as_asked(model: object, **options: Any) -> Model:
        return load_model(loaders, LoadRequest(str(model), **options))[1]

    return load_as_asked


@pytest.fixture(scope="session")
def loader_named(loaders: Registry) -> Callable[[str], ModelLoader]:
    """A built-in loader by its name."""
    return lambda name: loaders.get(ModelLoader, name).offer


@pytest.fixture(scope="session")
def small_network() -> Any:
    """A Keras model with a stem, one inception block and a fused softmax; 12 x 12 RGB in, 5 classes out."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(7)
    x = source = keras.Input((12, 12, 3), name="image")
    x = layers.Conv2D(6, 3, padding="same", name="stem")(x)
    x = layers.BatchNormalization(name="stem_norm")(x)
    x = layers.ReLU(name="stem_relu")(x)
    branches = [
        layers.Conv2D(4, 1, activation="relu", name="a")(x),
        layers.Conv2D(5, 3, padding="same", activation="relu", name="b")(layers.Conv2D(2, 1, name="b_reduce")(x)),
        layers.Conv2D(3, 1, activation="relu", name="c")(layers.MaxPooling2D(3, 1, "same", name="c_pool")(x)),
    ]
    x = layers.Concatenate(name="block")(branches)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    x = layers.Dropout(0.5, name="drop")(x)
    return keras.Model(source, layers.Dense(5, activation="softmax", name="classes")(x), name="small")


@pytest.fixture(scope="session")
def pixels() -> np.ndarray:
    """Four random photos of 12 x 12 pixels."""
    return np.random.default_rng(3).integers(0, 256, (4, 12, 12, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def keras_file(small_network: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small network saved by Keras."""
    path = tmp_path_factory.mktemp("keras") / "small.keras"
    small_network.save(path)
    return path


@pytest.fixture(scope="session")
def saved_model(small_network: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small network exported as a SavedModel folder."""
    path = tmp_path_factory.mktemp("saved") / "small"
    small_network.export(path, verbose=False)
    return path


@pytest.fixture(scope="session")
def frozen_graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A frozen TensorFlow 1 graph with the layout and the names of Inception-5h, in small; 8 x 8 RGB in, 11 out."""
    path = tmp_path_factory.mktemp("frozen") / "small_inception.pb"
    path.write_bytes(_build_frozen_graph().SerializeToString())
    return path


def _build_frozen_graph() -> Any:
    import tensorflow as tf

    v1, random = tf.compat.v1, np.random.default_rng(5)

    def weights(name: str, *shape: int) -> Any:
        return v1.constant(random.normal(0, 0.3, shape).astype(np.float32), name=name)

    def conv(x: Any, size: int, channels: int, name: str) -> Any:
        kernel = weights(f"{name}_w", size, size, x.shape[-1], channels)
        x = v1.nn.conv2d(x, kernel, strides=[1, 1, 1, 1], padding="SAME", name=f"{name}_pre_relu/conv")
        x = v1.nn.bias_add(x, weights(f"{name}_b", channels), name=f"{name}_pre_relu")
        return v1.nn.relu(x, name=name)

    with v1.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 8, 8, 3], name="input")
        x = conv(x, 3, 4, "conv2d0")
        x = v1.nn.max_pool2d(x, 3, 2, "SAME", name="maxpool0")
        x = v1.nn.local_response_normalization(x, 2, 1.0, 2e-5, 0.75, name="localresponsenorm0")
        pooled = v1.nn.max_pool2d(x, 3, 1, "SAME", name="mixed3a_pool")
        branches = [
            conv(x, 1, 3, "mixed3a_1x1"),
            conv(conv(x, 1, 2, "mixed3a_3x3_bottleneck"), 3, 5, "mixed3a_3x3"),
            conv(conv(x, 1, 2, "mixed3a_5x5_bottleneck"), 5, 2, "mixed3a_5x5"),
            conv(pooled, 1, 2, "mixed3a_pool_reduce"),
        ]
        x = v1.concat(branches, 3, name="mixed3a")
        aside = v1.reshape(v1.nn.avg_pool2d(x, 4, 1, "VALID", name="head0_pool"), [-1, 12])
        v1.nn.softmax(v1.matmul(aside, weights("head0_w", 12, 11)), name="softmax0")
        x = v1.nn.max_pool2d(x, 3, 1, "SAME", name="maxpool4")
        x = v1.nn.avg_pool2d(x, 4, 1, "VALID", name="avgpool0")
        x = v1.reshape(x, [-1, 12], name="avgpool0/reshape")
        x = v1.matmul(x, weights("softmax2_w", 12, 11), name="softmax2_pre_activation/matmul")
        x = v1.nn.bias_add(x, weights("softmax2_b", 11), name="softmax2_pre_activation")
        v1.identity(v1.nn.softmax(x, name="softmax2"), name="output2")
    return graph.as_graph_def()


SECONDS_MOST = 400
"""After so long a test of a loader or source has no end: what hangs must fail rather than be waited for."""


@pytest.fixture(autouse=True)
def time_limit() -> Iterator[None]:
    """Fail whatever does not come back, on systems that have alarms."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def fail(*_: object) -> None:
        raise TimeoutError(f"no end after {SECONDS_MOST} seconds")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(SECONDS_MOST)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
