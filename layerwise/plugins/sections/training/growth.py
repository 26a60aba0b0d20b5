"""What grows over a training: the layer x layer matrix, dimensions, dead units; and what should alarm somebody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from layerwise.core.analysis.training.alarms import Alarm, find_alarms
from layerwise.core.analysis.training.changes import ask_changes
from layerwise.core.analysis.training.course import Course, read_course
from layerwise.core.base.errors import InputError
from layerwise.plugins.sections.layers.layer_matrix import N_NAMED_MOST, draw_cells
from layerwise.plugins.sections.shared.grids import Grid, cell_frame, draw_grid, fit_width
from layerwise.plugins.sections.training.charts import name_of, slider
from layerwise.plugins.sections.training.queries import Training, spread_evenly
from layerwise.plugins.sections.training.settling import ask
from layerwise.report import drawing
from layerwise.report.content import ReportContext, Table
from layerwise.report.queries import address, compare, main_layers, shown_transform
from layerwise.report.scale import Bounds, Scale

if TYPE_CHECKING:
    import polars as pl

NAME_HEIGHT = 24
N_CELLS_MOST = 12_000  # of all matrices of a slider together
STATISTICS = {
    "participation-ratio": "Participation ratio",
    "effective-rank": "Effective rank",
    "intrinsic-dimension": "Intrinsic dimension",
    "fraction-dead": "Share of dead units",
}


def query_course_stored(context: ReportContext, training: Training) -> Course:
    """What is stored of the main layers at each checkpoint."""
    question = ask(context, training)

    def find() -> Course:
        return read_course(context.history, question.training, question.layers, question.transform)

    return context.once(("course", *(run.id for run in training.runs)), find)


def query_alarms(context: ReportContext, training: Training) -> tuple[Alarm, ...]:
    """Alarms at the usual limits."""
    try:
        changes = ask_changes(ask(context, training)).values
    except InputError:  # the measure has no largest value
        changes = None
    return find_alarms(query_course_stored(context, training), changes)


def tabulate_alarms(alarms: tuple[Alarm, ...]) -> Table:
    """A row an alarm."""
    rows = tuple((one.kind, "on" if one.is_on else "over", one.layer, one.step, one.message) for one in alarms)
    return Table(("alarm", "at the end", "layer", "since step", "what happened"), rows)


def list_statistics(course: Course) -> dict[str, str]:
    """The statistics that are drawn over time and of which something is known, with their headings."""
    known = {name: words for name, words in STATISTICS.items() if name in course.statistics}
    return {name: words for name, words in known.items() if np.isfinite(course.statistic(name)).any()}


def draw_statistic(course: Course, names: tuple[str, ...], statistic: str) -> Any:
    """One statistic, layers by checkpoints."""
    values = course.statistic(statistic)
    finite = values[np.isfinite(values)]
    high = float(finite.max()) or 1.0
    share = statistic.startswith("fraction")
    grid = Grid(
        list(course.names),
        list(names),
        cell_frame(list(course.names), list(names), values.T),
        Bounds(0, 1.0 if share else high, diverging=False),
        STATISTICS[statistic].lower(),
        STATISTICS[statistic].lower(),
        column="checkpoint",
        titles=("checkpoint", None),
        format=".2f" if share else ".1f",
    )
    return fit_width(draw_grid(grid), grid)


def query_moving_matrices(context: ReportContext, training: Training) -> tuple[list[str], list[str], pl.DataFrame]:
    """The layer x layer matrix at each checkpoint, or at evenly spaced ones where there are many.

    Returns:
        The layers, the checkpoints' names, and `index`, `checkpoint`, `row`, `column`, `value`.
    """
    import polars as pl

    layers = [layer.name for layer in main_layers(context, training.runs[-1])]
    shown = spread_evenly(len(training.runs), max(2, N_CELLS_MOST // max(len(layers) ** 2, 1)))
    frames, names = [], []
    for index, place in enumerate(shown):
        run = training.runs[place]
        there = [layer for layer in main_layers(context, run) if layer.name in set(layers)]
        here = [layer.name for layer in there]
        matrix = compare(context, [address(context, run, layer) for layer in there])
        found = cell_frame(here, here, matrix).with_columns(
            index=pl.lit(index), checkpoint=pl.lit(training.names[place])
        )
        frames.append(found)
        names.append(training.names[place])
    return layers, names, pl.concat(frames)


def draw_moving_matrices(layers: list[str], frame: pl.DataFrame, scale: Scale) -> Any:
    """The matrix of the checkpoint that a slider points at."""
    import altair as alt

    at = slider(frame)
    cells = draw_cells(layers, frame.with_columns(frame["value"].round(4)), scale)
    for layer in cells.layer:  # room for the checkpoint's name between the legend and the matrix
        legend = getattr(getattr(layer.encoding, "color", None), "legend", None)
        if isinstance(legend, alt.Legend):
            legend.offset = NAME_HEIGHT
    chart = (cells.transform_filter(f"datum.index === {at.name}") + name_of(frame, at)).add_params(at)
    return drawing.square(chart, layers) if len(layers) <= N_NAMED_MOST else chart.properties(width="container")


def has_plain(context: ReportContext, training: Training) -> bool:
    """Whether all checkpoints are shown under the same transform, so that their statistics belong together."""
    return len({shown_transform(context, run) for run in training.runs}) == 1
