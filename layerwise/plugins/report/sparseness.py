"""Section: how sparse the activations are, along the layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from layerwise.core.figures import NamedFigure, chart_of_section
from layerwise.core.kinds import SectionBuilder
from layerwise.core.records import RunRecord
from layerwise.core.report import Chart, Figure, ReportContext, ReportSection
from layerwise.plugins.report import drawing
from layerwise.plugins.report.queries import featured_runs, main_layers, shown_transform, title_for

if TYPE_CHECKING:
    import polars as pl

# What is drawn, by the statistics' names, with the words of the legend.
SHOWN = {
    "sparseness-population": "Treves-Rolls, over units",
    "sparseness-lifetime": "Treves-Rolls, over stimuli",
    "fraction-zero": "share of zeros",
    "hoyer": "Hoyer",
}


def query_sparseness(context: ReportContext, run: RunRecord) -> pl.DataFrame:
    """Sparseness of the main layers: `layer`, `series`, `value`, `version`; undefined values are left out."""
    import polars as pl

    names = {layer.name: index for index, layer in enumerate(main_layers(context, run))}
    rows = [
        (names[found.layer], found.layer, SHOWN[found.result.name], found.result.value, found.result.provider.version)
        for found in context.history.read_statistics(run.id)
        if found.result.name in SHOWN and found.layer in names and found.transform == shown_transform(context, run)
    ]
    schema = {
        "position": pl.Int64,
        "layer": pl.String,
        "series": pl.String,
        "value": pl.Float64,
        "version": pl.String,
    }
    return pl.DataFrame(rows, schema=schema, orient="row").drop_nulls("value").sort("position").drop("position")


def draw_sparseness(names: list[str], frame: pl.DataFrame) -> Any:
    """Every measure of sparseness as a line along the layers."""
    import altair as alt

    series = [words for words in SHOWN.values() if words in set(frame["series"])]
    base = alt.Chart(drawing.inline(frame)).encode(
        x=drawing.layer_axis(names, "layer", every=len(names) <= 32),
        y=alt.Y("value:Q", title="sparseness", scale=alt.Scale(domain=[0, 1], clamp=True)),
        color=drawing.series_colour(series, "measure"),
        tooltip=["layer:N", alt.Tooltip("series:N", title="measure"), alt.Tooltip("value:Q", format=".3f")],
    )
    lines = base.mark_line(strokeWidth=2.5) + base.mark_point(filled=True, size=55, opacity=1)
    return lines.properties(width="container", height=280)


class Sparseness(SectionBuilder):
    """How few of the units answer."""

    name = "sparseness"
    description = "sparseness of the activations along the layers"
    position: ClassVar[int] = 80

    def applies(self, context: ReportContext) -> bool:
        """Whether there is something to show."""
        return any(len(query_sparseness(context, run)) for run in featured_runs(context))

    def build(self, context: ReportContext) -> ReportSection:
        """Query and draw."""
        figures = tuple(self._figure(context, run) for run in featured_runs(context))
        introduction = (
            "Does the network answer with many units or with few, and does a unit answer to many stimuli or to few?"
        )
        return ReportSection("Sparseness", figures, introduction)

    def figures(self) -> Sequence[NamedFigure]:
        """What `layerwise figure` draws of it."""
        return (
            chart_of_section(
                self,
                "sparseness",
                name="sparseness",
                description="how sparse the activations of each layer are",
                needs="one run with statistics of sparseness",
            ),
        )

    def _figure(self, context: ReportContext, run: RunRecord) -> Figure:
        frame = query_sparseness(context, run)
        names = [layer.name for layer in main_layers(context, run)]
        release = ", ".join(frame["version"].unique().sort())
        return Figure(
            f"sparseness-{run.id}",
            title_for(context, run, "Sparseness along the layers"),
            Chart(draw_sparseness(names, frame)),
            "0 means that all units answer alike, 1 that a single one does. Treves-Rolls sparseness is defined for "
            "activations that are never negative; layers where it is not have no point.",
            f"Treves-Rolls (1 - a) / (1 - 1/n) over units or stimuli, Hoyer, and the share of exact zeros; "
            f"{run.n_stimuli} stimuli; statistics of version {release}.",
        )
