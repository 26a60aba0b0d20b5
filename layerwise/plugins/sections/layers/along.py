"""Statistics of the layers, drawn as lines from the first layer to the last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from layerwise.core.history.records import RunRecord
from layerwise.report import drawing
from layerwise.report.content import ReportContext
from layerwise.report.queries import main_layers, shown_transform

if TYPE_CHECKING:
    import polars as pl


def query_statistics(context: ReportContext, run: RunRecord, shown: Mapping[str, str]) -> pl.DataFrame:
    """Statistics of the main layers, in order: `layer`, `series`, `value`, `version`; undefined ones are left out.

    Args:
        context: The report.
        run: The run.
        shown: Name of each statistic to the words of the legend.
    """
    import polars as pl

    names = {layer.name: index for index, layer in enumerate(main_layers(context, run))}
    transform = shown_transform(context, run)
    rows = [
        (names[found.layer], found.layer, shown[found.result.name], found.result.value, found.result.provider.version)
        for found in context.history.read_statistics(run.id)
        if found.result.name in shown and found.layer in names and found.transform == transform
    ]
    schema = {
        "position": pl.Int64,
        "layer": pl.String,
        "series": pl.String,
        "value": pl.Float64,
        "version": pl.String,
    }
    return pl.DataFrame(rows, schema=schema, orient="row").drop_nulls("value").sort("position").drop("position")


def draw_lines(names: list[str], frame: pl.DataFrame, series: list[str], y: Any) -> Any:
    """A line for each series along the layers.

    Args:
        names: Names of the layers, in order; those without a value have no point.
        frame: What `query_statistics` gives.
        series: The series, in the order of the legend.
        y: The vertical channel, of `value`.
    """
    import altair as alt

    base = alt.Chart(drawing.inline(frame)).encode(
        x=drawing.layer_axis(names, "layer", every=len(names) <= 32),
        y=y,
        color=drawing.series_colour(series, "measure"),
        tooltip=["layer:N", alt.Tooltip("series:N", title="measure"), alt.Tooltip("value:Q", format=".4~g")],
    )
    lines = base.mark_line(strokeWidth=2.5) + base.mark_point(filled=True, size=55, opacity=1)
    return lines.properties(width="container", height=280)


def list_versions(frame: pl.DataFrame) -> str:
    """The versions of the statistics that are shown."""
    return ", ".join(frame["version"].unique().sort())
