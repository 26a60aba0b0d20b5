"""Tensors of TensorFlow with the few manners of NumPy's arrays that an engine counts on.

A tensor of TensorFlow cannot be written to. So a buffer is made of pieces: what is written is kept as it came, and
what is read is put together then. A piece goes when something else is written in its place.
"""

from __future__ import annotations

import math
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from layerwise.plugins.loaders.tensorflow_setup import import_tensorflow

Place = int | slice | tuple[slice, ...]


class DeviceTensor:
    """A tensor that can be cut and reshaped.

    Attributes:
        tensor: TensorFlow's.
    """

    def __init__(self, tensor: Any) -> None:
        self.tensor = tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        return tuple(self.tensor.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, place: Place) -> DeviceTensor:
        return DeviceTensor(self.tensor[place])

    def reshape(self, *shape: Any) -> DeviceTensor:
        """The same numbers in another shape."""
        return DeviceTensor(import_tensorflow().reshape(self.tensor, _flat(shape)))

    def __iadd__(self, other: DeviceTensor) -> DeviceTensor:
        self.tensor = self.tensor + other.tensor
        return self

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        del copy
        return np.asarray(self.tensor.numpy(), dtype)


class DeviceBuffer:
    """Some cells of a buffer, or all of them.

    Attributes:
        pieces: What has been written to the buffer.
        start: The first cell.
        shape: Of these cells.
    """

    def __init__(self, pieces: Pieces, start: int, shape: tuple[int, ...]) -> None:
        self.pieces, self.start, self.shape = pieces, start, shape

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, place: Any) -> Any:
        if not isinstance(place, slice):
            return self.read()[place]
        first, last, _ = place.indices(len(self))
        row = math.prod(self.shape[1:])
        return DeviceBuffer(self.pieces, self.start + first * row, (max(0, last - first), *self.shape[1:]))

    def reshape(self, *shape: Any) -> DeviceBuffer:
        """The same cells in another shape."""
        wanted = _flat(shape)
        known = math.prod(side for side in wanted if side >= 0)
        n_cells = math.prod(self.shape)
        whole = tuple(side if side >= 0 else n_cells // max(known, 1) for side in wanted)
        return DeviceBuffer(self.pieces, self.start, whole)

    def read(self) -> DeviceTensor:
        """What is in the cells, 0 where nothing was written."""
        flat = self.pieces.read(self.start, self.start + math.prod(self.shape))
        return DeviceTensor(import_tensorflow().reshape(flat, self.shape))

    def write(self, tensor: Any) -> None:
        """Keep float32 numbers in the cells."""
        self.pieces.write(self.start, import_tensorflow().reshape(tensor, [-1]))


class Pieces:
    """Flat float32 tensors by the cell that each begins at; none overlaps another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._starts: list[int] = []
        self._tensors: dict[int, Any] = {}

    def write(self, start: int, tensor: Any) -> None:
        """Keep a tensor from a cell on, in place of what was there."""
        with self._lock:
            self._clear(start, start + len(tensor))
            self._add(start, tensor)

    def read(self, start: int, stop: int) -> Any:
        """One tensor of all that is there."""
        tf = import_tensorflow()
        with self._lock:
            found, cell = [], start
            for first in list(self._between(start, stop)):
                tensor = self._tensors[first]
                begin, end = max(start, first), min(stop, first + len(tensor))
                found += [tf.zeros(begin - cell)] if begin > cell else []
                found.append(tensor[begin - first : end - first])
                cell = end
            found += [tf.zeros(stop - cell)] if cell < stop or not found else []
        return found[0] if len(found) == 1 else tf.concat(found, 0)

    def _between(self, start: int, stop: int) -> Iterator[int]:
        """Where the pieces begin that have cells between the two."""
        place = max(0, bisect_right(self._starts, start) - 1)
        for first in self._starts[place : bisect_left(self._starts, stop)]:
            if first + len(self._tensors[first]) > start:
                yield first

    def _clear(self, start: int, stop: int) -> None:
        for first in list(self._between(start, stop)):
            tensor = self._tensors.pop(first)
            del self._starts[bisect_left(self._starts, first)]
            if first < start:
                self._add(first, tensor[: start - first])
            if first + len(tensor) > stop:
                self._add(stop, tensor[stop - first :])

    def _add(self, start: int, tensor: Any) -> None:
        self._starts.insert(bisect_left(self._starts, start), start)
        self._tensors[start] = tensor


def _flat(shape: tuple[Any, ...]) -> tuple[int, ...]:
    """A shape, given as numbers or as one tuple."""
    return tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], tuple | list) else tuple(shape)
