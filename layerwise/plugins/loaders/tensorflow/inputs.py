"""What goes into a TensorFlow or Keras model that takes something else than one picture.

The tensor that the engine hands over (`core.network.inputs`) is float32; here it becomes what the model's inputs are:
cast to their types, cut apart where there are several, and texts put together from the numbers of their letters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from layerwise.core.base.errors import InputError
from layerwise.core.network.inputs import TEXT, InputSpec, Shape
from layerwise.plugins.loaders.tensorflow_setup import import_tensorflow

PACKED = "inputs"
"""Name of the node that holds several inputs, one after the other."""
_DEFAULT_LENGTH = 16  # of an axis that is open, until stimuli say how long it is


def make_spec(name: str, dtype: str, declared: Sequence[int | None]) -> InputSpec:
    """An input as its model declares it; axes that are open are of a length that stimuli have yet to say.

    Args:
        name: What the model calls it.
        dtype: Type of its values in NumPy's words, or `string`.
        declared: Its shape without the batch axis.

    Raises:
        InputError: If it takes several texts at once.
    """
    shape = tuple(declared)
    if dtype != TEXT:
        return InputSpec(name, tuple(side or _DEFAULT_LENGTH for side in shape), dtype, shape)
    if shape not in ((), (1,)):
        raise InputError(f"input '{name}' takes {shape} texts at once; only one text a stimulus will do")
    return InputSpec(name, (_DEFAULT_LENGTH,), TEXT, (None,))


def fit_shapes(inputs: Sequence[InputSpec], shapes: Sequence[Shape] | None) -> tuple[InputSpec, ...]:
    """The inputs in the shapes of the stimuli, where these are known."""
    if shapes is None:
        return tuple(inputs)
    return tuple(replace(spec, shape=shape) for spec, shape in zip(inputs, shapes, strict=True))


def convert(values: Any, dtype: Any, shape: Sequence[int | None]) -> Any:
    """Values as they are handed over as a tensor of an input's type; of letters their text, in the input's shape."""
    tf = import_tensorflow()
    if tf.as_dtype(dtype) != tf.string:
        return tf.cast(values, dtype)
    letters = tf.RaggedTensor.from_tensor(tf.cast(values, tf.int32), padding=0)
    texts = tf.ensure_shape(tf.strings.unicode_encode(letters, "UTF-8"), values.shape[:1])
    return tf.reshape(texts, [-1, 1]) if tuple(shape) == (1,) else texts


def count_values(spec: InputSpec) -> int:
    """How much of the tensor that is handed over belongs to an input."""
    return math.prod(spec.shape)
