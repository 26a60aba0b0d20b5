"""What goes into a model that takes something else than one picture: arrays and texts, by name.

The engine knows one tensor of float32 that goes into the first segment. Where a model has one input of numbers, that
is this input; where it has several, they lie in it one after the other, each flat, and the model cuts them apart.
A text is its letters' numbers in Unicode, filled up with zeros to the length of the longest one, which the model
makes a string of again. Whole numbers up to 2^24 come through unchanged, and larger ones are refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from layerwise.core.base.errors import StimulusError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TEXT = "string"
"""Type of an input that takes texts."""
_LARGEST = 2**24  # up to here float32 holds every whole number

Shape: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class InputSpec:
    """One input of a model that takes something else than one picture. Provisional until 1.0.

    Attributes:
        name: What the model calls it; unique.
        shape: Shape for one stimulus, as the model was loaded; of a text the number of its letters.
        dtype: Type of the values in NumPy's words, or `string` for a text.
        declared: The shape as the model declares it, None for axes of any length; by default it declares no others.
    """

    name: str
    shape: Shape
    dtype: str = "float32"
    declared: tuple[int | None, ...] | None = None

    @property
    def is_text(self) -> bool:
        """Whether it takes texts."""
        return self.dtype == TEXT

    @property
    def is_open(self) -> bool:
        """Whether an axis has any length."""
        return self.declared is not None and None in self.declared

    def allows(self, shape: Sequence[int]) -> bool:
        """Whether stimuli of this shape can go in."""
        wanted = self.shape if self.declared is None else self.declared
        fits = zip(wanted, shape, strict=False)
        return len(wanted) == len(shape) and all(side in (None, given) for side, given in fits)

    def __str__(self) -> str:
        kind = "text" if self.is_text else self.dtype
        wanted = self.shape if self.declared is None else self.declared
        sides = " x ".join("any" if side is None else str(side) for side in wanted) or "one number"
        return f"'{self.name}' ({kind})" if self.is_text else f"'{self.name}' ({sides}, {kind})"


def describe_inputs(inputs: Sequence[InputSpec]) -> str:
    """What a model takes, in words."""
    return ", ".join(map(str, inputs))


def packed_shape(inputs: Sequence[InputSpec]) -> Shape:
    """The shape, without the batch axis, of the tensor that goes into the first segment."""
    return inputs[0].shape if len(inputs) == 1 else (sum(math.prod(spec.shape) for spec in inputs),)


def pack(inputs: Sequence[InputSpec], arrays: Mapping[str, Any]) -> NDArray[np.float32]:
    """One stimulus as the tensor that goes into the first segment.

    Args:
        inputs: The inputs.
        arrays: For each of them an array of its shape, or a text.

    Raises:
        StimulusError: If an array is missing, has another shape, or holds what the input does not take.
    """
    import numpy as np

    parts = [_convert(spec, arrays) for spec in inputs]
    return parts[0] if len(parts) == 1 else np.concatenate([part.reshape(-1) for part in parts])


def spell(text: str) -> list[int]:
    """The numbers of a text's letters.

    Raises:
        StimulusError: If one of them is NUL, which is what texts are filled up with.
    """
    if "\0" in text:
        raise StimulusError("contains NUL, which is no letter")
    return [ord(letter) for letter in text]


def _convert(spec: InputSpec, arrays: Mapping[str, Any]) -> NDArray[np.float32]:
    import numpy as np

    if spec.name not in arrays:
        raise StimulusError(f"has nothing for input {spec}")
    if spec.is_text:
        return _convert_text(spec, arrays[spec.name])
    values = np.asarray(arrays[spec.name])
    if values.dtype.kind not in "buif":
        raise StimulusError(f"gives {values.dtype} to input {spec}")
    if values.shape != spec.shape:
        raise StimulusError(f"gives an array of shape {values.shape} to input {spec}")
    if not np.isfinite(values).all():
        raise StimulusError(f"has values for input '{spec.name}' that are not finite")
    _check_whole(spec, values)
    return np.ascontiguousarray(values, np.float32)


def _check_whole(spec: InputSpec, values: NDArray[Any]) -> None:
    import numpy as np

    if not spec.dtype.startswith(("int", "uint", "bool")) or not values.size:
        return
    if values.dtype.kind == "f" and (values != np.rint(values)).any():
        raise StimulusError(f"gives fractions to input {spec}")
    low, high = float(values.min()), float(values.max())
    known = np.iinfo(spec.dtype) if spec.dtype != "bool" else None
    smallest, largest = (0, 1) if known is None else (max(known.min, -_LARGEST), min(known.max, _LARGEST))
    if low < smallest or high > largest:
        raise StimulusError(f"gives values from {low:.0f} to {high:.0f} to input {spec}: {smallest} to {largest} go")


def _convert_text(spec: InputSpec, text: Any) -> NDArray[np.float32]:
    import numpy as np

    letters = spell(str(text))
    length = spec.shape[0]
    if len(letters) > length:
        raise StimulusError(f"is a text of {len(letters)} letters, longer than {length}")
    padded = np.zeros(length, np.float32)
    padded[: len(letters)] = letters
    return padded
