"""Is it a matrix between stimuli? Each check says in one line what is wrong, and where."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.base.machine import available_memory
from layerwise.core.network.representation import strict_upper

MIN_STIMULI = 3
TOLERANCE = 1e-5
"""How far, against the largest value, a matrix may be from symmetric, and its diagonal from what it must be."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CheckedMatrix:
    """A symmetric matrix between stimuli.

    Attributes:
        values: float64 (n, n), exactly symmetric; rows and columns of undefined stimuli are NaN.
        live: bool (n,); which stimuli are defined.
        has_diagonal: Whether any of the diagonal was given; where it was not it is NaN.
    """

    values: Floats
    live: NDArray[np.bool_]
    has_diagonal: bool

    @property
    def pairs(self) -> Floats:
        """The values of all pairs of different, defined stimuli."""
        return strict_upper(self.values[np.ix_(self.live, self.live)])


def check_numbers(values: NDArray[Any]) -> Floats:
    """Real numbers as float64.

    Raises:
        InputError: If they are something else (text, complex numbers, Python objects).
    """
    if values.dtype.kind not in "fiub":
        raise InputError(f"holds {values.dtype} values, not real numbers")
    return values.astype(np.float64)


def check_matrix(values: NDArray[Any], *, has_diagonal: bool = True) -> CheckedMatrix:
    """Check that a matrix is square, symmetric and finite, except for whole rows of NaN and for its diagonal.

    A diagonal of which no entry is a number is none: NaN, or the infinity that keeps a stimulus from being its own
    neighbour.

    Raises:
        InputError: If it is not; the message says where.
    """
    matrix = check_numbers(values)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise InputError(f"a matrix between stimuli is square, this one has shape {matrix.shape}")
    if len(matrix) < MIN_STIMULI:
        raise InputError(f"{len(matrix)} stimuli; at least {MIN_STIMULI} are needed")
    has_diagonal = has_diagonal and bool(np.isfinite(np.diagonal(matrix)).any())
    if not has_diagonal:
        np.fill_diagonal(matrix, np.nan)
    if np.isinf(matrix).any():
        raise InputError(f"entry {_place(np.isinf(matrix))} is infinite")
    off = np.isnan(matrix)
    np.fill_diagonal(off, True)
    live: NDArray[np.bool_] = np.logical_not(off.all(axis=0) & off.all(axis=1))
    if live.sum() < MIN_STIMULI:
        raise InputError(f"{int(live.sum())} of {len(matrix)} stimuli are defined; at least {MIN_STIMULI} are needed")
    _check_gaps(matrix, live)
    values = _symmetrise(matrix)
    values[~live, :] = np.nan
    values[:, ~live] = np.nan
    return CheckedMatrix(values, live, bool(np.isfinite(np.diagonal(values)).any()))


def _check_gaps(matrix: Floats, live: NDArray[np.bool_]) -> None:
    gaps = np.isnan(matrix) & np.outer(live, live)
    np.fill_diagonal(gaps, False)
    if gaps.any():
        raise InputError(
            f"entry {_place(gaps)} is NaN, and {int(gaps.sum()) - 1} more; a stimulus may be undefined "
            "only as a whole row and column"
        )


def _symmetrise(matrix: Floats) -> Floats:
    apart = np.nan_to_num(np.abs(matrix - matrix.T))
    largest = float(np.nanmax(np.abs(matrix)))
    worst = np.unravel_index(int(np.argmax(apart)), apart.shape)
    if apart[worst] > TOLERANCE * largest:
        row, column = int(worst[0]), int(worst[1])
        raise InputError(
            f"not symmetric: entry ({row}, {column}) is {matrix[row, column]:g}, "
            f"entry ({column}, {row}) is {matrix[column, row]:g}"
        )
    return (matrix + matrix.T) / 2


def check_diagonal(matrix: CheckedMatrix, expected: float, what: str) -> None:
    """Check that the diagonal, where the file has one, holds what it must.

    Raises:
        InputError: If it does not.
    """
    if not matrix.has_diagonal:
        return
    diagonal = np.diagonal(matrix.values)
    off = np.nan_to_num(np.abs(diagonal - expected))
    worst = int(np.argmax(off))
    if off[worst] > TOLERANCE * max(1.0, float(np.nanmax(np.abs(matrix.values)))):
        raise InputError(f"the diagonal of {what} is {expected:g}, entry ({worst}, {worst}) is {diagonal[worst]:g}")


def check_range(matrix: CheckedMatrix, lowest: float, highest: float, what: str) -> None:
    """Check that all pairs lie in a range, up to rounding.

    Raises:
        InputError: If one does not.
    """
    slack = 10 * TOLERANCE
    off = (matrix.values < lowest - slack) | (matrix.values > highest + slack)
    np.fill_diagonal(off, False)
    if off.any():
        row, column = np.argwhere(off)[0]
        raise InputError(
            f"{what} lies between {lowest:g} and {highest:g}, entry ({row}, {column}) is "
            f"{matrix.values[row, column]:g}"
        )


def check_names(names: Sequence[str], n_stimuli: int) -> tuple[str, ...]:
    """Check that there is one name for each stimulus, and no name twice.

    Raises:
        InputError: If there is not.
    """
    if len(names) != n_stimuli:
        raise InputError(f"{len(names)} stimulus names for {n_stimuli} stimuli")
    seen: set[str] = set()
    for name in names:
        check_text(name)
        if name in seen:
            raise InputError(f"two stimuli are called '{name}'")
        seen.add(name)
    return tuple(names)


def check_text(name: str) -> None:
    """Check that a name can be stored and printed: it is not empty, and made of characters that exist.

    Raises:
        InputError: If it is not.
    """
    if not name.strip():
        raise InputError("a name is empty")
    if "\0" in name or any("\ud800" <= letter <= "\udfff" for letter in name):
        raise InputError(f"the name {name!a} is no text")


def triangle_side(n_values: int) -> int | None:
    """The n for which an upper triangle without its diagonal has so many values; None where there is none."""
    side = (1 + math.isqrt(1 + 8 * n_values)) // 2
    return side if side * (side - 1) // 2 == n_values else None


def check_memory(n_bytes: int, what: str) -> None:
    """Check that so much fits into memory, before it is read.

    Raises:
        InputError: If it does not.
    """
    free = available_memory()
    if n_bytes > free:
        raise InputError(f"{what} needs {n_bytes / 2**30:.1f} GiB of memory, {free / 2**30:.1f} GiB are free")


def _place(where: NDArray[np.bool_]) -> str:
    row, column = np.argwhere(where)[0]
    return f"({row}, {column})"
