"""Rows by columns of coloured cells: layers by another network's layers or by checkpoints, branches by blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from layerwise.report import drawing
from layerwise.report.queries import number
from layerwise.report.scale import Bounds

if TYPE_CHECKING:
    import polars as pl

SMALLEST_WRITTEN = 0.01  # where all values are smaller, there is no room to write them into cells
CELL = {"row": "String", "column": "String", "value": "Float64"}


@dataclass(frozen=True)
class Grid:
    """Cells to be drawn.

    Attributes:
        rows: Names of the rows, from the top down.
        columns: Names of the columns, from left to right.
        frame: `row`, `column`, `value`; grey where the value is None, left open where there is no row of the frame.
        bounds: The ends of the colour scale.
        legend: Title of the colour scale.
        value: What a value is called on hover.
        row: What a row is called on hover.
        column: What a column is called on hover.
        titles: Titles of the horizontal and of the vertical axis.
        format: How a value is written into its cell.
        digits: How it is written on hover.
    """

    rows: list[str]
    columns: list[str]
    frame: pl.DataFrame
    bounds: Bounds
    legend: str
    value: str
    row: str = "layer"
    column: str = "and layer"
    titles: tuple[str | None, str | None] = (None, None)
    format: str = ".2f"
    digits: str = ".3f"


def cell_frame(rows: list[str], columns: list[str], matrix: NDArray[np.float64]) -> pl.DataFrame:
    """A matrix, (len(rows), len(columns)), in long form: `row`, `column`, `value` (None where undefined)."""
    import polars as pl

    return pl.DataFrame(
        [(r, c, number(matrix[i, j])) for i, r in enumerate(rows) for j, c in enumerate(columns)],
        schema={name: getattr(pl, kind) for name, kind in CELL.items()},
        orient="row",
    )


def draw_grid(grid: Grid) -> Any:
    """The cells, coloured, with the value written in each and shown on hover; without a size."""
    import altair as alt

    band = {"paddingInner": 0.03, "paddingOuter": 0.03}
    axis = {"grid": False, "ticks": False, "domain": False, "labelLimit": 130}
    across, down = grid.titles
    dense = len(grid.columns) > 40
    base = alt.Chart(drawing.inline(grid.frame)).encode(
        x=alt.X(
            "column:N",
            scale=alt.Scale(domain=grid.columns, **band),
            axis=alt.Axis(title=across, labelAngle=-90, labelOverlap=dense, **axis),
        ),
        y=alt.Y(
            "row:N",
            scale=alt.Scale(domain=grid.rows, **band),
            axis=alt.Axis(title=down, labelOverlap=len(grid.rows) > 40, **axis),
        ),
        tooltip=[
            alt.Tooltip("row:N", title=grid.row),
            alt.Tooltip("column:N", title=grid.column),
            alt.Tooltip("value:Q", title=grid.value, format=grid.digits),
        ],
    )
    undefined = base.transform_filter("!isValid(datum.value)").mark_rect(color="#9a9a9a", aria=False)
    defined = base.transform_filter("isValid(datum.value)")
    cells = defined.mark_rect().encode(color=drawing.measure_colour(grid.bounds, grid.legend))
    if max(abs(grid.bounds.low), abs(grid.bounds.high)) < SMALLEST_WRITTEN:
        return undefined + cells
    words = defined.mark_text(fontSize=9).encode(
        text=alt.Text("value:Q", format=grid.format), color=drawing.ink(grid.bounds)
    )
    return undefined + cells + words


def fit_square(chart: Any, grid: Grid) -> Any:
    """Mark a chart of cells as a square one, which the page fits into the column's width."""
    longest = max(grid.rows, grid.columns, key=len)
    meta = {"layerwise": {"square": drawing.label_room(grid.rows) + 20, "cells": len(longest)}}
    side = len(longest) * 28
    return chart.properties(width=side, height=side, usermeta=meta)


def fit_width(chart: Any, grid: Grid, row_height: int = 24) -> Any:
    """Mark a chart of cells as one that fills the page's column, with rows of a fixed height."""
    meta = {"layerwise": {"cells": len(grid.columns), "labels": drawing.label_room(grid.rows)}}
    return chart.properties(width="container", height=row_height * len(grid.rows), usermeta=meta)


def write_value(value: float, digits: int = 2) -> str:
    """A number in words: with so many decimals, or with that many digits where decimals would not show it."""
    return f"{value:.{digits}f}" if value == 0 or abs(value) >= 10.0**-digits / 2 else f"{value:.{digits}g}"


def difference_bounds(values: Any) -> Bounds:
    """Ends of a colour scale around 0 that hold all these differences."""
    found = np.asarray(values, dtype=np.float64)
    found = np.abs(found[np.isfinite(found)])
    reach = float(found.max()) if found.size and found.max() > 0 else 1.0
    return Bounds(-reach, reach, diverging=True)
