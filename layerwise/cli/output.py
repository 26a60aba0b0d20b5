"""How results reach the terminal: JSON, tables, sizes and times in words."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from layerwise.core.base.words import bytes_in_words

if TYPE_CHECKING:
    from rich.console import Console

    from layerwise.cli.tables import PlainTable

WIDE = 200  # columns where the output is not a terminal: nothing is cut off in a file or a pipe


def print_json(value: object) -> None:
    """Print a value as JSON on stdout; numbers that are not finite become null."""
    print(json_text(value))


def json_text(value: object) -> str:
    """A value as JSON; numbers that are not finite become null."""
    return json.dumps(_plain(value), indent=2, ensure_ascii=False)


def json_line(value: object) -> str:
    """The same in one line, for programs alone."""
    return json.dumps(_plain(value), separators=(",", ":"), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(value, "tolist"):  # NumPy's arrays and scalars
        return _plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def stdout_console() -> Console:
    """A console for results."""
    return _console(stderr=False)


def stderr_console() -> Console:
    """A console for progress and remarks."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, highlight=False, width=None if stream.isatty() else WIDE)


def make_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Iterable[str] = (), heads: bool = True
) -> PlainTable:
    """A plain table; cells are shown as they are, None as nothing.

    Args:
        columns: Heads.
        rows: Cells.
        right: Heads of the columns that are aligned to the right.
        heads: Whether the heads are shown.
    """
    from layerwise.cli.tables import PlainTable

    return PlainTable(columns, rows, right, heads=heads)


def choose_columns(
    heads: Sequence[str], rows: Sequence[Sequence[object]], width: int, spare: Iterable[str]
) -> tuple[list[str], list[list[object]]]:
    """A table without its empty columns, and without as many of the `spare` ones, in that order, as are too wide."""
    cells = {
        head: [row[place] for row in rows]
        for place, head in enumerate(heads)
        if any(row[place] not in (None, "") for row in rows)
    }
    widths = {head: max(len(str(cell)) for cell in (head, *column)) for head, column in cells.items()}
    for head in spare:
        if sum(widths.values()) + 2 * (len(widths) - 1) <= width:
            break
        widths.pop(head, None)
    return list(widths), [list(row) for row in zip(*(cells[head] for head in widths), strict=True)]


MARKED = "~ not determined to two digits by what is known of a layer"


def mark(cell: str, marked: bool) -> str:
    """A number as it is shown: with a sign before it where it is not determined."""
    return f"~{cell}" if marked and cell else cell


def number(value: float | None, digits: int = 3) -> str:
    """A number with so many digits after the point; nothing where there is none."""
    return "" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def count(value: int) -> str:
    """A count with separated thousands."""
    return f"{value:,}"


def size(n_bytes: float) -> str:
    """Bytes in words: `1.5 GiB`."""
    return bytes_in_words(n_bytes)


def duration(seconds: float) -> str:
    """Seconds in words: `1 min 05 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
