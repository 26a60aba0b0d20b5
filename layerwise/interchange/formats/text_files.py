"""CSV and TSV: a square matrix with or without names, a table of pairs, or a table of activations."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from layerwise.core.base.errors import InputError
from layerwise.interchange.checks import Floats, check_memory
from layerwise.interchange.content import FileContent, FoundArray, hint_of, stem_of
from layerwise.interchange.formats.tables import PAIR_COLUMNS, read_frame
from layerwise.interchange.labels import FoundLabels

if TYPE_CHECKING:
    import polars as pl

_BYTES = 20  # of memory that a byte of text takes while it is read
_SEPARATORS = ("\t", ";", ",")
_MISSING = frozenset({"", "nan", "na", "n/a", "null", "none", "-"})


def read_text_table(path: Path, column: str | None = None) -> FileContent:
    """A matrix or a table; commas, semicolons and tabs separate cells, whichever the first line has most of.

    Args:
        path: The file.
        column: The column that the user says has the stimuli's names.

    Raises:
        InputError: If it cannot be read, or is neither.
    """
    separator, rows = _read_rows(path)
    head = rows[0]
    has_head = any(_number(cell) is None for cell in head[1:]) or len(head) == 1 < len(rows[1:])
    words = [cell.strip().lower() for cell in head]
    if not any(set(pair) <= set(words) for pair in PAIR_COLUMNS):
        square = _read_square(rows, path)
        if square is not None:
            return square
    if not has_head or len(rows) < 2:
        raise InputError(
            f"{len(rows)} rows of {len(head)} cells without a first row of names: a square matrix, or a table with "
            "named columns, is expected"
        )
    return read_frame(_make_frame(path, separator), stem_of(path), column)


def _read_rows(path: Path) -> tuple[str, list[list[str]]]:
    """What separates cells, and the cells of each line that has any; all lines must have as many."""
    try:
        check_memory(path.stat().st_size * _BYTES, "the table")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read as text ({error})") from error
    first = text.split("\n", 1)[0]
    separator = max(_SEPARATORS, key=first.count)
    try:
        rows = [
            row for row in csv.reader(text.splitlines(), delimiter=separator) if any(cell.strip() for cell in row)
        ]
    except csv.Error as error:
        raise InputError(f"cannot be read as a table ({error})") from error
    if not rows:
        raise InputError("is empty")
    width = len(rows[-1])
    if len(rows[0]) == width - 1:  # as R writes it: no name above the column of names
        rows[0] = ["", *rows[0]]
    for number, row in enumerate(rows, 1):
        if len(row) != width:
            raise InputError(f"row {number} has {len(row)} cells, and the last one {width}")
    return separator, rows


def _read_square(rows: Sequence[Sequence[str]], path: Path) -> FileContent | None:
    """A square matrix, with names in a first row, a first column, both or neither; None where it is none."""
    forms = ((True, True), (True, False), (False, True))
    is_plain = _number(rows[0][0]) is not None and bool(rows[0][0].strip())
    for has_head, has_names in ((False, False), *forms) if is_plain else (*forms, (False, False)):
        body = [row[has_names:] for row in rows[has_head:]]
        if len(body) < 3 or len(body) != len(body[0]):
            continue
        values = [[_number(cell) for cell in row] for row in body]
        if any(value is None for row in values for value in row):
            continue
        matrix = np.array(values, dtype=np.float64)
        if not _looks_square(matrix):
            continue
        across = tuple(cell.strip() for cell in rows[0][has_names:]) if has_head else None
        down = tuple(row[0].strip() for row in rows[has_head:]) if has_names else None
        names = _agree(across, down)
        labels = (FoundLabels("names", names),) if names is not None else ()
        return FileContent((FoundArray(stem_of(path), _mirror(matrix), hint_of(stem_of(path))),), labels)
    return None


def _looks_square(matrix: Floats) -> bool:
    """Whether numbers are those of pairs: the same in both directions, or in one of them only."""
    there = np.isfinite(matrix)
    both = there & there.T
    scale = np.abs(matrix[both]).max() if both.any() else 1.0
    return bool((there | there.T | np.eye(len(matrix), dtype=bool)).all()) and bool(
        np.allclose(matrix[both], matrix.T[both], rtol=1e-5, atol=1e-6 * scale)
    )


def _mirror(
    matrix: Floats,
) -> Floats:
    """The matrix with cells that are empty taken from the other side of the diagonal."""
    return np.where(np.isfinite(matrix), matrix, matrix.T)


def _agree(across: tuple[str, ...] | None, down: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if across is None or down is None or across == down:
        return across if across is not None else down
    place = next(index for index, (one, other) in enumerate(zip(across, down, strict=True)) if one != other)
    raise InputError(
        f"row {place + 1} is called '{down[place]}' and column {place + 1} '{across[place]}': rows and columns of a "
        "matrix between stimuli have the same names in the same order"
    )


def _number(cell: str) -> float | None:
    """A cell as a number, NaN where it is empty; None where it is text."""
    word = cell.strip()
    if word.lower() in _MISSING:
        return math.nan
    try:
        return float(word)
    except ValueError:
        pass
    try:
        return float(word.replace(",", ".")) if word.count(",") == 1 else None
    except ValueError:
        return None


def _make_frame(path: Path, separator: str) -> pl.DataFrame:
    """The table, each column of the type that all of its cells have."""
    import polars as pl

    try:
        return pl.read_csv(
            path,
            separator=separator,
            decimal_comma=separator == ";",
            infer_schema_length=None,
            null_values=["", "NA", "N/A", "nan", "NaN", "null"],
        )
    except pl.exceptions.PolarsError as error:
        raise InputError(f"cannot be read as a table ({str(error).splitlines()[0]})") from error
