"""Two trainings on the same stimuli, aligned in time."""

from __future__ import annotations

from typing import Any

from layerwise.core.analysis.training.checkpoints import make_training
from layerwise.core.analysis.training.time_alignment import TimeAlignment, align_trainings
from layerwise.core.base.errors import InputError
from layerwise.plugins.sections.shared.grids import Grid, cell_frame, draw_grid, fit_square
from layerwise.plugins.sections.training.queries import Training
from layerwise.plugins.sections.training.settling import ask
from layerwise.report import drawing
from layerwise.report.content import ReportContext
from layerwise.report.scale import Scale


def query_alignment(context: ReportContext, first: Training, second: Training) -> TimeAlignment | None:
    """The alignment; None where stimuli or layers differ, or the measure has no largest value."""
    if first.runs[0].stimuli_fingerprint != second.runs[0].stimuli_fingerprint:
        return None
    last = second.runs[-1]
    try:
        return align_trainings(ask(context, first), make_training(last.lineage or last.model.title, second.runs))
    except InputError:
        return None


def draw_alignment(found: TimeAlignment, first: Training, second: Training, scale: Scale) -> Any:
    """Checkpoints by checkpoints; the cells of the best path are boxed."""
    import altair as alt
    import polars as pl

    rows, columns = list(first.names), list(second.names)
    frame = cell_frame(rows, columns, found.matrix)
    names = (found.first.name, found.second.name)
    grid = Grid(
        rows,
        columns,
        frame,
        scale.bounds(frame["value"].drop_nulls()),
        scale.axis("of the two checkpoints"),
        scale.noun,
        row=names[0],
        column=names[1],
        titles=(names[1], names[0]),
        format=scale.format,
    )
    cells = found.alignment.path
    path = frame[[row * len(columns) + column for row, column in cells]].select(
        pl.int_range(pl.len()).alias("step"), pl.all()
    )
    data = alt.Chart(drawing.decoration(path.to_dicts()))
    halo, boxes = (
        data.mark_rect(fillOpacity=0, stroke=stroke, strokeWidth=width, tooltip=None).encode(x="column:N", y="row:N")
        for stroke, width in (("#ffffff", 3.5), ("#111111", 2))
    )
    return fit_square(draw_grid(grid) + halo + boxes, grid)


def describe_alignment(found: TimeAlignment, first: Training, second: Training) -> str:
    """How the two are aligned, in a sentence or two."""
    (row, column), bend = found.alignment.bend_at, found.alignment.bend
    costs = f"{found.cost:.3f} on average, by {found.even_cost:.3f} at equal relative times"
    words = f"Along the best path (boxed) the two differ by {costs}."
    if bend == 0:
        return words
    there = f"{first.names[row]} of {found.first.name} is most like {second.names[column]} of {found.second.name}"
    return f"{words} Where it is furthest from equal times, {there}."
