"""A layer x layer matrix in the terminal: numbers on colours, or colours alone where there are many layers.

Where there are no colours (NO_COLOR, a dumb terminal), shades stand for them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from layerwise.cli.output import mark

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_CELL = 5
_FEWEST = 8  # columns beside each other, however long the names are
_LOW, _HIGH = (68, 1, 84), (253, 231, 37)  # the ends of the viridis scale
_MIDDLE = (33, 145, 140)
_SHADES = " ░▒▓█"


def print_matrix(
    console: Console, names: Sequence[str], matrix: NDArray[np.float64], marked: NDArray[np.bool_] | None = None
) -> None:
    """Print a square matrix; columns are numbered as the rows are.

    Args:
        console: Where to.
        names: (n,); names of rows and columns.
        matrix: (n, n); NaN is shown as a gap.
        marked: (n, n); which numbers are not determined.
    """
    margin = max(map(len, names)) + len(str(len(names))) + 2
    cell_width = _CELL + int(marked is not None and bool(marked.any()))
    n_columns = len(names)
    is_narrow = console.is_terminal and margin + cell_width * len(names) > console.width
    has_colours = console.color_system is not None and not console.no_color
    finite = matrix[np.isfinite(matrix)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if is_narrow:
        cell_width = 2 if margin + 2 * n_columns <= console.width else 1
        n_columns = max(_FEWEST, (console.width - margin) // cell_width)
    for columns in _parts(len(names), n_columns):
        if not is_narrow:
            heads = "".join(f"{index:>{cell_width}}" for index in columns)
            console.print(" " * margin + heads, soft_wrap=True)
        elif len(columns) < len(names):
            console.print(f"columns {columns[0]} to {columns[-1]} of {len(names)}:", markup=False, soft_wrap=True)
        for index, (name, row) in enumerate(zip(names, matrix, strict=True)):
            line = _label(index, name, margin)
            for column in columns:
                value = row[column]
                shade = " " if has_colours else _shade(value, low, high)
                text = mark(_short(value), marked is not None and bool(marked[index, column]))
                cell = cell_width * shade if is_narrow else f"{text:>{cell_width}}"
                line.append(cell, style=_style(value, low, high))
            console.print(line, no_wrap=True, overflow="ignore", crop=False)
    if is_narrow:
        scale = f"colours from {low:.2f} (dark) to {high:.2f} (bright)"
        if not has_colours:
            scale = f"shades from {low:.2f} (empty) to {high:.2f} (full)"
        console.print(f"{scale}; --json has the numbers", soft_wrap=True)


def _parts(n_columns: int, n_most: int) -> Iterator[range]:
    """All columns, so many at a time as fit beside each other: none is left out."""
    for start in range(0, n_columns, n_most):
        yield range(start, min(start + n_most, n_columns))


def _label(index: int, name: str, margin: int) -> Text:
    from rich.text import Text

    return Text(f"{index} {name}".ljust(margin))


def _short(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.2f}"


def _shade(value: float, low: float, high: float) -> str:
    if math.isnan(value):
        return " "
    share = (value - low) / (high - low) if high > low else 1.0
    return _SHADES[min(int(share * len(_SHADES)), len(_SHADES) - 1)]


def _style(value: float, low: float, high: float) -> str:
    if math.isnan(value):
        return ""
    share = (value - low) / (high - low) if high > low else 1.0
    start, end, place = (_LOW, _MIDDLE, share * 2) if share < 0.5 else (_MIDDLE, _HIGH, share * 2 - 1)
    red, green, blue = (round(a + (b - a) * place) for a, b in zip(start, end, strict=True))
    ink = "black" if share > 0.5 else "white"
    return f"{ink} on rgb({red},{green},{blue})"
