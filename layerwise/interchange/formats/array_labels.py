"""Which arrays of a file name stimuli or layers, and which are data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.interchange.checks import triangle_side
from layerwise.interchange.content import LAYER_KEYS
from layerwise.interchange.exported import METRIC
from layerwise.interchange.labels import FoundLabels, is_list, is_name_key, read_label_array

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class SplitArrays:
    """The arrays of a file, told apart.

    Attributes:
        data: Numbers with one to three axes: matrices or activations.
        stimuli: What may name the stimuli.
        layers: Names of the matrices of the only array of data; None where there are none.
        doubts: Why it cannot be told what an array of data is, by its key.
    """

    data: dict[str, NDArray[Any]]
    stimuli: tuple[FoundLabels, ...]
    layers: tuple[str, ...] | None
    doubts: dict[str, str]


def split_arrays(arrays: Arrays, column: str | None = None) -> SplitArrays:
    """Tell names from data.

    Texts are names. A list of numbers is one of names if it is called like that and has a value for each stimulus of
    the other arrays, or if the user says so.

    Args:
        arrays: Arrays of texts and numbers.
        column: The array that the user says has the stimuli's names.
    """
    numbers = {key: array for key, array in arrays.items() if array.dtype.kind in "fiub" and 1 <= array.ndim <= 3}
    lists = {key for key, array in numbers.items() if is_list(array)}
    sides = {side for key, array in numbers.items() if not _may_name(key, lists) for side in _sides(array)}
    names = {key for key in lists if key == column or (is_name_key(key) and _is_of_stimuli(numbers[key], sides))}
    data = {key: array for key, array in numbers.items() if key not in names}
    layers = _find_layers(arrays, data)
    if layers is not None:
        data.pop(layers.key, None)
    found = tuple(
        read_label_array(key, array)
        for key, array in arrays.items()
        if key in names or (key not in numbers and _is_text(key, array, column))
    )
    doubts = {key: _doubt(key) for key, array in data.items() if array.ndim == 1 and array.size in sides - {3}}
    return SplitArrays(data, found, layers.values if layers is not None and len(data) == 1 else None, doubts)


def _is_text(key: str, array: NDArray[Any], column: str | None) -> bool:
    """Whether an array may name stimuli because it holds texts or dates, or is called so and holds no numbers."""
    if array.ndim == 0 or (key in (*LAYER_KEYS, METRIC) and key != column):
        return False
    return array.dtype.kind in "USM" or is_name_key(key) or key == column


def _doubt(key: str) -> str:
    return (
        f"it has a number for each stimulus: say --stimulus-column {key} if it names them, or take only what is a "
        "matrix with --layer"
    )


def _may_name(key: str, lists: set[str]) -> bool:
    return key in lists and (is_name_key(key) or key in LAYER_KEYS)


def _sides(array: NDArray[Any]) -> set[int]:
    """How many stimuli an array may be of, as a matrix, several, condensed ones, or activations."""
    condensed = triangle_side(array.shape[-1]) if array.ndim < 3 else None
    ends = {array.shape[0], array.shape[-1]} if array.ndim > 1 else set()
    return ends | ({condensed} if condensed is not None else set())


def _is_of_stimuli(values: NDArray[Any], sides: set[int]) -> bool:
    """Whether a list has one value for each stimulus; one with a value for each pair is a condensed matrix."""
    if values.size in sides:
        return values.size > 3 or len(np.unique(values)) == values.size  # three stimuli have three pairs
    return bool(sides) and triangle_side(values.size) not in sides


def _find_layers(arrays: Arrays, data: Arrays) -> FoundLabels | None:
    """The names of several matrices in one array: texts, or numbers, one for each matrix."""
    for key in LAYER_KEYS:
        if key not in arrays or arrays[key].ndim == 0:
            continue
        is_text = arrays[key].dtype.kind in "US"
        others = [array for other, array in data.items() if other != key]
        fits = len(others) == 1 and others[0].ndim > 1 and len(others[0]) == arrays[key].size
        if is_text or (fits and is_list(arrays[key]) and arrays[key].dtype.kind in "iuf"):
            found = read_label_array(key, arrays[key])
            if not found.problem:
                return found
    return None
