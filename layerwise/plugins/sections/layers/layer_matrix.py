"""Section: the layer x layer matrix, the published figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from layerwise.core.history.records import RunRecord
from layerwise.core.network.layers import Layer
from layerwise.plugins.sections.layers.stretches import query_stretch, tell_stretch
from layerwise.report import drawing
from layerwise.report.by_name import chart_of_section
from layerwise.report.content import Alternatives, Chart, Figure, Finding, Preview, ReportContext, ReportSection
from layerwise.report.queries import (
    address,
    comparator_words,
    compare_table,
    featured_runs,
    headline_prefix,
    headline_runs,
    main_layers,
    number,
    title_for,
)
from layerwise.report.raster import draw_raster
from layerwise.report.scale import Scale, find_scale
from layerwise.report.section import NamedFigure, SectionBuilder

if TYPE_CHECKING:
    import polars as pl

N_LAYERS_MOST = 100  # rows of a matrix that is still fast to draw, and can be seen
UNDETERMINED = "not determined to two digits by what is known of the layers"
PREVIEW_PIXELS = 240  # a side, at least
N_NAMED_MOST = 40  # rows of a matrix with room for numbers


def pair_frame(names: list[str], matrix: Any, marked: Any = None) -> pl.DataFrame:
    """A square matrix in long form: `row`, `column`, `value` (None where undefined), and `known` if not all are."""
    import polars as pl

    pairs = [(row, column) for row in range(len(names)) for column in range(len(names))]
    frame = pl.DataFrame(
        {
            "row": [names[row] for row, _ in pairs],
            "column": [names[column] for _, column in pairs],
            "value": [number(matrix[row, column]) for row, column in pairs],
        },
        schema={"row": pl.String, "column": pl.String, "value": pl.Float64},
    )
    if marked is None or not marked.any():
        return frame
    return frame.with_columns(pl.Series("known", [UNDETERMINED if marked[pair] else "" for pair in pairs]))


def query_layer_matrix(
    context: ReportContext, run: RunRecord, layers: Sequence[Layer] | None = None
) -> tuple[list[str], pl.DataFrame]:
    """Names of the layers (the main ones, where none are given), and the similarity of each pair of them."""
    layers = main_layers(context, run) if layers is None else layers
    names = [layer.name for layer in layers]
    table = compare_table(context, [address(context, run, layer) for layer in layers])
    return names, pair_frame(names, table.matrix, table.marked)


def list_views(context: ReportContext, run: RunRecord) -> dict[str, list[Layer]]:
    """Which layers the matrix can be looked at for, by heading; the main ones first, and none of them twice."""
    layers = context.history.list_layers(run.id)
    views = {"Main layers": main_layers(context, run)}
    others = {
        "Input, branches and output": [la for la in layers if la.branch is not None or la.role != "hidden"],
        "All layers": list(layers),
    }
    for heading, found in others.items():
        more = any(layer.branch is not None for layer in found) or len(found) > len(views["Main layers"])
        if more and 2 < len(found) <= N_LAYERS_MOST and found not in views.values():
            views[heading] = found
    return views


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
            *([alt.Tooltip("known:N", title="resolution")] if has_undetermined(frame) else []),
        ],
    )
    undefined = base.transform_filter("!isValid(datum.value)").mark_rect(color="#9a9a9a", aria=False)
    defined = base.transform_filter("isValid(datum.value)")
    bounds = scale.bounds(frame["value"].drop_nulls())
    cells = defined.mark_rect().encode(color=drawing.measure_colour(bounds, scale.axis("of the two layers")))
    if len(names) > N_NAMED_MOST:  # nobody could read them
        return undefined + cells
    ink = drawing.ink(bounds)
    known = defined.transform_filter("!datum.known") if has_undetermined(frame) else defined
    words = known.mark_text(fontSize=9).encode(text=alt.Text("value:Q", format=scale.format), color=ink)
    chart = undefined + cells + words
    if has_undetermined(frame):
        doubted = defined.transform_filter("datum.known").transform_calculate(
            text=f"'~' + format(datum.value, '{scale.format}')"
        )
        chart += doubted.mark_text(fontSize=9, fontStyle="italic").encode(text="text:N", color=ink)
    return chart


def has_undetermined(frame: pl.DataFrame) -> bool:
    """Whether some pair's number is not determined to two digits."""
    return "known" in frame.columns


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
            "Two layers are similar when they agree on which stimuli are alike. Dark blocks along the "
            "diagonal are stretches of the network that keep the same structure; where it breaks, it is rebuilt."
        )
        return ReportSection("Layer by layer", figures, introduction)

    def findings(self, context: ReportContext) -> Sequence[Finding]:
        """The longest stretch of small steps of each network that the head of the page is about."""
        found = []
        for run in headline_runs(context):
            stretch = query_stretch(context, run)
            if stretch is not None:
                told = tell_stretch(stretch)
                found.append(replace(told, text=headline_prefix(context, run) + told.text, figure=f"layers-{run.id}"))
        return found

    def preview(self, context: ReportContext) -> Preview | None:
        """The matrix of the last network, as a small picture."""
        runs = headline_runs(context)
        if not runs:
            return None
        names, frame = query_layer_matrix(context, runs[-1])
        if len(names) < 2:
            return None
        values = frame["value"].to_numpy().astype(np.float64).reshape(len(names), -1)
        bounds = find_scale(context).bounds(frame["value"].drop_nulls())
        image = draw_raster(values, bounds, PREVIEW_PIXELS)
        what = f"{find_scale(context).noun} of every two of {len(names)} layers, {names[0]} to {names[-1]}"
        return Preview(image, f"layers-{runs[-1].id}", f"Small picture of the layer matrix: {what}.")

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
        scale = find_scale(context)
        title = title_for(context, run, f"{scale.noun.capitalize()} between layers")
        views = list_views(context, run)
        panels = [
            self._panel(context, run, heading, "layers" if index == 0 else f"layers-{index}", layers)
            for index, (heading, layers) in enumerate(views.items())
        ]
        way = "" if scale.measure.symmetric else " The measure has a direction: from the row's layer to the column's."
        doubt = self._doubt(context, run)
        several = " Other layers can be chosen above the matrix." if len(panels) > 1 else ""
        return Figure(
            f"layers-{run.id}",
            title,
            panels[0].content if len(panels) == 1 else Alternatives("Layers", tuple(panels)),
            f"Each cell compares two layers; {scale.reading}. Point at a cell for its value; grey cells "
            f"are undefined.{doubt}{way}{several}",
            f"{comparator_words(context)}; {run.n_stimuli} stimuli; layers in order of computation.",
            panels[0].description,
        )

    def _doubt(self, context: ReportContext, run: RunRecord) -> str:
        _, frame = query_layer_matrix(context, run)
        if not has_undetermined(frame):
            return ""
        doubted = frame.filter(frame["known"] != "")["row"].unique(maintain_order=True).to_list()
        return f" Numbers with ~ are {UNDETERMINED} (their resolution): {', '.join(doubted)}."

    def _panel(
        self, context: ReportContext, run: RunRecord, heading: str, name: str, layers: Sequence[Layer]
    ) -> Figure:
        scale = find_scale(context)
        names, frame = query_layer_matrix(context, run, layers)
        description = f"Matrix of the {scale.noun} between {len(names)} layers: {', '.join(names)}."
        chart = drawing.lead_to_pairs(draw_layer_matrix(names, frame, scale), run.id)
        return Figure(f"{name}-{run.id}", heading, Chart(chart), description=description)
