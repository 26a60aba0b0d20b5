"""Keras networks put together at random: the numbers are Keras's, and two that differ in one thing are two."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layerwise.core.network.model import LoadRequest
from layerwise.plugins.loaders.keras.files import KerasFileLoader

PICTURES = np.random.default_rng(8).integers(0, 256, (3, 6, 6, 3)).astype(np.float32)
FEW, MANY = 3, 60
Build = Callable[[Any, Any, float], Any]

PARTS: dict[str, Build] = {
    "convolution": lambda L, x, n: L.Conv2D(4, 3, padding="same", activation="relu")(x),
    "depthwise": lambda L, x, n: L.DepthwiseConv2D(3, padding="same")(x),
    "dense": lambda L, x, n: L.Dense(5, activation="tanh")(x),
    "leaky": lambda L, x, n: L.LeakyReLU(n)(x),
    "scaled": lambda L, x, n: L.Rescaling(n, 0.1)(x),
    "constant": lambda L, x, n: x * n + 1.0,
    "clipped": lambda L, x, n: L.ReLU(max_value=1 + n)(x),
    "normalised": lambda L, x, n: L.LayerNormalization(epsilon=n)(x),
    "batch norm": lambda L, x, n: L.BatchNormalization(epsilon=n)(x),
    "pool": lambda L, x, n: L.MaxPooling2D(2, 1, padding="same")(x),
    "dropout": lambda L, x, n: L.Dropout(0.5)(x),
    "turned": lambda L, x, n: L.Permute((2, 1, 3))(x),
    "halves": lambda L, x, n: L.Concatenate(axis=1)([x[:, 3:], x[:, :3]]),
    "branches": lambda L, x, n: L.Concatenate()([L.Conv2D(2, 1)(x), L.Conv2D(3, 3, padding="same")(x)]),
    "skip": lambda L, x, n: L.Add()([x, L.Activation("tanh")(x)]),
    "rows read": lambda L, x, n: L.Reshape((6, 6, 4))(
        L.TimeDistributed(L.Dense(24))(L.LSTM(5, return_sequences=True)(L.Reshape((6, -1))(x)))
    ),
}
HOLDING = ("leaky", "scaled", "constant", "clipped", "normalised", "batch norm")
"""Parts in which the number counts."""


def make(names: list[str], numbers: list[float]) -> Any:
    """A network of these parts, one after the other; the weights are the same every time."""
    import keras
    from keras import layers

    keras.backend.clear_session()
    keras.utils.set_random_seed(4)
    tensor = image = keras.Input((6, 6, 3), name="image")
    tensor = layers.Rescaling(1 / 127.5, -1)(tensor)
    for name, number in zip(names, numbers, strict=True):
        tensor = PARTS[name](layers, tensor, number)
    return keras.Model(image, layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(tensor)))


def load(network: Any) -> Any:
    return KerasFileLoader().adopt(network, LoadRequest("random"))


def check_values(names: list[str]) -> None:
    network = make(names, [0.25] * len(names))
    model = load(network)
    expected = network.predict(PICTURES, verbose=0)
    (whole,) = model.compile(model.graph.input, [model.graph.output])(PICTURES)
    np.testing.assert_allclose(whole, expected, rtol=1e-4, atol=1e-5)
    values = PICTURES
    for start, end in pairwise(model.graph.cut_points()):
        (values,) = model.compile(start, [end])(values)
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-5)


def check_pair(names: list[str], place: int, what: str) -> None:
    """Another number, another weight, or another part at one place make another network; none of them does not."""
    if what == "number":
        names = [*names[:place], HOLDING[len(names[0]) % len(HOLDING)], *names[place:]]
    numbers = [0.25] * len(names)
    before = load(make(names, numbers)).info.fingerprint
    assert load(make(names, numbers)).info.fingerprint == before
    if what == "number":
        network = make(names, [*numbers[:place], 0.25001, *numbers[place + 1 :]])
    elif what == "weight":
        network = make(names, numbers)
        variable = network.weights[place % len(network.weights)]
        values = np.array(variable)
        values.flat[place % values.size] += 1e-3
        variable.assign(values)
    else:
        others = [name for name in PARTS if name not in (names[place], "dropout")]
        swapped = [*names[:place], others[place % len(others)], *names[place + 1 :]]
        network = make(swapped, numbers)
    assert load(network).info.fingerprint != before


NAMES = st.lists(st.sampled_from(sorted(PARTS)), min_size=2, max_size=4)
PAIRS = (NAMES, st.integers(0, 1), st.sampled_from(["number", "weight", "part"]))
quick = settings(
    max_examples=FEW, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
long = settings(quick, max_examples=MANY, derandomize=False)


@given(NAMES)
@quick
def test_a_random_network_gives_what_keras_gives(names: list[str]) -> None:
    check_values(names)


@given(*PAIRS)
@quick
def test_random_networks_that_differ_in_one_thing_are_two(names: list[str], place: int, what: str) -> None:
    check_pair(names, place, what)


@pytest.mark.slow
@given(NAMES)
@long
def test_many_random_networks_give_what_keras_gives(names: list[str]) -> None:
    check_values(names)


@pytest.mark.slow
@given(*PAIRS)
@long
def test_many_random_pairs_of_networks_are_two(names: list[str], place: int, what: str) -> None:
    check_pair(names, place, what)
