"""From a table with a row for each pair of stimuli to square matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.interchange.checks import Floats, check_memory
from layerwise.interchange.formats.columns import read_column
from layerwise.interchange.labels import FoundLabels

if TYPE_CHECKING:
    import polars as pl


def fill_matrix(
    frame: pl.DataFrame, columns: tuple[str, str], values: list[str]
) -> tuple[FoundLabels, list[Floats], bool]:
    """The matrices of a table.

    A pair may be there once, or in both directions; the diagonal may be there or not. Stimuli are in the order of
    their numbers, or, where they have names, of their first appearance.

    Args:
        frame: One row a pair.
        columns: The two columns that say which.
        values: The columns of values; one matrix each.

    Returns:
        What names the stimuli, the matrices (n, n), and whether they have a diagonal.

    Raises:
        InputError: If a pair is missing or there twice.
    """
    stimuli, first, second = _number_stimuli(frame, columns)
    n_stimuli = len(stimuli.values)
    check_memory(2 * 8 * n_stimuli**2 * len(values), f"{n_stimuli} stimuli")
    seen = np.zeros((n_stimuli, n_stimuli), dtype=np.bool_)
    seen[first, second] = True
    if int(seen.sum()) < len(first):
        raise InputError("a pair of stimuli is there more than once")
    has_diagonal = _check_complete(seen, stimuli.values)
    matrices = []
    for column in values:
        matrix = np.full((n_stimuli, n_stimuli), np.nan)
        matrix[first, second] = frame[column].cast(float).to_numpy()
        matrices.append(np.where(seen, matrix, matrix.T))
    return stimuli, matrices, has_diagonal


def _number_stimuli(
    frame: pl.DataFrame, columns: tuple[str, str]
) -> tuple[FoundLabels, NDArray[np.intp], NDArray[np.intp]]:
    """The stimuli of a table, and the place of both stimuli of each row among them."""
    ends = [_read_end(frame[column]) for column in columns]
    is_number = all(labels.is_number for labels, _ in ends)
    known = list(dict.fromkeys(name for labels, _ in ends for name in labels.values))
    place = {name: index for index, name in enumerate(sorted(known, key=int) if is_number else known)}
    first, second = (
        np.array([place[name] for name in labels.values], dtype=np.intp)[codes] for labels, codes in ends
    )
    return FoundLabels(columns[0], tuple(place), is_number), first, second


def _read_end(column: pl.Series) -> tuple[FoundLabels, NDArray[np.intp]]:
    """The different values of a column as names, in order of appearance, and which of them each row has."""
    import polars as pl

    different = column.unique(maintain_order=True)
    labels = read_column(different)
    if labels.problem:
        raise InputError(f"the names in '{column.name}' {labels.problem}")
    keys = pl.DataFrame({"value": different, "code": np.arange(len(different))})
    codes = pl.DataFrame({"value": column}).join(keys, on="value", how="left", maintain_order="left")["code"]
    return labels, codes.to_numpy().astype(np.intp)


def _check_complete(seen: NDArray[np.bool_], names: tuple[str, ...]) -> bool:
    """Whether the diagonal is there; every pair of different stimuli must be, in one direction at least."""
    diagonal = np.diagonal(seen)
    missing = ~(seen | seen.T)
    np.fill_diagonal(missing, diagonal.any() & ~diagonal)
    if missing.any():
        row, column = np.argwhere(missing)[0]
        raise InputError(f"the pair '{names[row]}', '{names[column]}' is missing, and {int(missing.sum()) - 1} more")
    return bool(diagonal.all())
