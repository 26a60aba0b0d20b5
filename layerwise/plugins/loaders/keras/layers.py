"""Keras layers that Keras has not. Imported only once TensorFlow is wanted."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="layerwise")
class LocalResponseNormalization(keras.layers.Layer):  # type: ignore[misc]
    """Each unit divided by a power of the squares of its neighbours in the channel axis (Krizhevsky et al. 2012).

    `y_c = x_c / (bias + alpha * sum over d in [c - radius, c + radius] of x_d^2) ** beta`. Caffe divides its
    alpha by the number of channels in the window; here it is given divided.
    """

    def __init__(
        self, radius: int = 2, bias: float = 1.0, alpha: float = 1e-4 / 5, beta: float = 0.75, **options: Any
    ) -> None:
        super().__init__(**options)
        self.radius, self.bias, self.alpha, self.beta = radius, bias, alpha, beta

    def call(self, inputs: Any) -> Any:
        """(batch, height, width, channels) to the same shape."""
        return tf.nn.local_response_normalization(inputs, self.radius, self.bias, self.alpha, self.beta)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The layer's settings."""
        own = {"radius": self.radius, "bias": self.bias, "alpha": self.alpha, "beta": self.beta}
        return {**super().get_config(), **own}
