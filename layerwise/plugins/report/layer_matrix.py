"""Section: the layer x layer matrix, the published figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from layerwise.core.figures import NamedFigure, chart_of_section
from layerwise.core.kinds import SectionBuilder
from layerwise.core.records import RunRecord
from layerwise.core.report import Chart, Figure, ReportContext, ReportSection
from layerwise.plugins.report import drawing
from layerwise.plugins.report.queries import (
    address,
    comparator_words,
    compare,
    featured_runs,
    main_layers,
    number,
    title_for,
)
from layerwise.plugins.report.scale import Scale, find_scale

if TYPE_CHECKING:
    import polars as pl


def pair_frame(names: list[str], matrix: Any) -> pl.DataFrame:
    """A square matrix in long form: `row`, `column`, `value` (None where undefined)."""
    import polars as pl

    pairs = [(row, column) for row in range(len(names)) for column in range(len(names))]
    return pl.DataFrame(
        {
            "row": [names[row] for row, _ in pairs],
            "column": [names[column] for _, column in pairs],
            "value": [number(matrix[row, column]) for row, column in pairs],
        },
        schema={"row": pl.String, "column": pl.String, "value": pl.Float64},
    )


def query_layer_matrix(context: ReportContext, run: RunRecord) -> tuple[list[str], pl.DataFrame]:
    """Names of the main layers, and the similarity of each pair of them."""
    layers = main_layers(context, run)
    names = [layer.name for layer in layers]
    return names, pair_frame(names, compare(context, [address(context, run, layer) for layer in layers]))


def draw_cells(names: list[str], frame: pl.DataFrame, scale: Scale) -> Any:
    """The cells of a layer x layer matrix, coloured, with the value written in each and shown on hover."""
    import altair as alt

    bands = alt.Scale(domain=names, paddingInner=0.03, paddingOuter=0.03)
    axis = {"title": None, "grid": False, "ticks": False, "domain": False, "labelLimit": 130}
    base = alt.Chart(drawing.inline(frame)).encode(
        x=alt.X("column:N", scale=bands, axis=alt.Axis(labelAngle=-90, labelOverlap=False, **axis)),
        y=alt.Y("row:N", scale=bands, axis=alt.Axis(labelOverlap=False, **axis)),
        tooltip=[
            alt.Tooltip("row:N", title="layer"),
            alt.Tooltip("column:N", title="and layer"),
            alt.Tooltip("value:Q", title=scale.noun, format=".3f"),
        ],
    )
    undefined = base.transform_filter("!isValid(datum.value)").mark_rect(color="#9a9a9a")
    defined = base.transform_filter("isValid(datum.value)")
    bounds = scale.bounds(frame["value"].drop_nulls())
    cells = defined.mark_rect().encode(color=drawing.measure_colour(bounds, scale.axis("of the two layers")))
    words = defined.mark_text(fontSize=9).encode(
        text=alt.Text("value:Q", format=scale.format), color=drawing.ink(bounds)
    )
    return undefined + cells + words


def draw_layer_matrix(names: list[str], frame: pl.DataFrame, scale: Scale) -> Any:
    """The layer x layer matrix as a chart of square cells."""
    return drawing.square(draw_cells(names, frame, scale), names)


class LayerMatrix(SectionBuilder):
    """How similar each layer is to each other layer."""

    name = "layer-matrix"
    description = "layer x layer similarity of the main layers"
    position: ClassVar[int] = 30

    def applies(self, context: ReportContext) -> bool:
        """Whether there is something to show."""
        return any(len(main_layers(context, run)) > 1 for run in featured_runs(context))

    def build(self, context: ReportContext) -> ReportSection:
        """Query and draw."""
        figures = tuple(self._figure(context, run) for run in featured_runs(context))
        introduction = (
            "Two layers are similar when they agree on which stimuli are alike. Blocks of warm colour along the "
            "diagonal are stretches of the network that keep the same structure; where it breaks, it is rebuilt."
        )
        return ReportSection("Layer by layer", figures, introduction)

    def figures(self) -> Sequence[NamedFigure]:
        """What `layerwise figure` draws of it."""
        return (
            chart_of_section(
                self,
                "layers",
                name="layer-matrix",
                description="how alike every two main layers are",
                needs="one run with two main layers or more",
            ),
        )

    def _figure(self, context: ReportContext, run: RunRecord) -> Figure:
        names, frame = query_layer_matrix(context, run)
        scale = find_scale(context)
        return Figure(
            f"layers-{run.id}",
            title_for(context, run, f"{scale.noun.capitalize()} between layers"),
            Chart(draw_layer_matrix(names, frame, scale)),
            f"Each cell compares two layers; {scale.reading}. Point at a cell for its value; grey cells "
            "are undefined.",
            f"{comparator_words(context)}; {run.n_stimuli} stimuli; layers in order of computation.",
            f"Matrix of the {scale.noun} between {len(names)} layers: {', '.join(names)}.",
        )
