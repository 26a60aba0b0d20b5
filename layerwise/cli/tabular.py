"""The answer to a query in the formats that `layerwise query` writes.

Where it can be written without Polars, Polars is not loaded: that takes longer than most queries.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from layerwise.cli.output import make_table, stdout_console
from layerwise.core.base.errors import InputError
from layerwise.core.base.writing import replacing

if TYPE_CHECKING:
    import polars as pl
    from rich.console import Console

Format = Literal["table", "csv", "json", "parquet"]
FORMULA = r"^[\t\r]*[=+\-@]"
"""What a cell begins with that a spreadsheet takes for a formula."""


_PLAIN = (str, int, float, bool)  # what is the same in a frame as it is without one, in a column of one kind


def write_columns(columns: Mapping[str, list[Any]], form: Format, output: Path | None) -> None:
    """Write an answer to a file, or to stdout.

    Stored blobs are whole in Parquet; in text they are shown as their size.

    Args:
        columns: Its values, by column.
        form: The format.
        output: The file; None for stdout.

    Raises:
        InputError: If Parquet would go to a terminal, or the file cannot be written.
    """
    if form == "parquet":
        _write_parquet(_make_frame(columns), output)
        return
    text = _as_text(columns, form)
    if output is None:
        sys.stdout.write(text)
        return
    with replacing(output) as target:
        target.write_text(text, encoding="utf-8")


def _write_parquet(frame: pl.DataFrame, output: Path | None) -> None:
    if output is not None:
        with replacing(output) as target:
            frame.write_parquet(target)
    elif sys.stdout.isatty():
        raise InputError("Parquet is no text: name a file with -o, or send it to a pipe")
    else:
        frame.write_parquet(sys.stdout.buffer)


def _as_text(columns: Mapping[str, list[Any]], form: Format) -> str:
    if form == "csv":
        return as_csv(_make_frame(columns))
    if not all(map(_is_plain, columns.values())):
        columns = without_blobs(_make_frame(columns)).to_dict(as_series=False)
    if form == "json":
        rows = [dict(zip(columns, row, strict=True)) for row in _rows(columns)]
        return json.dumps(rows, indent=2, default=str, ensure_ascii=False) + "\n"
    return table_text(columns, stdout_console())


def _make_frame(columns: Mapping[str, list[Any]]) -> pl.DataFrame:
    from layerwise.storage.sql import make_frame

    return make_frame(columns)


def _is_plain(values: Sequence[Any]) -> bool:
    """Whether a column holds values of one kind that a frame leaves as they are."""
    kinds = {type(value) for value in values if value is not None}
    return len(kinds) <= 1 and kinds <= set(_PLAIN)


def _rows(columns: Mapping[str, list[Any]]) -> Iterator[tuple[Any, ...]]:
    return zip(*columns.values(), strict=True)


def table_text(columns: Mapping[str, list[Any]], console: Console) -> str:
    """A table, never folded: on a terminal that it is too wide for, a line for each value of each row instead."""
    rows = [["" if cell is None else str(cell) for cell in row] for row in _rows(columns)]
    width = sum(max(map(len, column)) + 2 for column in zip(columns, *rows, strict=True))
    with console.capture() as capture:
        if console.is_terminal and width > console.width:
            for place, row in enumerate(rows, start=1):
                console.print(f"row {place}", style="bold")
                console.print(make_table(("", ""), list(zip(columns, row, strict=True)), heads=False))
        else:
            console.width = max(console.width, width)
            console.print(make_table(list(columns), rows))
        console.print(f"({len(rows)} row{'' if len(rows) == 1 else 's'})")
    return capture.get()


def as_csv(frame: pl.DataFrame) -> str:
    """The frame as CSV, in which no cell is a formula to a spreadsheet.

    A text that begins with `=`, `+`, `-` or `@` (or with a tab or a carriage return before it) gets an apostrophe in
    front, which spreadsheets show as nothing; numbers stay as they are.
    """
    import polars as pl
    import polars.selectors as cs

    text = without_blobs(frame)
    text = text.with_columns(
        pl.when(column.str.contains(FORMULA)).then(pl.lit("'") + column).otherwise(column).alias(name)
        for name in text.select(cs.string()).columns
        for column in (pl.col(name),)
    )
    return text.rename({name: f"'{name}" for name in text.columns if re.match(FORMULA, name)}).write_csv()


def without_blobs(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with the size of each blob in its place."""
    import polars as pl

    blobs = [name for name, kind in frame.schema.items() if kind == pl.Binary]
    sizes = [pl.format("<{} bytes>", pl.col(name).bin.size()).alias(name) for name in blobs]
    return frame.with_columns(sizes)
