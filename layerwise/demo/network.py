"""The demo's network: GoogLeNet in small, two inception blocks that learn digits within seconds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from layerwise.demo.digits import N_CLASSES, SIZE, Digits
from layerwise.plugins.loaders.tensorflow_setup import import_keras

_BATCH = 16
_LEARNING_RATE = 6e-3  # falls to nothing along a cosine


def build_network(without: Collection[str] = (), size: int = SIZE) -> Any:
    """An untrained Keras model from pixels (size, size, 1) in 0..255 to ten probabilities.

    Args:
        without: Branches that its blocks have not, such as `5x5`.
        size: Height and width of what it sees.
    """
    keras = import_keras()
    layers = keras.layers
    inputs = keras.Input((size, size, 1), name="input")
    tensor = layers.Rescaling(1 / 255, name="scaled")(inputs)
    tensor = layers.Conv2D(16, 3, padding="same", activation="relu", name="conv0")(tensor)
    tensor = layers.MaxPooling2D(2, name="maxpool0")(tensor)
    tensor = _inception(tensor, "mixed1", (8, 24, 12, 8), without)
    tensor = layers.MaxPooling2D(2, name="maxpool1")(tensor)
    tensor = _inception(tensor, "mixed2", (16, 48, 24, 16), without)
    tensor = layers.GlobalAveragePooling2D(name="avgpool")(tensor)
    tensor = layers.Dense(N_CLASSES, name="logits")(tensor)
    return keras.Model(inputs, layers.Softmax(name="output")(tensor), name="digits")


def _inception(tensor: Any, name: str, widths: tuple[int, int, int, int], without: Collection[str]) -> Any:
    """An inception block: 1x1, 3x3 and 5x5 convolutions and a pool side by side.

    Args:
        tensor: What the branches read.
        name: The block's name; the layers of its branches begin with it.
        widths: Channels of the 1x1, 3x3, 5x5 and pool branch.
        without: Branches that are left out.
    """
    layers = import_keras().layers

    def convolve(source: Any, channels: int, size: int, label: str) -> Any:
        layer = layers.Conv2D(channels, size, padding="same", activation="relu", name=f"{name}_{label}")
        return layer(source)

    one, three, five, pool = widths

    def pool_first() -> Any:
        pooled = layers.MaxPooling2D(3, strides=1, padding="same", name=f"{name}_pool_max")(tensor)
        return convolve(pooled, pool, 1, "pool")

    branches = {
        "1x1": lambda: convolve(tensor, one, 1, "1x1"),
        "3x3": lambda: convolve(convolve(tensor, three // 2, 1, "3x3_reduce"), three, 3, "3x3"),
        "5x5": lambda: convolve(convolve(tensor, five // 2, 1, "5x5_reduce"), five, 5, "5x5"),
        "pool": pool_first,
    }
    return layers.Concatenate(name=name)([make() for branch, make in branches.items() if branch not in without])


def train_network(digits: Digits, folder: Path, n_epochs: int, seed: int, callbacks: Sequence[Any] = ()) -> Any:
    """Train from scratch, and save the network untrained and after every epoch: `epoch-0.keras` and so on.

    The same seed gives the same checkpoints on the same machine.

    Args:
        digits: What to learn.
        folder: Where checkpoints are written.
        n_epochs: Number of passes over the digits.
        seed: Of initial weights and of the order of the digits.
        callbacks: Keras callbacks that watch the training.

    Returns:
        The trained Keras model.
    """
    keras = import_keras()
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    network = build_network()
    n_steps = max(1, n_epochs) * -(-len(digits.labels) // _BATCH)
    rate = keras.optimizers.schedules.CosineDecay(_LEARNING_RATE, n_steps, alpha=0.02)
    network.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    pixels = digits.pixels[..., None].astype(np.float32)

    def save(epoch: int, logs: Any = None) -> None:
        del logs
        network.save(folder / f"epoch-{epoch + 1}.keras", include_optimizer=False)

    save(-1)
    saving = keras.callbacks.LambdaCallback(on_epoch_end=save)
    network.fit(pixels, digits.labels, batch_size=_BATCH, epochs=n_epochs, callbacks=[*callbacks, saving], verbose=0)
    return network
