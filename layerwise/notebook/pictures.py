"""Pictures for notebooks: a heatmap of any labelled matrix, and any chart as SVG that is seen without a script."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from altair.typing import ChartType
    from numpy.typing import NDArray

_MOST_CELLS = 10_000  # that are drawn one by one; of larger matrices, means of squares are
_SMALLEST, _LARGEST = 6, 28  # pixels of a cell
_SIDE = 560


def draw_heatmap(
    values: NDArray[np.float64], rows: Sequence[str], columns: Sequence[str], title: str, kind: str
) -> ChartType:
    """A matrix as an Altair chart: colours run around 0 only where something is negative.

    Args:
        values: (n_rows, n_columns); what is not finite is left blank.
        rows: Labels of the rows.
        columns: Labels of the columns.
        title: Of the legend.
        kind: `similarity` or `distance`, of which small values are dark.
    """
    import altair as alt
    import polars as pl

    from layerwise.report.drawing import inline, measure_colour

    shown, down, across = _thin(values, rows, columns)
    cells = pl.DataFrame(
        {
            "row": [name for name in down for _ in across],
            "column": list(across) * len(down),
            "value": [float(value) if np.isfinite(value) else None for value in shown.reshape(-1)],
        }
    )
    cell = max(_SMALLEST, min(_LARGEST, _SIDE // max(len(down), len(across), 1)))
    axis = alt.Axis(labelAngle=-45, labelOverlap=True, ticks=False, labelLimit=140)
    return (
        alt.Chart(inline(cells))
        .mark_rect()
        .encode(
            x=alt.X("column:N", sort=list(across), title=None, axis=axis),
            y=alt.Y("row:N", sort=list(down), title=None, axis=alt.Axis(labelOverlap=True, ticks=False)),
            color=measure_colour(_bounds(shown, kind), title),
            tooltip=["row:N", "column:N", alt.Tooltip("value:Q", format=".3f")],
        )
        .properties(width=cell * len(across), height=cell * len(down))
    )


def _bounds(values: NDArray[np.float64], kind: str) -> Any:
    from layerwise.report.scale import Bounds

    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if low < 0:
        reach = max(-low, high)
        return Bounds(-reach, reach, diverging=True)
    return Bounds(low, high if high > low else low + 1, diverging=False, dark_is_low=kind == "distance")


def _thin(
    values: NDArray[np.float64], rows: Sequence[str], columns: Sequence[str]
) -> tuple[NDArray[np.float64], Sequence[str], Sequence[str]]:
    """The matrix, or means of square pieces, each named by its first row and column."""
    step = int(np.ceil(np.sqrt(values.size / _MOST_CELLS))) if values.size else 1
    if step <= 1:
        return values, rows, columns
    starts = [np.arange(0, length, step) for length in values.shape]
    known = np.where(np.isfinite(values), values, 0.0)
    sums, counts = (
        np.add.reduceat(np.add.reduceat(part, starts[0], axis=0), starts[1], axis=1)
        for part in (known, np.isfinite(values).astype(np.float64))
    )
    with np.errstate(invalid="ignore"):
        thinned: NDArray[np.float64] = sums / counts
    return thinned, [rows[int(at)] for at in starts[0]], [columns[int(at)] for at in starts[1]]


def picture(chart: ChartType) -> str:
    """A chart as SVG to stand in a page: it needs no script and no network."""
    from layerwise.report.paper.render import render_svg

    return render_svg(chart.to_dict())


def caption(*lines: str) -> str:
    """Lines of text under a picture; empty ones are left out."""
    return "".join(f"<div style='font-size:smaller'>{escape(line)}</div>" for line in lines if line)
