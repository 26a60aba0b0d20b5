"""Pixels in a NumPy file: `.npy`, or `.npz` with the labels and names beside them.

The array is (n, height, width, 3), or greyscale as (n, height, width) or (n, height, width, 1), or has its channels
first, or transparency, (n, height, width, 4) of uint8 (`layouts`). Values are in 0..255, or in 0..1 or -1..1, which
the bulk of them tells (`value_range`). Where its size is the one the model wants, values in
0..255 reach the model as they are, from where they lie: only rows that are needed are read from a file (of an `.npz`,
where it is not compressed). Nothing pickled is loaded.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.host.kinds import StimulusSource
from layerwise.core.network.inputs import InputSpec
from layerwise.core.network.pixels import ArrayReader, StimuliReader
from layerwise.core.network.stimuli import Decoded, InputSet, Resize, Stimulus, StimulusSet
from layerwise.plugins.sources.array_files import read_arrays
from layerwise.plugins.sources.files import resolve
from layerwise.plugins.sources.imaging import draw_thumbnail, resize_image, resize_values
from layerwise.plugins.sources.layouts import lay_out_pixels
from layerwise.plugins.sources.named_arrays import NamedInputSet, match_arrays
from layerwise.plugins.sources.texts import name_texts
from layerwise.plugins.sources.value_range import PLAIN, ValueRange, describe_range, find_range

PIXEL_NAMES = ("images", "pixels", "x")
_SHAPES = "(n, height, width, 3), (n, height, width, 1) or (n, height, width)"


class ArraySource(StimulusSource):
    """Pixels in a `.npy` or `.npz` file."""

    name = "array"
    description = "a .npy or .npz array (n, height, width, 3) of pixels in 0..255; labels, names in the .npz"

    def __init__(self, values: ValueRange | None = None) -> None:
        """A source of arrays.

        Args:
            values: The range of their values; None for what the bulk of them says.
        """
        self._values = values

    def in_range(self, low: float, high: float) -> StimulusSource:
        """The same, with this range of values."""
        return ArraySource(ValueRange(low, high, is_chosen=True))

    def accepts(self, location: str) -> bool:
        """Whether the name ends in .npy or .npz."""
        return location.lower().endswith((".npy", ".npz"))

    def open(self, location: str) -> StimulusSet:
        """Check the array's shape and type, and what lies beside it.

        Raises:
            InputError: If it cannot be read, or is not an array of pixels.
        """
        path = resolve(location)
        arrays = read_arrays(path)
        rows, decided = lay_out_pixels(arrays[_find_pixels(location, arrays)])
        pixels = check_pixels(location, rows)
        n_stimuli = pixels.shape[0]
        stimuli = _list_stimuli(location, arrays, n_stimuli)
        return ArrayStimulusSet(
            path.stem, str(path), pixels, stimuli, self._values or find_range(location, pixels), decided
        )

    def adopt(self, stimuli: object) -> StimulusSet | None:
        """Pixels that are an array in memory already; or a tuple of these and of labels, one each.

        Raises:
            InputError: If they have not the shape or the type of pixels, or labels are not one each.
        """
        labels = None
        if isinstance(stimuli, tuple) and len(stimuli) == 2 and isinstance(stimuli[0], np.ndarray):
            stimuli, labels = stimuli[0], np.asarray(stimuli[1])
        if not isinstance(stimuli, np.ndarray):
            return None
        rows, decided = lay_out_pixels(ArrayReader(stimuli, borrowed=True))
        pixels = check_pixels("the array of stimuli", rows)
        listed = _number(pixels.shape[0])
        if labels is not None:
            listed = _label(listed, labels)
        values = self._values or find_range("the array of stimuli", pixels)
        return ArrayStimulusSet("array", "an array in memory", pixels, listed, values, decided)

    def open_inputs(self, location: str, inputs: Sequence[InputSpec]) -> InputSet:
        """For models that take something else than one picture: the arrays called as its inputs are.

        Raises:
            InputError: If it cannot be read, or has nothing for an input.
        """
        path = resolve(location)
        arrays = read_arrays(path)
        columns = match_arrays(location, arrays, inputs)
        stimuli = _list_stimuli(location, arrays, _count(columns), [spec.name for spec in inputs])
        return NamedInputSet(path.stem, str(path), stimuli, inputs, columns)

    def adopt_inputs(self, stimuli: object, inputs: Sequence[InputSpec]) -> InputSet | None:
        """Arrays or texts in memory: one, several by name, or a tuple of these and of labels, one each."""
        given, labels = _split_labels(stimuli)
        if isinstance(given, list) and all(isinstance(text, str) for text in given):
            given = np.asarray(given, dtype=np.str_)
        given = {"": given} if isinstance(given, np.ndarray) else given
        if not isinstance(given, dict) or not all(isinstance(one, np.ndarray) for one in given.values()):
            return None
        readers = {str(name): ArrayReader(array, borrowed=True) for name, array in given.items()}
        columns = match_arrays("what is given", readers, inputs)
        texts = next((column for column in columns.values() if isinstance(column, list)), None)
        listed = _number(_count(columns)) if texts is None else name_texts(texts)
        if labels is not None:
            listed = _label(listed, labels)
        return NamedInputSet("array", "arrays in memory", listed, inputs, columns)

    def list_files(self, location: str) -> Sequence[Path]:
        """The file."""
        return (resolve(location),)


def _list_stimuli(
    location: str, arrays: Mapping[str, StimuliReader], n_stimuli: int, taken: Sequence[str] = ()
) -> list[Stimulus]:
    """The stimuli as the arrays `names` and `labels` call them, unless these are something else."""
    names = None if "names" in taken else _read_words(location, arrays, "names", n_stimuli)
    names = names or [stimulus.name for stimulus in _number(n_stimuli)]
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise InputError(f"{location}: the name '{name}' occurs {count} times")
    labels = None if "labels" in taken else _read_words(location, arrays, "labels", n_stimuli)
    return [Stimulus(name, label or None) for name, label in zip(names, labels or [""] * n_stimuli, strict=True)]


def _split_labels(given: object) -> tuple[Any, NDArray[Any] | None]:
    """What stimuli are, and their labels where it is a tuple of both."""
    if isinstance(given, tuple) and len(given) == 2:
        return given[0], np.asarray(given[1])
    return given, None


def _label(listed: Sequence[Stimulus], labels: NDArray[Any]) -> list[Stimulus]:
    if labels.reshape(-1).shape != (len(listed),):
        raise InputError(f"there are {len(listed)} stimuli and labels of shape {labels.shape}: one each")
    return [Stimulus(s.name, str(label)) for s, label in zip(listed, labels.reshape(-1), strict=True)]


def _count(columns: Mapping[str, Any]) -> int:
    return len(next(iter(columns.values())))


def _number(n_stimuli: int) -> list[Stimulus]:
    """Stimuli that have no names are numbered."""
    width = len(str(n_stimuli - 1))
    return [Stimulus(f"{index:0{width}d}") for index in range(n_stimuli)]


class ArrayStimulusSet(StimulusSet):
    """Pixels in memory or in a file."""

    def __init__(
        self,
        name: str,
        source: str,
        pixels: StimuliReader,
        stimuli: Sequence[Stimulus],
        values: ValueRange = PLAIN,
        layout: str = "",
    ) -> None:
        self.name = name
        self.stimuli = tuple(stimuli)
        self._place = source
        self._pixels = pixels
        self._values = values
        decided = [text for text in (layout, describe_range(values, pixels)) if text]
        said = "; ".join(text.partition(";")[0] for text in decided)
        self.source = f"{source} ({said})" if said else source
        self.notes = tuple(f"{name}: {text}" for text in decided)

    def decode(self, index: int, size: tuple[int, int], resize: Resize) -> Decoded:
        """Check and resize one item; uint8 stays uint8, everything else becomes float32."""
        from PIL import Image

        item = np.ascontiguousarray(self._pixels.read(index, index + 1)[0])
        taken = "" if self._values.is_plain else f"{self._values} "
        digest = hashlib.sha256(f"{taken}{item.dtype.str} {item.shape} ".encode() + item.tobytes()).hexdigest()
        values = _lay_out(self._values.to_pixels(item))
        rounded = Image.fromarray(np.rint(values).astype(np.uint8))
        thumbnail = draw_thumbnail(rounded)
        if values.shape[:2] != size and values.dtype == np.uint8:
            values = np.asarray(resize_image(rounded, size, resize))
        elif values.shape[:2] != size:
            channels = [resize_values(np.ascontiguousarray(values[..., c]), size, resize) for c in range(3)]
            values = np.clip(np.stack(channels, axis=-1), 0, 255)
        return Decoded(values, thumbnail, digest)

    def find_size(self) -> tuple[int, int]:
        """That of the array."""
        height, width = self._pixels.shape[1:3]
        return height, width

    def find_stored(self, size: tuple[int, int]) -> StimuliReader | None:
        """The array itself, if it is what the network wants."""
        fits = self._pixels.shape[1:] == (*size, 3) and self._pixels.dtype in (np.uint8, np.float32)
        # Chosen by hand, values may lie beyond: then they have to be clipped.
        return self._pixels if fits and self._values == PLAIN else None


def check_pixels(location: str, pixels: StimuliReader) -> StimuliReader:
    """The reader itself, if type and shape are those of pixels.

    Raises:
        InputError: If they are not; says what they are.
    """
    shape, kind = pixels.shape, pixels.dtype.kind
    if kind not in "buif":
        raise InputError(f"{location} holds {pixels.dtype}, expected pixels as uint8 or floating point in 0..255")
    if _is_one_picture(shape):
        raise InputError(f"{location} has shape {shape}, which is one picture; a set of them is {_SHAPES}")
    if len(shape) not in (3, 4) or (len(shape) == 4 and shape[-1] not in (1, 3)) or 0 in shape:
        hint = "; channels must come last" if len(shape) == 4 and shape[1] in (1, 3) else ""
        raise InputError(f"{location} has shape {shape}, expected {_SHAPES}{hint}")
    return pixels


def _is_one_picture(shape: tuple[int, ...]) -> bool:
    """Whether three axes are height, width and channels, rather than pictures that are so many pixels wide."""
    if len(shape) != 3:
        return False
    return (shape[2] in (1, 3) and shape[1] > shape[2]) or (shape[2] == 4 and min(shape[:2]) > 2 * shape[2])


def _lay_out(item: NDArray[Any]) -> NDArray[Any]:
    """One item as (height, width, 3)."""
    if item.ndim == 2:
        item = item[..., None]
    return np.ascontiguousarray(np.broadcast_to(item, (*item.shape[:2], 3)))


def _find_pixels(location: str, arrays: Mapping[str, StimuliReader]) -> str:
    """Name of the array that holds the pixels: by name, else the only one in four (or three) dimensions."""
    named = [name for name in PIXEL_NAMES if name in arrays]
    if named or len(arrays) == 1:
        return named[0] if named else next(iter(arrays))
    for n_dimensions in (4, 3):
        found = [name for name, array in arrays.items() if len(array.shape) == n_dimensions]
        if len(found) == 1:
            return found[0]
    there = ", ".join(f"{name} {array.shape}" for name, array in arrays.items()) or "nothing"
    raise InputError(f"{location} holds {there}; call the pixels one of {', '.join(PIXEL_NAMES)}")


def _read_words(location: str, arrays: Mapping[str, StimuliReader], name: str, n_stimuli: int) -> list[str] | None:
    """The array `name` as one word a stimulus, or None where there is none."""
    if name not in arrays:
        return None
    words = arrays[name]
    if words.shape != (n_stimuli,) or words.dtype.kind not in "uiUSb":
        came = f"{words.dtype} of shape {words.shape}"
        raise InputError(f"{location}: {name} is {came}, expected {n_stimuli} words or whole numbers")
    return [
        word.decode("utf-8", "backslashreplace") if isinstance(word, bytes) else str(word)
        for word in words.read(0, n_stimuli).tolist()
    ]
