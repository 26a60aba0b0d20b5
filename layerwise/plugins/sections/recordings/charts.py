"""How recordings are drawn beside networks: along the layers, as cells, network against network, under a ceiling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from layerwise.plugins.sections.recordings.ceilings import Ceiling
from layerwise.plugins.sections.recordings.queries import Match
from layerwise.plugins.sections.shared.grids import Grid, cell_frame, draw_grid, fit_square, fit_width
from layerwise.report import drawing
from layerwise.report.scale import Bounds, Scale

if TYPE_CHECKING:
    import polars as pl

HEIGHT = 300


def draw_along(match: Match, frame: pl.DataFrame, scale: Scale) -> Any:
    """A line for each area along the layers of a network, in its band; rings are around the best layers."""
    import altair as alt

    base = alt.Chart(drawing.inline(frame.drop_nulls("value"))).encode(
        x=drawing.layer_axis(match.layers, "layer", every=len(match.layers) <= 32),
        color=drawing.series_colour([area.name for area in match.areas], "area"),
        tooltip=_tooltips(frame, scale),
    )
    y = alt.Y("value:Q", title=scale.axis("to the area"))
    chart = _zero().encode(y="value:Q")
    if frame["low"].count():
        band = base.transform_filter("isValid(datum.low)").mark_area(opacity=0.16, tooltip=None)
        chart += band.encode(y=alt.Y("low:Q", title=scale.axis("to the area")), y2="high:Q")
    chart += base.mark_line(strokeWidth=2.5).encode(y=y)
    chart += base.mark_point(filled=True, size=45, opacity=1).encode(y=y)
    rings = base.transform_filter("datum.standing === 'best'").mark_point(filled=False, size=230, strokeWidth=2.2)
    return (chart + rings.encode(y=y)).properties(width="container", height=HEIGHT)


def draw_many_along(match: Match, frame: pl.DataFrame, scale: Scale) -> Any:
    """Any number of areas along the layers of a network: the mean over recordings bold, each recording pale.

    Areas of the same name have one colour. More names than the palette has colours get them from one end of a scale
    to the other, in their order.
    """
    import altair as alt
    import polars as pl

    own = {area.name: area.own_name for area in match.areas}
    names = list(dict.fromkeys(own.values()))
    named = frame.drop_nulls("value").with_columns(
        recording=pl.col("series"), series=pl.col("series").replace_strict(own, return_dtype=pl.String)
    )
    means = named.group_by("series", "layer", maintain_order=True).agg(pl.col("value").mean())
    title = scale.axis("to the area")
    encoded = {
        "x": drawing.layer_axis(match.layers, "layer", every=len(match.layers) <= 32),
        "y": alt.Y("value:Q", title=title),
        "color": drawing.series_colour(names, "area"),
    }
    if len(names) > len(drawing.PALETTE):
        colours = ["#{:02x}{:02x}{:02x}".format(*one) for one in drawing.sequential_colours(len(names) + 2)[2:]]
        encoded["color"].scale = alt.Scale(domain=names, range=colours)
    chart = _zero().encode(y="value:Q")
    value = alt.Tooltip("value:Q", title=scale.symbol, format=".3f")
    if len(names) < len(own):
        each = alt.Chart(drawing.inline(named)).mark_line(strokeWidth=1, opacity=0.35)
        chart += each.encode(
            **encoded, detail="recording:N", tooltip=[alt.Tooltip("recording:N", title="area"), "layer:N", value]
        )
    base = alt.Chart(drawing.inline(means)).encode(
        **encoded, tooltip=[alt.Tooltip("series:N", title="area"), "layer:N", value]
    )
    chart += base.mark_line(strokeWidth=2.5) + base.mark_point(filled=True, size=45, opacity=1)
    return chart.properties(width="container", height=HEIGHT)


def _tooltips(frame: pl.DataFrame, scale: Scale) -> list[Any]:
    import altair as alt

    return [
        alt.Tooltip("series:N", title="area"),
        alt.Tooltip("layer:N", title="layer"),
        alt.Tooltip("value:Q", title=scale.symbol, format=".3f"),
        *drawing.interval_tooltips(frame),
    ]


def _zero() -> Any:
    import altair as alt

    return alt.Chart(drawing.decoration([{"value": 0}])).mark_rule(color=drawing.QUIET, strokeDash=[2, 3])


def draw_cells(match: Match, frame: pl.DataFrame, scale: Scale) -> Any:
    """Areas by layers; the best layer of each area is boxed, dashes are around those that are not clearly worse."""
    import altair as alt

    cells = frame.select("value", "standing", row="series", column="layer")
    grid = Grid(
        [area.name for area in match.areas],
        list(match.layers),
        cells.drop("standing"),
        reached_bounds(scale, frame["value"].drop_nulls().to_list()),
        scale.axis("of area and layer"),
        scale.noun,
        row="area",
        column="layer",
        format=scale.format,
    )
    chart = draw_grid(grid)
    for standing, width, dash in (("no worse", 1.4, [3, 3]), ("best", 2.4, [1, 0])):
        boxed = cells.filter(standing=standing).select("row", "column")
        if not boxed.is_empty():
            box = alt.Chart(drawing.decoration(boxed.to_dicts())).encode(x="column:N", y="row:N")
            halo = box.mark_rect(fillOpacity=0, stroke="#ffffff", strokeWidth=width + 1.8, tooltip=None)
            chart += halo + box.mark_rect(
                fillOpacity=0, stroke="#111111", strokeWidth=width, strokeDash=dash, tooltip=None
            )
    return fit_width(chart, grid, row_height=30)


def reached_bounds(scale: Scale, values: Sequence[float]) -> Bounds:
    """Ends of a colour scale that the values reach: recordings are noisy, and -1 to 1 would show them all as pale."""
    whole = scale.bounds(values)
    if not whole.diverging:
        return whole
    largest = max((abs(value) for value in values), default=whole.high)
    reach = min(whole.high, max(math.ceil(10 * largest - 1e-9) / 10, 0.1))
    return Bounds(-reach, reach, diverging=True)


def draw_networks(frame: pl.DataFrame, networks: Sequence[str], scale: Scale) -> Any:
    """For each area how like it the best layer of each network is; networks beside each other, in one colour each."""
    import altair as alt

    areas = frame["series"].unique(maintain_order=True).to_list()
    title = scale.axis("to the best layer")
    base = alt.Chart(drawing.inline(frame.rename({"series": "area", "network": "series"}))).encode(
        x=alt.X("area:N", title="area", scale=alt.Scale(domain=areas), axis=alt.Axis(labelAngle=0, grid=False)),
        xOffset=alt.XOffset("series:N", scale=alt.Scale(domain=list(networks), paddingOuter=0.6)),
        color=drawing.series_colour(networks, "network"),
        tooltip=[alt.Tooltip("series:N", title="network"), alt.Tooltip("area:N", title="area"), *_best(frame, scale)],
    )
    chart = _zero().encode(y=alt.Y("value:Q", title=title))
    if frame["low"].count():
        sure = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=1.8)
        chart += sure.encode(y=alt.Y("low:Q", title=title), y2="high:Q")
    chart += base.mark_point(filled=True, size=90, opacity=1).encode(y=alt.Y("value:Q", title=title))
    return chart.properties(width="container", height=HEIGHT)


def _best(frame: pl.DataFrame, scale: Scale) -> list[Any]:
    import altair as alt

    return [
        alt.Tooltip("layer:N", title="best layer"),
        alt.Tooltip("value:Q", title=scale.symbol, format=".3f"),
        *drawing.interval_tooltips(frame),
    ]


def draw_course(frame: pl.DataFrame, networks: Sequence[str], scale: Scale) -> Any:
    """How like the best layer is to each area, along many networks, such as the checkpoints of a training."""
    import altair as alt

    areas = frame["series"].unique(maintain_order=True).to_list()
    overlap = len(networks) > 32
    axis = alt.Axis(labelAngle=-45, grid=False, ticks=False, labelLimit=130, labelOverlap=overlap)
    base = alt.Chart(drawing.inline(frame)).encode(
        x=alt.X("network:N", title="network", scale=alt.Scale(domain=list(networks)), axis=axis),
        y=alt.Y("value:Q", title=scale.axis("to the best layer")),
        color=drawing.series_colour(areas, "area"),
        tooltip=[alt.Tooltip("network:N"), alt.Tooltip("series:N", title="area"), *_best(frame, scale)],
    )
    chart = _zero().encode(y="value:Q") + base.mark_line(strokeWidth=2.5)
    return (chart + base.mark_point(filled=True, size=45, opacity=1)).properties(width="container", height=HEIGHT)


def draw_among(names: list[str], matrix: NDArray[np.float64], scale: Scale) -> Any:
    """Areas by areas."""
    frame = cell_frame(names, names, matrix)
    grid = Grid(
        names,
        names,
        frame,
        scale.bounds(frame["value"].drop_nulls()),
        scale.axis("of the two areas"),
        scale.noun,
        row="area",
        column="and area",
        format=scale.format,
    )
    return fit_square(draw_grid(grid), grid)


def draw_under_ceiling(frame: pl.DataFrame, ceiling: Ceiling, scale: Scale) -> Any:
    """One area of several recordings, along the layers: means over recordings, and the noise ceiling in grey.

    Args:
        frame: See `recordings.ceiling_frame`. Of one network each recording is a pale line besides; several are
            drawn on relative depth.
        ceiling: Of the area.
        scale: Of the measure.
    """
    import altair as alt

    networks = frame["series"].unique(maintain_order=True).to_list()
    layers = frame["layer"].unique(maintain_order=True).to_list()
    depth = alt.X("depth:Q", title="relative depth", scale=alt.Scale(domain=[0, 1]))
    x = depth if len(networks) > 1 else drawing.layer_axis(layers, "layer", every=len(layers) <= 32)
    title = scale.axis("to the area")
    ends = alt.Chart(drawing.decoration([{"low": ceiling.low, "high": ceiling.high}]))
    chart = ends.mark_rect(color=drawing.QUIET, opacity=0.35, tooltip=None).encode(
        y=alt.Y("low:Q", title=title), y2="high:Q"
    )
    chart += _zero().encode(y="value:Q")
    value = alt.Tooltip("value:Q", title=scale.symbol, format=".3f")
    if len(networks) == 1:
        each = alt.Chart(drawing.inline(frame)).mark_line(strokeWidth=1.2, opacity=0.5, color=drawing.QUIET)
        chart += each.encode(
            x=x, y=alt.Y("value:Q", title=title), detail="recording:N", tooltip=["recording:N", "layer:N", value]
        )
    means = frame.select("series", "layer", "depth", value="mean").unique(maintain_order=True)
    base = alt.Chart(drawing.inline(means)).encode(
        x=x,
        y=alt.Y("value:Q", title=title),
        color=drawing.series_colour(networks, "network"),
        tooltip=[alt.Tooltip("series:N", title="network"), "layer:N", value],
    )
    chart += base.mark_line(strokeWidth=3) + base.mark_point(filled=True, size=55, opacity=1)
    return chart.properties(width="container", height=HEIGHT)
