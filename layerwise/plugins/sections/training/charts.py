"""How a training is drawn: layers by checkpoints, and what moves when a slider goes from checkpoint to checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from layerwise.plugins.sections.layers.weights import LABEL_WIDTH, ROW, Ridges
from layerwise.plugins.sections.shared.grids import Grid, difference_bounds, draw_grid, fit_width
from layerwise.plugins.sections.training.queries import WEIGHT_CHANGE
from layerwise.plugins.sections.transition.section import TO_INPUT
from layerwise.report import drawing
from layerwise.report.scale import Bounds, Scale

if TYPE_CHECKING:
    import polars as pl

SLIDER = "checkpoint "
N_RIDGE_ROWS = 40_000
LEAST_HEIGHT = 260


def checkpoint_axis(names: list[str]) -> Any:
    """A horizontal axis with one place for each checkpoint, in order."""
    import altair as alt

    axis = alt.Axis(
        labelAngle=-45, grid=False, ticks=False, domain=False, labelLimit=130, labelOverlap=len(names) > 32
    )
    return alt.X("checkpoint:N", title="checkpoint", scale=alt.Scale(domain=names), axis=axis)


def draw_training(frame: pl.DataFrame, view: str, scale: Scale) -> Any:
    """One view of the training: layers down, checkpoints across, the measure as colour."""
    grid = Grid(
        frame["layer"].unique(maintain_order=True).to_list(),
        frame.sort("index")["checkpoint"].unique(maintain_order=True).to_list(),
        frame.select(row="layer", column="checkpoint", value=view),
        scale.bounds(frame[view].drop_nulls()),
        scale.axis(),
        scale.noun,
        column="checkpoint",
        titles=("checkpoint", None),
        format=scale.format,
    )
    return fit_width(draw_grid(grid), grid)


def draw_lines(frame: pl.DataFrame, series: tuple[str, ...], title: str, number_format: str) -> Any:
    """Lines over the checkpoints, between 0 and 1."""
    import altair as alt

    base = alt.Chart(drawing.inline(frame)).encode(
        x=checkpoint_axis(frame["checkpoint"].unique(maintain_order=True).to_list()),
        y=alt.Y("value:Q", title=title, axis=alt.Axis(format=number_format), scale=alt.Scale(domain=[0, 1])),
        color=drawing.series_colour(series),
        tooltip=[
            "checkpoint:N",
            alt.Tooltip("series:N", title="measure"),
            alt.Tooltip("value:Q", format=".1%" if "%" in number_format else ".3f"),
        ],
    )
    lines = base.mark_line(strokeWidth=2.5) + base.mark_point(filled=True, size=55, opacity=1)
    return lines.properties(width="container", height=220)


def draw_moving_profile(frame: pl.DataFrame, scale: Scale, end: str) -> Any:
    """The profile to `end` of the checkpoint that a slider points at, over those of all others in pale."""
    import altair as alt
    import polars as pl

    layers = frame["layer"].unique(maintain_order=True).to_list()
    series = (TO_INPUT, f"to {end}")
    long = pl.concat(
        frame.select("index", "checkpoint", "layer", value=view, series=pl.lit(words))
        for view, words in zip(("input", "output"), series, strict=True)
    ).drop_nulls("value")
    at = slider(frame)
    base = alt.Chart(drawing.inline(long)).encode(
        x=drawing.layer_axis(layers, "layer", every=len(layers) <= 32),
        y=alt.Y("value:Q", title=scale.axis()),
        color=drawing.series_colour(series, scale.noun),
    )
    pale = base.mark_line(strokeWidth=1, opacity=0.25, tooltip=None).encode(detail="index:O")
    here = base.transform_filter(f"datum.index === {at.name}").encode(
        tooltip=[
            "checkpoint:N",
            "layer:N",
            alt.Tooltip("series:N", title=scale.noun),
            alt.Tooltip("value:Q", title=scale.symbol, format=".3~f"),
        ]
    )
    lines = here.mark_line(strokeWidth=3) + here.mark_point(filled=True, size=60, opacity=1)
    return (pale + lines + name_of(frame, at)).add_params(at).properties(width="container", height=300)


def slider(frame: pl.DataFrame) -> Any:
    """A slider from the first checkpoint to the last, which it points at first."""
    import altair as alt

    last = frame["index"].n_unique() - 1
    bind = alt.binding_range(min=0, max=last, step=1, name=SLIDER)
    return alt.param(name="at", value=last, bind=bind)


def name_of(frame: pl.DataFrame, at: Any) -> Any:
    """The name of the checkpoint that the slider points at, above the chart's right end."""
    import altair as alt

    names = frame.select("index", "checkpoint").unique().sort("index")
    words = alt.Chart(drawing.decoration(names.to_dicts())).mark_text(
        align="right", baseline="bottom", fontSize=14, fontWeight="bold", tooltip=None
    )
    placed = words.encode(x=alt.value("width"), y=alt.value(-6), text="checkpoint:N")
    return placed.transform_filter(f"datum.index === {at.name}").properties(name="names")


def draw_sparseness_over(frame: pl.DataFrame) -> Any:
    """Sparseness, layers by checkpoints; which measure of it is chosen in a list."""
    import altair as alt

    series = frame["series"].unique(maintain_order=True).to_list()
    grid = _over_checkpoints(frame, Bounds(0, 1, diverging=False), "sparseness", "sparseness")
    measure = alt.param(name="measure", value=series[0], bind=alt.binding_select(options=series, name="measure "))
    return fit_width(draw_grid(grid).transform_filter("datum.series === measure").add_params(measure), grid)


def draw_weight_statistic(frame: pl.DataFrame, statistic: str) -> Any:
    """One statistic of the weights, tensors by checkpoints."""
    found = frame.filter(series=statistic).drop("series")
    values = found["value"].drop_nulls()
    if statistic == WEIGHT_CHANGE:
        grid = _over_checkpoints(found, difference_bounds(values), "change of spread (log2)", "log2")
    else:
        ends = [0.0, *values.to_list()]
        bounds = Bounds(min(ends), max(ends) if max(ends) > min(ends) else 1.0, diverging=False)
        grid = _over_checkpoints(found, bounds, statistic.removeprefix("weight-").replace("-", " "), "value")
    return fit_width(draw_grid(grid), grid, row_height=20)


def _over_checkpoints(frame: pl.DataFrame, bounds: Bounds, legend: str, value: str) -> Grid:
    return Grid(
        frame["row"].unique(maintain_order=True).to_list(),
        frame["column"].unique(maintain_order=True).to_list(),
        frame,
        bounds,
        legend,
        value,
        row="of",
        column="checkpoint",
        titles=("checkpoint", None),
    )


def draw_moving_ridges(ridges: list[Ridges], names: list[str]) -> Any:
    """Histograms of the weights of the checkpoint that a slider points at, as ridges on one axis of weights."""
    import altair as alt
    import polars as pl

    tensors = list(dict.fromkeys(name for found in ridges for name in found.tensors))
    last, limit = len(tensors) - 1, max(found.limit for found in ridges)
    place = {name: index for index, name in enumerate(tensors)}
    frame = pl.concat(
        found.frame.select(
            pl.lit(index).alias("index"),
            pl.lit(name).alias("checkpoint"),
            "tensor",
            pl.col("weight").round_sig_figs(4),
            pl.col("height").round(3),
        )
        for index, (found, name) in enumerate(zip(ridges, names, strict=True))
    ).with_columns(base=last - pl.col("tensor").replace_strict(place, return_dtype=pl.Int64))
    at = slider(frame)
    domain = alt.Scale(domain=[-0.2, last + 1.7], nice=False)
    ridge = (
        alt.Chart(drawing.inline(frame))
        .transform_filter(f"datum.index === {at.name}")
        .transform_calculate(top="datum.base + 1.6 * datum.height")
        .mark_area(interpolate="monotone", fillOpacity=0.75, fill=drawing.ACCENT, stroke="#ffffff", strokeWidth=0.8)
        .encode(
            x=alt.X("weight:Q", title="weight", scale=alt.Scale(domain=[-limit, limit], nice=False, clamp=True)),
            y=alt.Y("base:Q", scale=domain, axis=None),
            y2="top:Q",
            detail="tensor:N",
            order=alt.Order("base:Q", sort="descending"),
            tooltip=["tensor:N", "checkpoint:N"],
        )
        .properties(name="ridges")
    )
    labels = pl.DataFrame({"tensor": tensors, "base": [float(last - index) for index in range(last + 1)]})
    named = (
        alt.Chart(drawing.decoration(labels.to_dicts()))
        .mark_text(align="right", baseline="bottom", dx=-8, limit=LABEL_WIDTH, fontSize=10)
        .encode(x=alt.value(0), y=alt.Y("base:Q", scale=domain, axis=None), text="tensor:N")
        .properties(name="tensor_names")
    )
    drawn = ridge + named + name_of(frame, at)
    return drawn.add_params(at).properties(width="container", height=max(ROW * (last + 3), LEAST_HEIGHT))
