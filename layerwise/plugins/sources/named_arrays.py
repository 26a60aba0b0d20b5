"""Arrays and texts for a model's inputs, by name: what an `.npz`, a CSV table or an object in memory comes to.

The arrays of an `.npz` are called as the model's inputs are; where model and file have one each, names do not matter.
Values go in as they are. What `names` and `labels` hold is read as for pictures, unless an input is called so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from layerwise.core.base.errors import InputError
from layerwise.core.base.words import near_names
from layerwise.core.network.inputs import InputSpec, describe_inputs
from layerwise.core.network.pixels import StimuliReader
from layerwise.core.network.stimuli import DecodedArrays, InputSet, Stimulus
from layerwise.plugins.sources.previews import draw_preview

RESERVED = ("names", "labels")
_SHORTEST = 256  # letters that a text input has at least: sets of texts of a usual length are then run at one length


class NamedInputSet(InputSet):
    """Stimuli whose arrays and texts are rows of readers or lists, one for each input."""

    def __init__(
        self,
        name: str,
        source: str,
        stimuli: Sequence[Stimulus],
        inputs: Sequence[InputSpec],
        columns: Mapping[str, StimuliReader | Sequence[str]],
        notes: Sequence[str] = (),
    ) -> None:
        self.name, self.source, self.stimuli, self.notes = name, source, tuple(stimuli), tuple(notes)
        self._columns = columns
        self.shapes = tuple(_find_shape(columns[spec.name]) for spec in inputs)

    def decode(self, index: int) -> DecodedArrays:
        """The row of each input."""
        arrays = {name: _take(column, index) for name, column in self._columns.items()}
        digest = hashlib.sha256()
        for name in sorted(arrays):
            value = arrays[name]
            kind, content = (
                ("text", value.encode())
                if isinstance(value, str)
                else (f"{value.dtype.str} {value.shape}", value.tobytes())
            )
            digest.update(f"{name}\0{kind} {len(content)};".encode() + content)
        return DecodedArrays(arrays, draw_preview(arrays), digest.hexdigest())


def match_arrays(location: str, arrays: Mapping[str, StimuliReader], inputs: Sequence[InputSpec]) -> dict[str, Any]:
    """The array of each input, by the input's name.

    Raises:
        InputError: If there is none for one, or they have different numbers of rows.
    """
    free = [name for name in arrays if name not in RESERVED]
    wanted = [spec.name for spec in inputs]
    if len(wanted) == 1 and len(free) == 1 and wanted[0] not in arrays:
        chosen = {wanted[0]: arrays[free[0]]}
    else:
        missing = [name for name in wanted if name not in arrays]
        if missing:
            there = ", ".join(f"'{name}'" for name in free) or "nothing"
            raise InputError(
                f"{location} holds {there}, but the model takes {describe_inputs(inputs)}: "
                f"there is no '{missing[0]}'{near_names(missing[0], free)}"
            )
        chosen = {name: arrays[name] for name in wanted}
    counts = {name: array.shape[0] if array.shape else 0 for name, array in chosen.items()}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"'{name}' {count}" for name, count in counts.items())
        raise InputError(f"{location}: inputs have different numbers of stimuli ({listed})")
    if not all(counts.values()):
        raise InputError(f"{location} holds no stimuli")
    return {spec.name: _as_column(location, spec, chosen[spec.name]) for spec in inputs}


def _as_column(location: str, spec: InputSpec, array: StimuliReader) -> StimuliReader | list[str]:
    if not spec.is_text:
        if array.dtype.kind not in "buif":
            raise InputError(f"{location} holds {array.dtype} where the model takes {spec}")
        return array
    values = array.read(0, array.shape[0])
    if values.dtype.kind not in "US" or values.reshape(-1).shape != (array.shape[0],):
        raise InputError(f"{location} holds {values.dtype} of shape {values.shape} where the model takes {spec}")
    return [
        word.decode("utf-8", "replace") if isinstance(word, bytes) else str(word)
        for word in values.reshape(-1).tolist()
    ]


def _find_shape(column: StimuliReader | Sequence[str]) -> tuple[int, ...]:
    if isinstance(column, StimuliReader):
        return tuple(column.shape[1:])
    length = max([len(text) for text in column] + [_SHORTEST])
    return (1 << (length - 1).bit_length(),)


def _take(column: StimuliReader | Sequence[str], index: int) -> Any:
    if isinstance(column, StimuliReader):
        return np.ascontiguousarray(column.read(index, index + 1)[0])
    return column[index]
