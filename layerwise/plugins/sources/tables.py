"""Reading tables of images: what separates columns, whether the first row is a header, and what each column is.

Nothing is guessed away: a first row that may be an image is taken for one, and columns that are not read are told.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from layerwise.core.base.errors import InputError
from layerwise.core.base.opening import MOST_TEXT, read_regular
from layerwise.core.base.words import quote
from layerwise.plugins.sources.files import is_image_name

PATHS = ("path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "img")
LABELS = ("label", "labels", "class", "class_name", "classname", "category", "target", "y")
NAMES = ("name",)
_SEPARATORS = ",;\t"
_N_LOOKED_AT = 50
_N_LISTED = 12


@dataclass(frozen=True)
class Row:
    """One row of a table: the line it ends on, and what its columns hold; empty where there is nothing."""

    line: int
    path: str
    label: str
    name: str
    n_cells: int


@dataclass(frozen=True)
class Table:
    """A table of images.

    Attributes:
        rows: Its rows, without the header.
        has_labels: Whether one of its columns is taken for the label.
        unread: What the columns are called that are not read, or their numbers.
    """

    rows: tuple[Row, ...]
    has_labels: bool
    unread: tuple[str, ...]


@dataclass(frozen=True)
class _Columns:
    path: int
    label: int | None
    name: int | None


def read_table(path: Path, is_image: Callable[[str], bool], paths: Sequence[str] = PATHS) -> Table:
    """The table in a CSV file.

    Args:
        path: The file.
        is_image: Whether what stands in a cell is one of the images that may be meant.
        paths: What the column may be called that says which image it is.

    Raises:
        InputError: If it cannot be read, or is not CSV in UTF-8.
    """
    rows = split_rows(path)
    head = rows.pop(0)[1] if rows and _is_header(rows, is_image, paths) else None
    width = max([len(row) for _, row in rows] + [len(head or ())], default=0)
    columns = _name_columns(head, paths, width) if head is not None else _Columns(0, 1 if width > 1 else None, None)
    read = {columns.path, columns.label, columns.name}
    unread = [
        head[index] if head is not None and index < len(head) else str(index + 1)
        for index in range(width)
        if index not in read and any(index < len(row) and row[index] for _, row in rows)
    ]
    return Table(
        tuple(
            Row(line, _cell(row, columns.path), _cell(row, columns.label), _cell(row, columns.name), len(row))
            for line, row in rows
        ),
        columns.label is not None,
        tuple(unread),
    )


def note_unread(table: Table, name: str) -> tuple[str, ...]:
    """A line about columns that are not read, where there are any."""
    if not table.unread:
        return ()
    words = ", ".join(map(quote, table.unread[:_N_LISTED]))
    return (f"{name}: column {words} is not read (labels are in a column called {', '.join(LABELS)})",)


def _cell(row: Sequence[str], index: int | None) -> str:
    return row[index] if index is not None and index < len(row) else ""


def _is_header(rows: Sequence[tuple[int, list[str]]], is_image: Callable[[str], bool], paths: Sequence[str]) -> bool:
    """Whether the first row names the columns: none of it is an image, and it is unlike the rows below."""
    first = rows[0][1]
    if any(is_image(cell) or is_image_name(cell) for cell in first if cell):
        return False
    if {cell.lower() for cell in first} & {*paths, *LABELS, *NAMES}:
        return True
    # Where the others have no ending either, this may be an image that is missing: which then is said.
    return any(is_image_name(cell) for _, row in rows[1:] for cell in row)


def _name_columns(head: Sequence[str], paths: Sequence[str], width: int) -> _Columns:
    words = [cell.lower() for cell in head]

    def find(known: Sequence[str]) -> int | None:
        return next((words.index(word) for word in known if word in words), None)

    label, name = find(LABELS), find([word for word in NAMES if word not in paths])
    path = find(paths)
    if path is None:
        path = next((index for index in range(width) if index not in (label, name)), 0)
    if label is None and width == 2 and name is None:
        label = 1 - path
    return _Columns(path, label, name)


def split_rows(path: Path) -> list[tuple[int, list[str]]]:
    """The rows of a CSV file that are not blank, each with its line number, cells stripped.

    Raises:
        InputError: If it cannot be read, or is not CSV in UTF-8.
    """
    text = read_text(path)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=_find_separator(text))
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise InputError(f"{path} is not a CSV file: {error}") from error
    return [(line, row) for line, row in rows if any(row)]


def read_text(path: Path) -> str:
    """The text in a file.

    Raises:
        InputError: If it cannot be read, or is not text in UTF-8.
    """
    try:
        text = read_regular(path, MOST_TEXT).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not text in UTF-8: {error.reason} at byte {error.start}") from error
    if "\0" in text:
        raise InputError(f"{path} is not text: line {text[: text.index(chr(0))].count(chr(10)) + 1} contains NUL")
    return text


def _find_separator(text: str) -> str:
    """The first of comma, semicolon and tab that gives all rows the same number of columns, more than one."""
    lines = [line for line in text.splitlines() if line.strip()][:_N_LOOKED_AT]
    for separator in _SEPARATORS:
        try:
            widths = {len(row) for row in csv.reader(lines, delimiter=separator)}
        except csv.Error:
            continue
        if len(widths) == 1 and widths.pop() > 1:
            return separator
    counts = {separator: lines[0].count(separator) if lines else 0 for separator in _SEPARATORS}
    return max(_SEPARATORS, key=lambda separator: counts[separator])
