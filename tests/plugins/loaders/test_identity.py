"""Two models that compute with different numbers are never taken for one; the same model always is.

Each case is a small network with one number in it, as a function of that number: Keras models, frozen graphs,
SavedModels.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.network.model import LoadRequest
from layerwise.plugins.loaders.description import ModelDescription
from layerwise.plugins.loaders.graphdef.files import FrozenGraphLoader, SavedModelLoader
from layerwise.plugins.loaders.keras.files import KerasFileLoader
from layerwise.plugins.loaders.keras.model import KerasModel
from layerwise.plugins.loaders.preprocessing import Preprocessing, affine, find_preprocessing

SIZE = (6, 6, 3)
DTYPES = ("float32", "float16", "bfloat16", "float8_e4m3fn", "int8", "uint8", "int32", "bool")


def hidden(k: Any, x: Any, number: float) -> Any:
    """A layer that holds its number in Python and tells nobody."""

    class Hidden(k.layers.Layer):  # type: ignore[misc]
        def call(self, inputs: Any) -> Any:
            return inputs * number

    return Hidden()(x)


def nested(k: Any, x: Any, number: float) -> Any:
    inside = k.Input(x.shape[1:])
    return k.Model(inside, k.layers.LeakyReLU(number)(inside))(x)


def joined(k: Any, x: Any, step: int) -> Any:
    return k.ops.concatenate([k.layers.ReLU()(x), k.layers.Activation("tanh")(x)][::step], axis=-1)


KERAS_CASES: dict[str, tuple[Callable[[Any, Any, Any], Any], Any, Any]] = {
    "scale of a rescaling": (lambda k, x, n: k.layers.Rescaling(n)(x), 1 / 255, 1 / 25.5),
    "offset of a rescaling": (lambda k, x, n: k.layers.Rescaling(1.0, n)(x), 0.0, 1.0),
    "slope of a leaky ReLU": (lambda k, x, n: k.layers.LeakyReLU(n)(x), 0.1, 0.1001),
    "threshold of a ReLU": (lambda k, x, n: k.layers.ReLU(threshold=n)(x), 0.0, 0.5),
    "epsilon": (lambda k, x, n: k.layers.BatchNormalization(epsilon=n)(x), 1e-3, 1e-5),
    "size of a pool": (lambda k, x, n: k.layers.MaxPooling2D(n, 1, "same")(x), 2, 3),
    "step of a pool": (lambda k, x, n: k.layers.MaxPooling2D(1, n, "same")(x), 3, 4),
    "padding": (lambda k, x, n: k.layers.ZeroPadding2D(n)(x), ((1, 0), (0, 0)), ((0, 1), (0, 0))),
    "cropping": (lambda k, x, n: k.layers.Cropping2D(n)(x), ((1, 0), (0, 0)), ((0, 1), (0, 0))),
    "rows of a slice": (lambda k, x, n: x[:, n], slice(0, 2), slice(2, 4)),
    "step of a slice": (lambda k, x, n: x[:, n], slice(0, 3, 2), slice(0, 4, 2)),
    "constant": (lambda k, x, n: x * n, 1.5, 1.25),
    "exponent": (lambda k, x, n: k.ops.power(x, n), 2.0, 3.0),
    "limit": (lambda k, x, n: k.ops.minimum(x, n), 6.0, 5.0),
    "axis": (lambda k, x, n: k.ops.flip(x, n), 1, 2),
    "element of an array": (lambda k, x, n: k.ops.add(x, np.array([0, 0, n, 0], np.float32)), 0, 1e-3),
    "order of branches": (joined, 1, -1),
    "number in a layer's code": (hidden, 0.5, 0.25),
    "mean": (lambda k, x, n: k.layers.Normalization(mean=[0, 0, 0, n], variance=[1.0] * 4)(x), 0.0, 0.1),
    "word": (
        lambda k, x, n: k.layers.IntegerLookup(vocabulary=[5, n], output_mode="int")(k.ops.cast(x, "int64")) * 1.0,
        6,
        7,
    ),
    "setting of a model inside the model": (nested, 0.1, 0.2),
}


def make(build: Callable[[Any, Any, Any], Any], number: Any, *, counted: int = 0) -> Any:
    """A Keras model: an image, a convolution that is the same every time, and what `build` makes of that.

    Args:
        build: From Keras, a tensor and the number to a tensor.
        number: What it is built with.
        counted: So many layers have been made before, so that Keras gives other names.
    """
    import keras

    keras.backend.clear_session()
    for _ in range(counted):
        keras.layers.Conv2D(1, 1), keras.layers.LeakyReLU(), keras.layers.Rescaling(1)
    keras.utils.set_random_seed(3)
    image = keras.Input(SIZE)
    return keras.Model(image, build(keras, keras.layers.Conv2D(4, 3)(image), number))


def fingerprint(network: Any, preprocessing: Preprocessing | None = None, **description: Any) -> str:
    described = ModelDescription("test", "memory", preprocessing or find_preprocessing("none"), **description)
    return KerasModel(network, described).info.fingerprint


@pytest.mark.parametrize("case", KERAS_CASES)
def test_keras_models_that_differ_in_one_number_are_two(case: str) -> None:
    build, first, second = KERAS_CASES[case]
    one = fingerprint(make(build, first))
    assert one != fingerprint(make(build, second))
    assert one == fingerprint(make(build, first, counted=2))


def holding(dtype: str, values: np.ndarray) -> Any:
    """A Keras model that adds a weight of this type to its input."""
    import keras
    import tensorflow as tf

    content = tf.constant(values.astype(tf.as_dtype(dtype).as_numpy_dtype))

    class Holder(keras.layers.Layer):  # type: ignore[misc]
        def build(self, input_shape: Any) -> None:
            self.held = self.add_weight(
                shape=values.shape, dtype=dtype, initializer=lambda *_, **__: content, trainable=False, autocast=False
            )

        def call(self, inputs: Any) -> Any:
            return inputs + keras.ops.cast(self.held, "float32")

    image = keras.Input(SIZE)
    return keras.Model(image, Holder()(image))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3,), ()])
def test_a_keras_weight_of_any_type_counts_with_each_of_its_numbers(dtype: str, shape: tuple[int, ...]) -> None:
    zeros = np.zeros(shape, int)
    changed = [(zeros.ravel() + row).reshape(shape) for row in np.eye(zeros.size, dtype=int)]
    prints = [fingerprint(holding(dtype, values)) for values in (zeros, *changed)]
    assert len(set(prints)) == len(prints)
    assert fingerprint(holding(dtype, zeros)) == prints[0]


@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
def test_a_quantised_keras_model_has_the_numbers_of_its_own_kernels(mode: str) -> None:
    def quantised(change: float) -> Any:
        network = make(lambda k, x, n: k.layers.Dense(5)(k.layers.Flatten()(x)), None)
        dense = network.layers[-1]
        dense.kernel.assign(dense.kernel + np.eye(*dense.kernel.shape) * change)
        dense.quantize(mode)
        return network

    assert len({fingerprint(quantised(change)) for change in (0.0, 0.0, 0.3)}) == 2


def test_preprocessing_resize_policy_and_input_size_are_part_of_a_model() -> None:
    import keras

    network = make(lambda k, x, n: x, None)
    image = keras.Input((7, 6, 3))
    wider = keras.Model(image, network.layers[1](image))
    found = {
        fingerprint(network),
        fingerprint(network, affine("pixels / 2", (0.5,), (0.0,))),
        fingerprint(network, resize="crop"),
        fingerprint(wider),
    }
    assert len(found) == 4


def test_what_only_training_reads_is_not_part_of_a_model() -> None:
    import keras

    def build(k: Any, x: Any, rate: float) -> Any:
        return k.layers.Dropout(rate, seed=round(10 * rate))(k.layers.ReLU()(x))

    before = fingerprint(make(build, 0.1))
    network = make(build, 0.3)
    network.layers[1].kernel_regularizer = keras.regularizers.L2(0.1)
    network.layers[1].trainable = False
    network(np.zeros((2, *SIZE)), training=True)  # draws from the dropout's own random numbers
    assert fingerprint(network) == before


def build_small(k: Any, x: Any, number: float) -> Any:
    x = k.layers.BatchNormalization()(k.layers.LeakyReLU(number)(x))
    x = k.layers.Rescaling(0.5)(k.layers.Cropping2D(((0, 1), (0, 0)))(x))
    return k.layers.Dense(3, activation="softmax")(k.layers.GlobalAveragePooling2D()(x))


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_keras_model_is_the_same_after_it_is_saved_and_loaded(tmp_path: Path, suffix: str) -> None:
    network = make(build_small, 0.1, counted=3)
    path = tmp_path / f"net.{suffix}"
    network.save(path)
    loaded = KerasFileLoader().load(LoadRequest(str(path)))
    assert loaded.info.fingerprint == fingerprint(network)
    assert loaded.layers[1].name == "conv2d_3"  # its own name, which is no part of the fingerprint


def test_a_keras_model_is_the_same_in_another_process(tmp_path: Path) -> None:
    program = (
        "import sys, json\n"
        "from layerwise.core.network.model import LoadRequest\n"
        "from layerwise.plugins.loaders import register_model_loaders\n"
        "for path in sys.argv[1:]:\n"
        "    loader = next(one for one in register_model_loaders() if one.accepts(path))\n"
        "    print(loader.load(LoadRequest(path)).info.fingerprint)\n"
    )
    network = make(build_small, 0.1)
    keras_file, folder = tmp_path / "net.keras", tmp_path / "net"
    network.save(keras_file)
    network.export(folder, verbose=False)
    paths = [str(keras_file), str(folder)]
    done = subprocess.run([sys.executable, "-c", program, *paths], capture_output=True, text=True, check=True)
    here = [
        loader.load(LoadRequest(path)).info.fingerprint
        for loader, path in zip((KerasFileLoader(), SavedModelLoader()), paths, strict=True)
    ]
    assert done.stdout.split() == here
    assert done.stderr == ""


def saved_model_print(network: Any, folder: Path) -> str:
    network.export(folder, verbose=False)
    return SavedModelLoader().load(LoadRequest(str(folder))).info.fingerprint


@pytest.mark.parametrize(
    "case", ["scale of a rescaling", "rows of a slice", "constant", "mean", "order of branches", "limit"]
)
def test_saved_models_that_differ_in_one_number_are_two(case: str, tmp_path: Path) -> None:
    build, first, second = KERAS_CASES[case]
    networks = (make(build, first), make(build, second), make(build, first, counted=2))
    prints = [saved_model_print(network, tmp_path / str(place)) for place, network in enumerate(networks)]
    assert prints[0] != prints[1]
    assert prints[0] == prints[2]


@pytest.mark.parametrize("dtype", ["bfloat16", "int8"])
def test_a_weight_of_any_type_counts_in_a_saved_model(dtype: str, tmp_path: Path) -> None:
    prints = [
        saved_model_print(holding(dtype, np.array(values)), tmp_path / str(place))
        for place, values in enumerate(([0, 0, 1], [0, 1, 1], [0, 0, 1]))
    ]
    assert prints[0] != prints[1]
    assert prints[0] == prints[2]


def loop(v1: Any, x: Any, number: Any) -> Any:
    """A loop as TensorFlow 1 has it: operations in a circle."""
    return v1.while_loop(lambda i, _: i < number, lambda i, y: (i + 1, y * 1.5), [v1.constant(0), x])[1]


def function(v1: Any, x: Any, number: Any) -> Any:
    import tensorflow as tf

    return tf.function(lambda y: y * number)(x)


GRAPH_CASES: dict[str, tuple[Callable[[Any, Any, Any], Any], Any, Any]] = {
    "one-element constant": (lambda v1, x, n: v1.multiply(x, v1.constant([n])), 1.5, 1.25),
    "scalar": (lambda v1, x, n: v1.add(x, n), 1.5, 1.25),
    "whole number": (lambda v1, x, n: v1.reduce_sum(x, n), 1, 2),
    "attribute": (lambda v1, x, n: v1.nn.leaky_relu(x, n), 0.1, 0.2),
    "type": (lambda v1, x, n: v1.cast(v1.cast(x, n), "float32"), "float16", "bfloat16"),
    "steps of a loop": (loop, 2, 3),
    "number in a function": (function, 2.0, 3.0),
    **{
        f"element of {dtype}": (
            lambda v1, x, n, dtype=dtype: x + v1.cast(v1.cast(v1.constant([0, n, 1], "float32"), dtype), "float32"),
            1.0,
            0.0,
        )
        for dtype in ("int8", "bfloat16", "float8_e4m3fn")
    },
}


def freeze(build: Callable[[Any, Any, Any], Any], number: Any, path: Path, name: str = "net") -> str:
    """The fingerprint of a frozen graph, whose operations are all called after `name`."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Graph().as_default() as graph:
        image = v1.placeholder(tf.float32, [None, *SIZE], name="input")
        with v1.name_scope(name):
            v1.identity(build(v1, image, number), name="end")
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return FrozenGraphLoader().load(LoadRequest(str(path))).info.fingerprint


@pytest.mark.parametrize("case", GRAPH_CASES)
def test_frozen_graphs_that_differ_in_one_number_are_two(case: str, tmp_path: Path) -> None:
    build, first, second = GRAPH_CASES[case]
    one = freeze(build, first, tmp_path / "one.pb")
    assert one != freeze(build, second, tmp_path / "other.pb")
    assert one == freeze(build, first, tmp_path / "again.pb", name="called_otherwise")


def test_a_setting_that_nothing_can_be_told_of_is_an_error_rather_than_passed_over(frozen_graph: Path) -> None:
    from layerwise.plugin import fingerprint_model

    model = FrozenGraphLoader().load(LoadRequest(str(frozen_graph)))
    with pytest.raises(TypeError, match="a object cannot be part of a fingerprint"):
        fingerprint_model(model.graph, {"input": object()}, (), "none")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    ),
    st.recursive(st.integers(0, 3) | st.text(max_size=2), st.lists, max_leaves=4),
)
def test_values_hash_alike_only_if_they_are_the_same(first: object, second: object) -> None:
    from layerwise.plugins.loaders.fingerprint import digest_value

    same = repr(first) == repr(second)
    assert (digest_value(first) == digest_value(second)) is same
