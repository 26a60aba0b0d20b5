"""GoogLeNet (Szegedy et al. 2015) in its Caffe variant, as a Keras model with the names of the published analysis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from layerwise.plugins.loaders.tensorflow_setup import import_keras

MAIN = (
    "input",
    "conv2d0",
    "maxpool0",
    "conv2d1",
    "conv2d2",
    "maxpool1",
    *(f"mixed3{letter}" for letter in "ab"),
    "maxpool4",
    *(f"mixed4{letter}" for letter in "abcde"),
    "maxpool10",
    *(f"mixed5{letter}" for letter in "ab"),
    "avgpool0",
    "logits",
    "output",
)
"""The layers of the published analysis, and the logits, which that left out."""

MEAN_BGR = (104.0, 117.0, 123.0)
INPUT_SHAPE = (224, 224, 3)
N_CLASSES = 1000


@dataclass(frozen=True)
class InceptionBlock:
    """One of its blocks: its name here and in Caffe, and the channels of its convolutions."""

    name: str
    caffe: str
    c1x1: int
    c3x3_reduce: int
    c3x3: int
    c5x5_reduce: int
    c5x5: int
    pool: int


BLOCKS = tuple(
    InceptionBlock(f"mixed{place}", f"inception_{place}", *channels)
    for place, channels in (
        ("3a", (64, 96, 128, 16, 32, 32)),
        ("3b", (128, 128, 192, 32, 96, 64)),
        ("4a", (192, 96, 208, 16, 48, 64)),
        ("4b", (160, 112, 224, 24, 64, 64)),
        ("4c", (128, 128, 256, 24, 64, 64)),
        ("4d", (112, 144, 288, 32, 64, 64)),
        ("4e", (256, 160, 320, 32, 128, 128)),
        ("5a", (256, 160, 320, 32, 128, 128)),
        ("5b", (384, 192, 384, 48, 128, 128)),
    )
)
_POOL_BEFORE = {"mixed4a": "maxpool4", "mixed5a": "maxpool10"}
_CONVOLUTIONS = ("1x1", "3x3_reduce", "3x3", "5x5_reduce", "5x5", "pool_proj")


def caffe_names() -> dict[str, str]:
    """The Caffe layer whose weights each Keras layer has, in order of computation."""
    names = {"conv2d0": "conv1/7x7_s2", "conv2d1": "conv2/3x3_reduce", "conv2d2": "conv2/3x3"}
    for block in BLOCKS:
        names |= {f"{block.name}_{name}": f"{block.caffe}/{name}" for name in _CONVOLUTIONS}
    return {**names, "logits": "loss3/classifier"}


def build_googlenet() -> Any:
    """The network, with freshly initialised weights.

    Its input is 224 x 224 BGR minus the mean. Max-pools of stride 2 round up, which for its sizes is what `same`
    padding does; the first convolution pads three on every side, which is not.
    """
    keras = import_keras()
    layers = keras.layers
    x = source = keras.Input(INPUT_SHAPE, name="input")
    x = layers.ZeroPadding2D(3, name="conv2d0_pad")(x)
    x = layers.Conv2D(64, 7, strides=2, activation="relu", name="conv2d0")(x)
    x = layers.MaxPooling2D(3, 2, "same", name="maxpool0")(x)
    x = _normalisation_class()(name="localresponsenorm0")(x)
    x = _conv(x, 64, 1, "conv2d1")
    x = _conv(x, 192, 3, "conv2d2")
    x = _normalisation_class()(name="localresponsenorm1")(x)
    x = layers.MaxPooling2D(3, 2, "same", name="maxpool1")(x)
    for block in BLOCKS:
        if block.name in _POOL_BEFORE:
            x = layers.MaxPooling2D(3, 2, "same", name=_POOL_BEFORE[block.name])(x)
        x = _add_block(x, block)
    x = layers.GlobalAveragePooling2D(name="avgpool0")(x)
    x = layers.Dense(N_CLASSES, name="logits")(x)
    return keras.Model(source, layers.Softmax(name="output")(x), name="googlenet")


def _conv(x: Any, channels: int, size: int, name: str) -> Any:
    layers = import_keras().layers
    return layers.Conv2D(channels, size, padding="same", activation="relu", name=name)(x)


def _add_block(x: Any, block: InceptionBlock) -> Any:
    layers = import_keras().layers
    name = block.name
    branches = [
        _conv(x, block.c1x1, 1, f"{name}_1x1"),
        _conv(_conv(x, block.c3x3_reduce, 1, f"{name}_3x3_reduce"), block.c3x3, 3, f"{name}_3x3"),
        _conv(_conv(x, block.c5x5_reduce, 1, f"{name}_5x5_reduce"), block.c5x5, 5, f"{name}_5x5"),
        _conv(layers.MaxPooling2D(3, 1, "same", name=f"{name}_pool")(x), block.pool, 1, f"{name}_pool_proj"),
    ]
    return layers.Concatenate(name=name)(branches)


def _normalisation_class() -> Any:
    from layerwise.plugins.loaders.keras.layers import LocalResponseNormalization

    return LocalResponseNormalization
