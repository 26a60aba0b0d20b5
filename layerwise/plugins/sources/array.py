"""Pixels in a NumPy file: `.npy`, or `.npz` with the labels and names beside them.

The array is (n, height, width, 3), or greyscale as (n, height, width) or (n, height, width, 1), in 0..255.
Where its size is the one the model wants, its values reach the model as they are, from where they lie: only rows that
are needed are read from a file (of an `.npz`, where it is not compressed). Nothing pickled is loaded.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError, PixelRangeError, StimulusError
from layerwise.core.host.kinds import StimulusSource
from layerwise.core.network.pixels import ArrayReader, StimuliReader
from layerwise.core.network.stimuli import Decoded, Resize, Stimulus, StimulusSet
from layerwise.plugins.sources.array_files import read_arrays
from layerwise.plugins.sources.files import resolve
from layerwise.plugins.sources.imaging import draw_thumbnail, resize_image, resize_values

PIXEL_NAMES = ("images", "pixels", "x")
_SHAPES = "(n, height, width, 3), (n, height, width, 1) or (n, height, width)"


class ArraySource(StimulusSource):
    """Pixels in a `.npy` or `.npz` file."""

    name = "array"
    description = "a .npy or .npz array (n, height, width, 3) of pixels in 0..255; labels, names in the .npz"

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
        pixels = check_pixels(location, arrays[_find_pixels(location, arrays)])
        n_stimuli = pixels.shape[0]
        names = _read_words(location, arrays, "names", n_stimuli)
        names = names or [stimulus.name for stimulus in _number(n_stimuli)]
        name, count = Counter(names).most_common(1)[0]
        if count > 1:
            raise InputError(f"{location}: the name '{name}' occurs {count} times")
        labels = _read_words(location, arrays, "labels", n_stimuli) or [""] * n_stimuli
        stimuli = [Stimulus(name, label or None) for name, label in zip(names, labels, strict=True)]
        return ArrayStimulusSet(path.stem, str(path), pixels, stimuli)

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
        pixels = check_pixels("the array of stimuli", ArrayReader(stimuli, borrowed=True))
        listed = _number(pixels.shape[0])
        if labels is not None:
            if labels.reshape(-1).shape != (len(listed),):
                raise InputError(f"there are {len(listed)} stimuli and labels of shape {labels.shape}: one each")
            listed = [Stimulus(s.name, str(label)) for s, label in zip(listed, labels.reshape(-1), strict=True)]
        return ArrayStimulusSet("array", "an array in memory", pixels, listed)

    def list_files(self, location: str) -> Sequence[Path]:
        """The file."""
        return (resolve(location),)


def _number(n_stimuli: int) -> list[Stimulus]:
    """Stimuli that have no names are numbered."""
    width = len(str(n_stimuli - 1))
    return [Stimulus(f"{index:0{width}d}") for index in range(n_stimuli)]


class ArrayStimulusSet(StimulusSet):
    """Pixels in memory or in a file."""

    def __init__(self, name: str, source: str, pixels: StimuliReader, stimuli: Sequence[Stimulus]) -> None:
        self.name = name
        self.source = source
        self.stimuli = tuple(stimuli)
        self._pixels = pixels

    def decode(self, index: int, size: tuple[int, int], resize: Resize) -> Decoded:
        """Check and resize one item; uint8 stays uint8, everything else becomes float32."""
        from PIL import Image

        item = np.ascontiguousarray(self._pixels.read(index, index + 1)[0])
        digest = hashlib.sha256(f"{item.dtype.str} {item.shape} ".encode() + item.tobytes()).hexdigest()
        values = _check_values(item)
        rounded = Image.fromarray(np.rint(values).astype(np.uint8))
        thumbnail = draw_thumbnail(rounded)
        if values.shape[:2] != size and values.dtype == np.uint8:
            values = np.asarray(resize_image(rounded, size, resize))
        elif values.shape[:2] != size:
            channels = [resize_values(np.ascontiguousarray(values[..., c]), size, resize) for c in range(3)]
            values = np.clip(np.stack(channels, axis=-1), 0, 255)
        return Decoded(values, thumbnail, digest)

    def find_stored(self, size: tuple[int, int]) -> StimuliReader | None:
        """The array itself, if it is what the network wants."""
        fits = self._pixels.shape[1:] == (*size, 3) and self._pixels.dtype in (np.uint8, np.float32)
        return self._pixels if fits else None


def check_pixels(location: str, pixels: StimuliReader) -> StimuliReader:
    """The reader itself, if type and shape are those of pixels and values are not in 0..1.

    Raises:
        InputError: If they are not; says what they are.
    """
    shape, kind = pixels.shape, pixels.dtype.kind
    if kind not in "uif":
        raise InputError(f"{location} holds {pixels.dtype}, expected pixels as uint8 or floating point in 0..255")
    if len(shape) not in (3, 4) or (len(shape) == 4 and shape[-1] not in (1, 3)) or 0 in shape:
        hint = "; channels must come last" if len(shape) == 4 and shape[1] in (1, 3) else ""
        raise InputError(f"{location} has shape {shape}, expected {_SHAPES}{hint}")
    if kind == "f" and not _any(pixels, lambda block: block > 1) and _any(pixels, lambda block: block > 0):
        raise InputError(f"{location} has values in 0..1, expected pixels in 0..255: multiply by 255")
    return pixels


def _any(pixels: StimuliReader, test: Callable[[NDArray[Any]], NDArray[np.bool_]]) -> bool:
    return any(test(block).any() for block in pixels.blocks())


def _check_values(item: NDArray[Any]) -> NDArray[Any]:
    """One item as (height, width, 3), uint8 or float32."""
    if not np.isfinite(item).all():
        raise StimulusError("has values that are not finite")
    low, high = float(item.min()), float(item.max())
    if low < 0 or high > 255:
        raise PixelRangeError(low, high)
    if item.ndim == 2:
        item = item[..., None]
    kind = np.float32 if item.dtype.kind == "f" else np.uint8
    return np.ascontiguousarray(np.broadcast_to(item.astype(kind), (*item.shape[:2], 3)))


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
