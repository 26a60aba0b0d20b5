"""Stimulus x stimulus matrices as figures: one layer in full, or all layers beside each other in one order.

A matrix of 500 stimuli has a quarter of a million cells, which no chart can hold as marks. Its cells become squares
of pixels of a picture, inside a chart that has axes and a colour scale as every other.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.measure import compute_metric, explain_missing, find_read_address
from layerwise.core.analysis.order import order_stimuli
from layerwise.core.analysis.working_memory import check_matrices
from layerwise.core.base.errors import InputError
from layerwise.core.history.records import LayerAddress, RunRecord
from layerwise.core.host.kinds import Metric
from layerwise.core.host.registry import Registered
from layerwise.core.network.layers import Layer
from layerwise.core.network.representation import strict_upper
from layerwise.report import drawing
from layerwise.report.content import Chart, Figure, ReportContext
from layerwise.report.queries import main_layers, shown_transform, title_for
from layerwise.report.raster import draw_raster
from layerwise.report.scale import Bounds
from layerwise.report.section import FigureOptions

if TYPE_CHECKING:
    import polars as pl

REORDERER = "layerwise:average-linkage"
PEARSON = "Pearson correlation between activation vectors"
INSIDE = 0.995  # share of the pairs whose values lie within the colour scale
LEAST_REACH = 0.2  # of a bounded measure's range; a layer in which nothing is alike shall not look as if it were
PANEL = 130
SINGLE = 420


@dataclass(frozen=True, eq=False)
class OrderedMatrices:
    """The matrices of some layers in one order of the stimuli.

    Attributes:
        layers: Names.
        matrices: For each layer (n, n), rows and columns in the order; NaN where undefined.
        names: The n stimuli, in the order.
        order: What the order is, in a few words, and `provider` who made it.
        measure: What a value is, in words.
        symbol: What a value is called on the scale.
        kind: `similarity` or `distance`.
        bounds: Ends of the colour scale that all share; values beyond have the colours of the ends.
    """

    layers: tuple[str, ...]
    matrices: tuple[NDArray[np.floating], ...]
    names: tuple[str, ...]
    order: str
    provider: str
    measure: str
    symbol: str
    kind: str
    bounds: Bounds

    @property
    def open_ends(self) -> str:
        """At which ends of the colour scale values lie beyond it."""
        pairs = [strict_upper(matrix) for matrix in self.matrices]
        low = any(bool((values < self.bounds.low).any()) for values in pairs)
        high = any(bool((values > self.bounds.high).any()) for values in pairs)
        return ("low" if low else "") + ("high" if high else "")


def query_matrices(
    context: ReportContext, run: RunRecord, layers: Sequence[Layer], options: FigureOptions
) -> OrderedMatrices:
    """The matrices of these layers, ordered as the options say, by default by the input.

    Raises:
        InputError: If there is no layer, reorderer or metric of that name.
    """
    check_matrices("the figure", run.n_stimuli, 3 + 2 * len(layers))
    transform = shown_transform(context, run)
    method = options.method or REORDERER
    ordering = order_stimuli(context.registry, context.history, run, options.by, method, transform)
    order = np.asarray(ordering.permutation, dtype=np.intp)
    metric = context.registry.get(Metric, context.choice.metric) if context.choice.metric else None
    matrices = tuple(
        _read_matrix(context, metric, LayerAddress(run.id, layer.name, transform))[np.ix_(order, order)]
        for layer in layers
    )
    stimuli = context.history.list_stimuli(run.id)
    return OrderedMatrices(
        tuple(layer.name for layer in layers),
        matrices,
        tuple(stimuli[position].name for position in order),
        ordering.address.layer if ordering.reorderer.name == REORDERER else method,
        f"{ordering.reorderer.name} {ordering.reorderer.version}",
        PEARSON if metric is None else metric.offer.description,
        "r" if metric is None else metric.offer.symbol or metric.name,
        "similarity" if metric is None else metric.offer.kind,
        find_bounds(matrices, metric),
    )


def _read_matrix(
    context: ReportContext, metric: Registered[Metric] | None, address: LayerAddress
) -> NDArray[np.floating]:
    if metric is None:
        return context.history.read_representation(address).correlation
    place = find_read_address(metric, address)
    try:
        return compute_metric(metric, context.history.read_representation(place))
    except InputError as error:
        raise explain_missing(metric, error) from error


def find_bounds(matrices: Sequence[NDArray[np.floating]], metric: Registered[Metric] | None = None) -> Bounds:
    """A colour scale for all matrices: 99.5 % of all pairs lie inside, its ends are round numbers.

    A similarity that can be negative gets a scale that diverges around 0, everything else one from end to end.
    """
    values = np.concatenate([strict_upper(matrix) for matrix in matrices])
    values = values[np.isfinite(values)].astype(np.float64)
    if not values.size:
        return Bounds(-1, 1, diverging=True)
    is_distance = metric is not None and metric.offer.kind == "distance"
    low, high = (-1.0, 1.0) if metric is None else metric.offer.value_range
    least = LEAST_REACH * high if high else 0.0
    if not is_distance and (low is None or low < 0):
        reach = _round_up(max(least, float(np.quantile(np.abs(values), INSIDE))))
        return Bounds(-reach, reach, diverging=True)
    top = _round_up(max(least, float(np.quantile(values, INSIDE))))
    return Bounds(0.0 if low is None else low, top, diverging=False, dark_is_low=is_distance)


def _round_up(value: float) -> float:
    """The next number with one digit, such as 0.3 or 20; at most 5 % below the value counts as reached."""
    if value <= 0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(value))
    return float(f"{math.ceil(round(value / unit - 0.05, 6)) * unit:.1g}")


def draw_matrix(found: OrderedMatrices, index: int, side: int, *, legend: bool = True, axes: bool = True) -> Any:
    """One matrix as a square chart."""
    import altair as alt

    n_stimuli = len(found.matrices[index])
    pixels = draw_raster(found.matrices[index], found.bounds, 2 * side)
    address = f"data:image/png;base64,{base64.b64encode(pixels).decode()}"
    scale = alt.Scale(domain=[0, n_stimuli], nice=False)
    title = f"{n_stimuli} stimuli, ordered by {found.order}" if axes else None
    axis = alt.Axis(grid=False, ticks=False, labels=False, domain=False) if axes else None
    corners = [{"start": 0, "end": n_stimuli, "value": found.bounds.low, "picture": address}]
    base = alt.Chart(alt.InlineData(values=corners)).encode(
        x=alt.X("start:Q", title=title, scale=scale, axis=axis),
        x2="end:Q",
        y=alt.Y("start:Q", title=title, scale=alt.Scale(domain=[n_stimuli, 0], nice=False), axis=axis),
        y2="end:Q",
    )
    image = base.mark_image(aspect=False, clip=True).encode(url="picture:N")
    frame = base.mark_rect(fillOpacity=0, stroke="#808080", strokeWidth=0.8)
    chart = image + frame
    if legend:
        what = f"{found.kind} of two stimuli ({found.symbol})"
        colour = drawing.measure_colour(found.bounds, what, open_ends=found.open_ends)
        chart += base.mark_point(opacity=0, size=1).encode(color=colour)
    return chart.properties(width=side, height=side)


def build_matrix(context: ReportContext, options: FigureOptions) -> Figure:
    """One layer's matrix: of the output, or of the only layer that was chosen."""
    run = context.runs[0]
    layer = _choose_one(context, run, options)
    found = query_matrices(context, run, [layer], options)
    chart = draw_matrix(found, 0, SINGLE).properties(usermeta={"layerwise": {"square": 20}})
    title = title_for(context, run, f"{found.kind.capitalize()} between stimuli in {layer.name}")
    return Figure("matrix", title, Chart(chart, lambda: list_pairs(found)), _caption(found), _method(found, run))


def _choose_one(context: ReportContext, run: RunRecord, options: FigureOptions) -> Layer:
    chosen = main_layers(context, run)
    if options.layers and len(chosen) > 1:
        names = ", ".join(layer.name for layer in chosen)
        raise InputError(f"figure 'matrix' shows one layer, 'matrices' several; chosen are {names}")
    return next((layer for layer in chosen if layer.role == "output"), chosen[-1])


def build_matrices(context: ReportContext, options: FigureOptions) -> Figure:
    """All main layers' matrices beside each other, in the order of computation."""
    import altair as alt

    run = context.runs[0]
    found = query_matrices(context, run, main_layers(context, run), options)
    n_columns = options.columns or max(1, math.ceil(math.sqrt(len(found.layers) * 1.2)))
    panels = [
        draw_matrix(found, index, PANEL, legend=index == 0, axes=False).properties(
            title=alt.TitleParams(name, anchor="middle", fontWeight="normal", fontSize=12, offset=3)
        )
        for index, name in enumerate(found.layers)
    ]
    chart = alt.concat(*panels, columns=n_columns, spacing=10).properties(usermeta={"layerwise": {"square": 20}})
    title = title_for(context, run, f"{found.kind.capitalize()} between stimuli, layer by layer")
    return Figure("matrices", title, Chart(chart, lambda: list_pairs(found)), _caption(found), _method(found, run))


def _caption(found: OrderedMatrices) -> str:
    return (
        f"Each cell is a pair of stimuli; colours end at {found.bounds.low:g} and {found.bounds.high:g}, "
        "values beyond have the colour of the end. Grey is undefined."
    )


def _method(found: OrderedMatrices, run: RunRecord) -> str:
    return f"{found.measure}; {run.n_stimuli} stimuli ordered by {found.order} ({found.provider})."


def list_pairs(found: OrderedMatrices) -> pl.DataFrame:
    """Every pair of stimuli of every layer: `layer`, `first`, `second`, `value`."""
    import polars as pl

    rows, columns = np.triu_indices(len(found.names), 1)
    names = np.array(found.names, dtype=object)
    first, second = pl.Series(names[rows], dtype=pl.String), pl.Series(names[columns], dtype=pl.String)
    return pl.concat(
        pl.DataFrame(
            {"layer": pl.Series([name] * len(rows), dtype=pl.String), "first": first, "second": second}
        ).with_columns(value=pl.Series(matrix[rows, columns].astype(np.float64)))
        for name, matrix in zip(found.layers, found.matrices, strict=True)
    )
