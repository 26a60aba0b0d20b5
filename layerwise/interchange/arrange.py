"""From an array as it lies in a file to square matrices, or to activations.

A file may hold one matrix or a stack of them, each square or condensed to its strict upper triangle, row by row
(the order of `scipy.spatial.distance.squareform` and of rsatoolbox).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.interchange.checks import (
    MIN_STIMULI,
    CheckedMatrix,
    Floats,
    check_matrix,
    check_numbers,
    triangle_side,
)
from layerwise.interchange.content import FoundArray, about
from layerwise.interchange.diagonals import settle_diagonal, tell_kind

ACTIVATIONS = "activations"


@dataclass(frozen=True, eq=False)
class Arranged:
    """One layer's numbers.

    Attributes:
        name: The layer's name.
        kind: What they are; never `auto`.
        content: A checked matrix, or activations (n, p) in float64.
        notes: What was assumed of them, in words.
    """

    name: str
    kind: str
    content: CheckedMatrix | Floats
    notes: tuple[str, ...] = ()


def arrange(found: FoundArray, kind: str | None) -> Iterator[Arranged]:
    """The layers that an array holds.

    Args:
        found: The array.
        kind: What the user says it is, None where it is to be told from the file.

    Raises:
        InputError: If its shape, its values or its diagonal are not what that kind must have.
    """
    with about(f"'{found.name}'"):
        if kind is None and found.doubt:
            raise InputError(found.doubt)
        kind = kind or found.kind
        if kind == ACTIVATIONS:
            yield Arranged(found.name, kind, check_activations(found.values), found.notes)
            return
        stack, has_diagonal = _as_stack(found, kind)
        names = _name_all(found, len(stack))
    for name, values in zip(names, stack, strict=True):
        with about(f"'{name}'"):
            matrix = check_matrix(values, has_diagonal=has_diagonal)
            told = kind or tell_kind(matrix)
            settled, notes = settle_diagonal(matrix, told)
            yield Arranged(name, told, settled, found.notes + notes)


def check_activations(values: NDArray[np.generic]) -> Floats:
    """Activations, a row for each stimulus; (n, p) float64.

    Raises:
        InputError: If they are no such thing.
    """
    rows = check_numbers(values)
    if rows.ndim < 2 or rows[0:1].size == 0:
        raise InputError(f"activations have a row a stimulus and a column a unit, not shape {rows.shape}")
    if len(rows) < MIN_STIMULI:
        raise InputError(f"{len(rows)} stimuli; at least {MIN_STIMULI} are needed")
    rows = np.ascontiguousarray(rows.reshape(len(rows), -1))
    if not np.isfinite(rows).all():
        row, column = np.argwhere(~np.isfinite(rows))[0]
        raise InputError(f"the activation of stimulus {row} in unit {column} is {rows[row, column]}")
    return rows


def _as_stack(found: FoundArray, kind: str | None) -> tuple[Sequence[NDArray[np.generic]], bool]:
    """The matrices of an array, and whether their diagonals were in the file."""
    values = found.values
    square = values.ndim in (2, 3) and values.shape[-1] == values.shape[-2]
    if square:
        return list(values if values.ndim == 3 else values[None]), found.has_diagonal
    if values.ndim == 1 and triangle_side(len(values)) is not None:
        return [_expand(values)], False
    if values.ndim == 2 and triangle_side(values.shape[1]) is not None and kind is not None:
        return [_expand(row) for row in values], False
    raise InputError(f"shape {values.shape} {_explain_shape(values, kind)}")


def _explain_shape(values: NDArray[np.generic], kind: str | None) -> str:
    if values.ndim == 1:
        return (
            f"is no condensed matrix: {len(values)} is not n (n - 1) / 2 for any n (what names the stimuli is given "
            "with --stimulus-column, what is no matrix is left out with --layer)"
        )
    if values.ndim == 2 and kind is None:
        return "is not square: if these are activations, one row a stimulus, say so with --kind activations"
    return "is neither a square matrix, nor a stack of them, nor condensed upper triangles"


def _expand(condensed: NDArray[np.generic]) -> Floats:
    values = check_numbers(condensed)
    side = triangle_side(len(values))
    assert side is not None
    matrix = np.full((side, side), np.nan)
    upper = np.triu_indices(side, 1)
    matrix[upper] = values
    matrix[upper[1], upper[0]] = values
    return matrix


def _name_all(found: FoundArray, n_matrices: int) -> Sequence[str]:
    if found.labels is not None:
        if len(found.labels) != n_matrices:
            raise InputError(f"{len(found.labels)} names for {n_matrices} matrices")
        return found.labels
    if n_matrices == 1:
        return [found.name]
    return [f"{found.name}-{index}" for index in range(1, n_matrices + 1)]
