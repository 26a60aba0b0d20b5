"""Tables of whatever file: a row for each pair of stimuli, or one for each stimulus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from layerwise.core.base.errors import InputError
from layerwise.interchange.content import FileContent, FoundArray, about, hint_of
from layerwise.interchange.formats.activation_tables import read_activations
from layerwise.interchange.formats.columns import is_number, read_column
from layerwise.interchange.formats.pair_tables import fill_matrix
from layerwise.interchange.labels import FoundLabels

if TYPE_CHECKING:
    import polars as pl

PAIR_COLUMNS = (("stimulus_i", "stimulus_j"), ("i", "j"))
"""What the two columns that name a pair are called; names before numbers."""


def read_frame(frame: pl.DataFrame, stem: str, column: str | None = None) -> FileContent:
    """A table of pairs, or a table of activations.

    Args:
        frame: The table.
        stem: What a layer is called that has no name.
        column: The column that the user says has the stimuli's names.

    Raises:
        InputError: If it is a table of something else.
    """
    columns = next((pair for pair in PAIR_COLUMNS if set(pair) <= set(frame.columns)), None)
    if columns is not None:
        return _read_pairs(frame, columns, stem)
    return read_activations(frame, stem, column)


def _read_pairs(frame: pl.DataFrame, columns: tuple[str, str], stem: str) -> FileContent:
    """A matrix for each layer and column of values."""
    taken = {"layer", *(column for pair in PAIR_COLUMNS for column in pair)}
    values = [name for name, kind in frame.schema.items() if name not in taken and is_number(kind)]
    if not values:
        raise InputError(f"no column of numbers beside {' and '.join(columns)}")
    stimuli: FoundLabels | None = None
    items: list[FoundArray] = []
    for layer, part in _by_layer(frame):
        with about(f"'{layer}'") if layer else about("pairs"):
            there, matrices, has_diagonal = fill_matrix(part, columns, values)
        if stimuli is not None and there != stimuli:
            raise InputError(f"layer '{layer}' has other stimuli, or another order of them, than the first layer")
        stimuli = there
        for value, matrix in zip(values, matrices, strict=True):
            label = "/".join(word for word in (layer, value if len(values) > 1 else "") if word) or stem
            items.append(FoundArray(label, matrix, hint_of(value), has_diagonal=has_diagonal))
    return FileContent(tuple(items), () if stimuli is None else (stimuli,))


def _by_layer(frame: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    if "layer" not in frame.columns:
        yield "", frame
        return
    for part in frame.partition_by("layer", maintain_order=True):
        name = read_column(part["layer"].head(1))
        if name.problem:
            raise InputError(f"the names in 'layer' {name.problem}")
        yield name.values[0], part
