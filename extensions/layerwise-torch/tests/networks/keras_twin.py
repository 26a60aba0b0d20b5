"""The Keras twin of `twin.Twin`, and its weights as PyTorch takes them."""

import numpy as np
import torch

BRANCHES = {
    "a": "1x1",
    "b_reduce": "3x3_reduce",
    "b": "3x3",
    "c_reduce": "5x5_reduce",
    "c": "5x5",
    "pool_proj": "proj",
}


def build_twin():
    """The Keras twin of `twin.Twin`, with random weights."""
    import keras
    from keras import layers

    def conv(x, channels, size, name):
        return layers.Conv2D(channels, size, padding="same", activation="relu", name=name)(x)

    x = source = keras.Input((16, 16, 3), name="input")
    x = layers.MaxPooling2D(2, name="shrunk")(conv(x, 8, 3, "first"))
    branches = [
        conv(x, 4, 1, "1x1"),
        conv(conv(x, 3, 1, "3x3_reduce"), 6, 3, "3x3"),
        conv(conv(x, 2, 1, "5x5_reduce"), 3, 5, "5x5"),
        conv(layers.MaxPooling2D(3, 1, "same", name="arm_pool")(x), 3, 1, "proj"),
    ]
    x = layers.GlobalAveragePooling2D(name="average")(layers.Concatenate(name="mixed")(branches))
    x = layers.Dense(5, name="logits")(x)
    return keras.Model(source, layers.Softmax(name="output")(x))


def translate(keras_network):
    """The Keras network's weights as a state dictionary of `twin.Twin`."""
    names = {"first": "first", "logits": "logits", **{f"mixed.{ours}": theirs for ours, theirs in BRANCHES.items()}}
    state = {}
    for ours, theirs in names.items():
        kernel, bias = keras_network.get_layer(theirs).get_weights()
        moved = kernel.T if kernel.ndim == 2 else kernel.transpose(3, 2, 0, 1)
        state |= {f"{ours}.weight": torch.tensor(np.ascontiguousarray(moved)), f"{ours}.bias": torch.tensor(bias)}
    return state
