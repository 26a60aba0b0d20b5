"""Every kind of Keras layer gives what Keras gives, in one piece and cut wherever the network can be cut."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from layerwise.core.network.model import LoadRequest
from layerwise.plugins.loaders.keras.files import KerasFileLoader

PICTURES = np.random.default_rng(8).integers(0, 256, (3, 8, 8, 3)).astype(np.float32)
Build = Callable[[Any, Any], Any]


def rows(layers: Any, x: Any) -> Any:
    return layers.Reshape((8, 24))(x)


def cube(layers: Any, x: Any) -> Any:
    return layers.Reshape((4, 4, 4, 3))(x)


def frames(layers: Any, x: Any) -> Any:
    return layers.Reshape((2, 4, 8, 3))(x)


ON_PICTURES: dict[str, Build] = {
    **{
        name: lambda L, x, name=name: getattr(L, name)(4, 3)(x)
        for name in ("Conv2D", "Conv2DTranspose", "SeparableConv2D")
    },
    **{
        name: lambda L, x, name=name: getattr(L, name)()(x)
        for name in (
            *("Flatten", "ReLU", "LeakyReLU", "ELU", "PReLU", "Softmax"),
            *("ActivityRegularization", "Identity"),
            *("BatchNormalization", "LayerNormalization", "UnitNormalization", "RMSNormalization"),
            *("GlobalAveragePooling2D", "GlobalMaxPooling2D", "MaxPooling2D"),
            *("ZeroPadding2D", "Cropping2D", "UpSampling2D"),
        )
    },
    **{
        f"activation {name}": lambda L, x, name=name: L.Activation(name)(x)
        for name in (
            *("relu6", "gelu", "silu", "mish", "selu", "softplus", "softsign", "tanh", "sigmoid", "hard_sigmoid"),
            *("hard_silu", "exponential", "log_sigmoid", "celu", "hard_tanh", "squareplus", "sparse_plus"),
            *("log_softmax", "softmax", "linear", "tanh_shrink", "soft_shrink", "hard_shrink"),
        )
    },
    **{
        name: lambda L, x, name=name: getattr(L, name)(0.3)(x)
        for name in ("Dropout", "SpatialDropout2D", "GaussianNoise", "GaussianDropout", "AlphaDropout")
    },
    "AveragePooling2D": lambda L, x: L.AveragePooling2D(2, padding="same")(x),
    "DepthwiseConv2D": lambda L, x: L.DepthwiseConv2D(3, 2)(x),
    "dilated Conv2D": lambda L, x: L.Conv2D(4, 3, dilation_rate=2)(x),
    "grouped Conv2D": lambda L, x: L.Conv2D(6, 3, groups=3)(x),
    "GroupNormalization": lambda L, x: L.GroupNormalization(3)(x),
    "Normalization": lambda L, x: L.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.0, 2.0, 3.0])(x),
    "SpectralNormalization": lambda L, x: L.SpectralNormalization(L.Conv2D(4, 3))(x),
    "Permute": lambda L, x: L.Permute((3, 1, 2))(x),
    "Resizing": lambda L, x: L.Resizing(5, 6)(x),
    "CenterCrop": lambda L, x: L.CenterCrop(5, 5)(x),
    "RandomFlip": lambda L, x: L.RandomFlip()(x),
    "RandomRotation": lambda L, x: L.RandomRotation(0.2)(x),
    "Pipeline": lambda L, x: L.Pipeline([L.RandomFlip(), L.RandomRotation(0.2)])(x),
    "Dense": lambda L, x: L.Dense(4)(x),
    "EinsumDense": lambda L, x: L.EinsumDense("abcd,de->abce", (None, 8, 4))(x),
    "Discretization": lambda L, x: L.Discretization([-0.5, 0.0, 0.5])(x),
    "merges": lambda L, x: L.Average()([L.Add()([x, x]), L.Multiply()([x, x]), L.Maximum()([x, L.ReLU()(x)])]),
    "Minimum and Subtract": lambda L, x: L.Subtract()([L.Minimum()([x, L.ReLU()(x)]), x]),
    "Dot": lambda L, x: L.Dot(axes=2, normalize=True)([L.Reshape((8, 24))(x), L.Reshape((4, 48))(x)[..., :24]]),
    "Concatenate of heights": lambda L, x: L.Concatenate(axis=1)([x, L.ReLU()(x)]),
    "RepeatVector": lambda L, x: L.RepeatVector(3)(L.Flatten()(x)),
}
ON_ROWS: dict[str, Build] = {
    **{name: lambda L, x, name=name: getattr(L, name)(4)(x) for name in ("LSTM", "GRU", "SimpleRNN")},
    **{
        f"all steps of {name}": lambda L, x, name=name: getattr(L, name)(4, return_sequences=True)(x)
        for name in ("LSTM", "GRU", "SimpleRNN")
    },
    "Bidirectional": lambda L, x: L.Bidirectional(L.LSTM(3, return_sequences=True))(x),
    "backwards": lambda L, x: L.GRU(3, go_backwards=True)(x),
    "stacked cells": lambda L, x: L.RNN([L.LSTMCell(3), L.GRUCell(4)])(x),
    "masked": lambda L, x: L.LSTM(3)(L.Masking(0.0)(x)),
    "TimeDistributed": lambda L, x: L.TimeDistributed(L.Dense(3))(x),
    "MultiHeadAttention": lambda L, x: L.MultiHeadAttention(2, 4)(x, x),
    "causal attention": lambda L, x: L.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True),
    "GroupedQueryAttention": lambda L, x: L.GroupQueryAttention(4, 4, 2)(x, x),
    "Attention": lambda L, x: L.Attention()([x, L.ReLU()(x)]),
    "AdditiveAttention": lambda L, x: L.AdditiveAttention()([x, L.ReLU()(x)]),
    "Conv1D": lambda L, x: L.Conv1D(4, 3, padding="causal")(x),
    "Conv1DTranspose": lambda L, x: L.Conv1DTranspose(4, 3)(x),
    "SeparableConv1D": lambda L, x: L.SeparableConv1D(4, 3)(x),
    "MaxPooling1D": lambda L, x: L.MaxPooling1D()(x),
    "UpSampling1D": lambda L, x: L.UpSampling1D()(x),
    "GlobalAveragePooling1D": lambda L, x: L.GlobalAveragePooling1D()(x),
}
ON_CUBES: dict[str, Build] = {
    "Conv3D": lambda L, x: L.Conv3D(4, 2)(x),
    "Conv3DTranspose": lambda L, x: L.Conv3DTranspose(4, 2)(x),
    "MaxPooling3D": lambda L, x: L.MaxPooling3D()(x),
    "AveragePooling3D": lambda L, x: L.AveragePooling3D(2)(x),
    "ZeroPadding3D": lambda L, x: L.ZeroPadding3D()(x),
    "GlobalMaxPooling3D": lambda L, x: L.GlobalMaxPooling3D()(x),
}
ON_FRAMES: dict[str, Build] = {
    "ConvLSTM2D": lambda L, x: L.ConvLSTM2D(3, 2)(x),
    "TimeDistributed Conv2D": lambda L, x: L.TimeDistributed(L.Conv2D(3, 2))(x),
}
ZOO: dict[str, tuple[Build | None, Build]] = {
    **{name: (None, build) for name, build in ON_PICTURES.items()},
    **{name: (rows, build) for name, build in ON_ROWS.items()},
    **{name: (cube, build) for name, build in ON_CUBES.items()},
    **{name: (frames, build) for name, build in ON_FRAMES.items()},
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ZOO)
def test_a_layer_gives_what_keras_gives(kind: str) -> None:
    import keras
    from keras import layers

    keras.utils.set_random_seed(9)
    shaped, build = ZOO[kind]
    image = keras.Input((8, 8, 3), name="image")
    scaled = layers.Rescaling(1 / 127.5, -1)(image)
    tensor = build(layers, scaled if shaped is None else shaped(layers, scaled))
    network = keras.Model(image, layers.Activation("tanh")(tensor) if "float" in tensor.dtype else tensor)
    model = KerasFileLoader().adopt(network, LoadRequest("zoo"))
    assert model is not None
    expected = network.predict(PICTURES, verbose=0)
    (whole,) = model.compile(model.graph.input, [model.graph.output])(PICTURES)
    np.testing.assert_allclose(whole, expected, rtol=1e-4, atol=1e-5)
    values = PICTURES
    for start, end in pairwise(model.graph.cut_points()):
        (values,) = model.compile(start, [end])(values)
        assert values.shape == (3, *model.graph[end].shape)
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-5)
