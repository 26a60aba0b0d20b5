"""What goes into a Keras model that takes something else than one picture.

The tensor that the engine hands over (`core.network.inputs`) is float32; here it becomes what the model's inputs are:
cast to their types, cut apart where there are several, and texts put together from the numbers of their letters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from layerwise.core.base.errors import InputError
from layerwise.core.network.inputs import TEXT, InputSpec
from layerwise.plugins.loaders.tensorflow_setup import import_tensorflow

PACKED = "inputs"
"""Name of the node that holds several inputs, one after the other."""
_DEFAULT_LENGTH = 16  # of an axis that is open, until stimuli say how long it is


def is_image(model: Any) -> bool:
    """Whether a model takes one picture: (height, width, 1 or 3), with any height and width."""
    if len(model.inputs) != 1:
        return False
    (source,) = model.inputs
    return len(source.shape) == 4 and source.shape[3] in (1, 3) and source.dtype != TEXT


def read_inputs(model: Any, names: Sequence[str]) -> tuple[InputSpec, ...]:
    """The inputs of a Keras model; axes that it leaves open are of a length that stimuli have yet to say.

    Args:
        model: A functional or sequential model.
        names: What its inputs are called, in order.

    Raises:
        InputError: If one takes several texts at once, or is sparse.
    """
    return tuple(_read_input(tensor, name) for tensor, name in zip(model.inputs, names, strict=True))


def _read_input(tensor: Any, name: str) -> InputSpec:
    shape = tuple(tensor.shape[1:])
    guessed = tuple(side or _DEFAULT_LENGTH for side in shape)
    if getattr(tensor, "sparse", False) or getattr(tensor, "ragged", False):
        raise InputError(f"input '{name}' takes sparse or ragged tensors, which no stimulus can be made into")
    if tensor.dtype != TEXT:
        return InputSpec(name, guessed, str(tensor.dtype), shape)
    if shape not in ((), (1,)):
        raise InputError(f"input '{name}' takes {shape} texts at once; only one text a stimulus will do")
    return InputSpec(name, (_DEFAULT_LENGTH,), TEXT, (None,))


def fit_shapes(inputs: Sequence[InputSpec], shapes: Sequence[tuple[int, ...]] | None) -> tuple[InputSpec, ...]:
    """The inputs in the shapes of the stimuli, where these are known."""
    if shapes is None:
        return tuple(inputs)
    return tuple(replace(spec, shape=shape) for spec, shape in zip(inputs, shapes, strict=True))


@dataclass(frozen=True)
class InputSlice:
    """Cuts one input out of the tensor that holds several, as an operation that a call can be of.

    Attributes:
        spec: Which input.
        first: Where it begins.
        shape: The shape that the model's input has.
    """

    spec: InputSpec
    first: int
    shape: tuple[int | None, ...]

    def __call__(self, packed: Any) -> Any:
        """(batch, all inputs) to the input, in its type."""
        tf = import_tensorflow()
        sides = self.spec.shape
        values = tf.reshape(packed[:, self.first : self.first + math.prod(sides)], [-1, *sides])
        return convert(values, self.spec.dtype, self.shape)


def convert(values: Any, dtype: str, shape: Sequence[int | None]) -> Any:
    """Values as they are handed over as a tensor of an input's type; of letters their text, in the input's shape."""
    tf = import_tensorflow()
    if dtype != TEXT:
        return tf.cast(values, dtype)
    letters = tf.RaggedTensor.from_tensor(tf.cast(values, tf.int32), padding=0)
    texts = tf.strings.unicode_encode(letters, "UTF-8")
    return tf.reshape(texts, [-1, 1]) if tuple(shape) == (1,) else texts
