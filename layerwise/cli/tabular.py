"""A Polars frame in the formats that `layerwise query` writes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from layerwise.cli.output import make_table, stdout_console
from layerwise.core.base.errors import InputError
from layerwise.core.base.writing import replacing

if TYPE_CHECKING:
    import polars as pl
    from rich.console import Console

Format = Literal["table", "csv", "json", "parquet"]


def write_frame(frame: pl.DataFrame, form: Format, output: Path | None) -> None:
    """Write a frame to a file, or to stdout.

    Stored blobs are whole in Parquet; in text they are shown as their size.

    Raises:
        InputError: If Parquet would go to a terminal, or the file cannot be written.
    """
    if form == "parquet":
        _write_parquet(frame, output)
        return
    text = _as_text(frame, form)
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


def _as_text(frame: pl.DataFrame, form: Format) -> str:
    readable = without_blobs(frame)
    if form == "csv":
        return readable.write_csv()
    if form == "json":
        return json.dumps(readable.to_dicts(), indent=2, default=str, ensure_ascii=False) + "\n"
    return table_text(readable, stdout_console())


def table_text(frame: pl.DataFrame, console: Console) -> str:
    """A table, never folded: on a terminal that it is too wide for, a line for each value of each row instead."""
    rows = [["" if cell is None else str(cell) for cell in row] for row in frame.iter_rows()]
    columns = zip(frame.columns, *rows, strict=True)
    width = sum(max(map(len, column)) + 2 for column in columns)
    with console.capture() as capture:
        if console.is_terminal and width > console.width:
            for place, row in enumerate(rows, start=1):
                console.print(f"row {place}", style="bold")
                console.print(make_table(("", ""), list(zip(frame.columns, row, strict=True)), heads=False))
        else:
            console.width = max(console.width, width)
            console.print(make_table(frame.columns, rows))
        console.print(f"({frame.height} row{'' if frame.height == 1 else 's'})")
    return capture.get()


def without_blobs(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with the size of each blob in its place."""
    import polars as pl

    blobs = [name for name, kind in frame.schema.items() if kind == pl.Binary]
    sizes = [pl.format("<{} bytes>", pl.col(name).bin.size()).alias(name) for name in blobs]
    return frame.with_columns(sizes)
