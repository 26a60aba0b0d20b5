"""What goes into a Keras model that takes something else than one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from layerwise.core.base.errors import InputError
from layerwise.core.network.inputs import TEXT, InputSpec
from layerwise.plugins.loaders.tensorflow.inputs import convert, count_values, make_spec
from layerwise.plugins.loaders.tensorflow_setup import import_tensorflow


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
    if getattr(tensor, "sparse", False) or getattr(tensor, "ragged", False):
        raise InputError(f"input '{name}' takes sparse or ragged tensors, which no stimulus can be made into")
    return make_spec(name, str(tensor.dtype), tuple(tensor.shape[1:]))


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
        values = tf.reshape(packed[:, self.first : self.first + count_values(self.spec)], [-1, *sides])
        return convert(values, self.spec.dtype, self.shape)
