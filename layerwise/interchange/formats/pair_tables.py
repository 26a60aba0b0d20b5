"""From a table with a row for each pair of stimuli to square matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.interchange.checks import Floats, check_memory

if TYPE_CHECKING:
    import polars as pl


def fill_matrix(
    frame: pl.DataFrame, columns: tuple[str, str], values: list[str]
) -> tuple[tuple[str, ...] | None, list[Floats], bool]:
    """The matrices of a table.

    A pair may be there once, or in both directions; the diagonal may be there or not. Stimuli are in the order of
    their numbers, or, where they have names, of their first appearance.

    Args:
        frame: One row a pair.
        columns: The two columns that say which.
        values: The columns of values; one matrix each.

    Returns:
        Names of the stimuli (None where they have numbers), the matrices (n, n), and whether they have a diagonal.

    Raises:
        InputError: If a pair is missing or there twice.
    """
    names, first, second = _number_stimuli(frame, columns)
    n_stimuli = len(names)
    check_memory(2 * 8 * n_stimuli**2 * len(values), f"{n_stimuli} stimuli")
    seen = np.zeros((n_stimuli, n_stimuli), dtype=np.bool_)
    seen[first, second] = True
    if int(seen.sum()) < len(first):
        raise InputError("a pair of stimuli is there more than once")
    has_diagonal = _check_complete(seen, names)
    matrices = []
    for column in values:
        matrix = np.full((n_stimuli, n_stimuli), np.nan)
        matrix[first, second] = frame[column].cast(float).to_numpy()
        matrices.append(np.where(seen, matrix, matrix.T))
    is_numbered = frame[columns[0]].dtype.is_integer()
    return (None if is_numbered else names), matrices, has_diagonal


def _number_stimuli(
    frame: pl.DataFrame, columns: tuple[str, str]
) -> tuple[tuple[str, ...], NDArray[np.intp], NDArray[np.intp]]:
    """The stimuli of a table, and the place of both stimuli of each row among them."""
    import polars as pl

    ends = [frame[column] for column in columns]
    if any(end.null_count() for end in ends):
        raise InputError(f"columns {columns[0]} and {columns[1]} have empty cells")
    if ends[0].dtype.is_integer() and ends[1].dtype.is_integer():
        ends = [end.cast(pl.Int64) for end in ends]
        known = pl.concat([end.rename("stimulus") for end in ends]).unique().sort()
    else:
        ends = [end.cast(pl.String) for end in ends]
        known = pl.concat([end.rename("stimulus") for end in ends]).unique(maintain_order=True)
    place = {name: index for index, name in enumerate(known.to_list())}
    first, second = (np.array([place[name] for name in end.to_list()], dtype=np.intp) for end in ends)
    return tuple(str(name) for name in place), first, second


def _check_complete(seen: NDArray[np.bool_], names: tuple[str, ...]) -> bool:
    """Whether the diagonal is there; every pair of different stimuli must be, in one direction at least."""
    diagonal = np.diagonal(seen)
    missing = ~(seen | seen.T)
    np.fill_diagonal(missing, diagonal.any() & ~diagonal)
    if missing.any():
        row, column = np.argwhere(missing)[0]
        raise InputError(f"the pair '{names[row]}', '{names[column]}' is missing, and {int(missing.sum()) - 1} more")
    return bool(diagonal.all())
