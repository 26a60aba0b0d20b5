"""The map of the layers: multidimensional scaling of how alike they are, with the way from input to output on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.history.records import RunRecord
from layerwise.core.network.layers import Layer
from layerwise.plugins.sections.branches.queries import list_kinds
from layerwise.plugins.sections.maps import mds
from layerwise.plugins.sections.maps.labelling import choose_major, place_labels
from layerwise.report import drawing
from layerwise.report.content import ReportContext
from layerwise.report.queries import address, chosen_measure, compare, main_layers

if TYPE_CHECKING:
    import polars as pl

N_LAYERS_MOST = 100
N_STEPS = 300
SIDE = 600
MAIN = "on the way"


@dataclass(frozen=True)
class LayersOnMap:
    """The numbers of the map.

    Attributes:
        frame: One row a layer: `layer`, `x`, `y`, `kind` (a branch's label, or that it is on the way), `order` on the
            way from 0, `depth`, where its name is written (`label_x`, `label_y`, `align`), and whether that is so on
            a small chart too (`major`).
        links: One row an end of a thin line from a block to a branch: `link`, `x`, `y`.
        stress: Kruskal's stress-1.
        kept: Squared correlation of the distances with those on the map.
        distance_words: What the distances are.
        left_out: Layers of which the measure is undefined.
        kinds: Labels of all branches of the run, which have the same colours in all charts.
    """

    frame: pl.DataFrame
    links: pl.DataFrame
    stress: float | None
    kept: float | None
    distance_words: str
    left_out: tuple[str, ...]
    kinds: tuple[str, ...] = ()

    @property
    def has_branches(self) -> bool:
        """Whether any layer is a branch."""
        return not self.links.is_empty()


def layer_distances(
    context: ReportContext, run: RunRecord, layers: Sequence[Layer]
) -> tuple[NDArray[np.float64], str]:
    """Distances between layers by the chosen measure, (m, m) with NaN where undefined, and what they are in words.

    A similarity is taken from its largest possible value, or where there is none from the largest that occurs.
    """
    values = compare(context, [address(context, run, layer) for layer in layers])
    measure = chosen_measure(context)
    values = (values + values.T) / 2
    if measure.kind == "distance":
        words, distances = measure.name, values.copy()
    else:
        top = measure.comparator.offer.value_range[1]
        most = float(np.nanmax(values, initial=0.0)) if top is None else top
        words, distances = f"{most:.3g} - {measure.name}", most - values
    if not measure.symmetric:
        words += ", the mean of both directions"
    distances = np.clip(distances, 0, None)
    undefined = np.isnan(values)
    np.fill_diagonal(distances, 0)
    distances[undefined] = np.nan
    return distances, words


def find_defined(distances: NDArray[np.float64]) -> NDArray[np.intp]:
    """Positions of layers between all of which the distance is defined: those with most gaps go first."""
    kept = np.arange(len(distances))
    while True:
        gaps = np.isnan(distances[np.ix_(kept, kept)]).sum(axis=1)
        if not gaps.any():
            return kept
        kept = np.delete(kept, int(gaps.argmax()))


def query_layer_map(context: ReportContext, run: RunRecord) -> LayersOnMap | None:
    """The map of a run's main layers and branches; None where fewer than three layers can be compared."""
    main = main_layers(context, run)
    branches = [layer for layer in context.history.list_layers(run.id) if layer.branch is not None]
    branches = branches if len(main) + len(branches) <= N_LAYERS_MOST else []
    layers = main + [layer for layer in branches if layer not in main]
    layers = sorted(layers[:N_LAYERS_MOST], key=lambda layer: layer.position)
    if len(layers) < 3:
        return None
    distances, words = layer_distances(context, run, layers)
    kept = find_defined(distances)
    if len(kept) < 3:
        return None
    shown = [layers[index] for index in kept]
    scaled = mds.scale(distances[np.ix_(kept, kept)], N_STEPS)
    points = turn_to_start(scaled.points)
    left_out = tuple(layer.name for index, layer in enumerate(layers) if index not in set(kept.tolist()))
    frame, links = make_frames(shown, points, {layer.name for layer in main})
    kinds = list_kinds(context.history.list_layers(run.id))
    return LayersOnMap(frame, links, scaled.stress, scaled.kept, words, left_out, kinds)


def turn_to_start(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points turned so that the first lies left of the last, and the way between them bends upwards."""
    across = points[-1] - points[0]
    length = float(np.hypot(*across))
    if length == 0:
        return points
    cosine, sine = across / length
    turned: NDArray[np.float64] = points @ np.array([[cosine, -sine], [sine, cosine]])
    turned -= (turned.max(axis=0) + turned.min(axis=0)) / 2
    middle = turned[:, 1].mean() - (turned[0, 1] + turned[-1, 1]) / 2
    turned *= np.array([1.0, -1.0 if middle < 0 else 1.0])
    return turned


def make_frames(
    layers: Sequence[Layer], points: NDArray[np.float64], main: set[str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The points with their names, and the thin lines from blocks to branches."""
    import polars as pl

    on_way = [layer.name in main for layer in layers]
    reach = float(np.abs(points).max()) or 1.0
    names = [layer.name if way else "" for layer, way in zip(layers, on_way, strict=True)]
    labels = place_labels(names, points / reach)
    orders = np.cumsum(on_way) - 1
    frame = pl.DataFrame(
        {
            "layer": [layer.name for layer in layers],
            "x": points[:, 0],
            "y": points[:, 1],
            "kind": [MAIN if way else layer.branch for layer, way in zip(layers, on_way, strict=True)],
            "order": [int(order) if way else None for order, way in zip(orders, on_way, strict=True)],
            "depth": [
                order / max(1, sum(on_way) - 1) if way else None for order, way in zip(orders, on_way, strict=True)
            ],
            "label_x": [reach * x for x, _, _ in labels],
            "label_y": [reach * y for _, y, _ in labels],
            "align": [align for _, _, align in labels],
            "major": choose_major(names, labels),
        }
    )
    where = {layer.name: point for layer, point in zip(layers, points, strict=True)}
    ends = [
        (layer.name, *where[name])
        for layer, way in zip(layers, on_way, strict=True)
        if not way and layer.block in where
        for name in (layer.block, layer.name)
    ]
    links = pl.DataFrame(ends, schema={"link": pl.String, "x": pl.Float64, "y": pl.Float64}, orient="row")
    return frame, links


def draw_layer_map(found: LayersOnMap) -> Any:
    """The map: the way as a line, layers on it from light to dark, branches as coloured shapes."""
    import altair as alt

    frame = found.frame
    reach = 1.16 * max(float(frame["x"].abs().max()), float(frame["y"].abs().max()), 1e-9)  # type: ignore[arg-type]
    plane = {"scale": alt.Scale(domain=[-reach, reach], nice=False), "axis": None}
    x, y = alt.X("x:Q", **plane), alt.Y("y:Q", **plane)
    base = alt.Chart(drawing.inline(frame)).encode(x=x, y=y)
    way = base.transform_filter("isValid(datum.order)")
    tips = [alt.Tooltip("layer:N", title="layer"), alt.Tooltip("kind:N", title="is")]
    parts = [way.mark_line(strokeWidth=2, color=drawing.QUIET, opacity=0.7, tooltip=None).encode(order="order:Q")]
    if found.has_branches:
        thin = alt.Chart(drawing.inline(found.links)).mark_line(strokeWidth=0.7, color=drawing.QUIET, opacity=0.5)
        parts.append(thin.encode(x=x, y=y, detail="link:N"))
        parts.append(_draw_branches(base, found, tips))
    depth = alt.Color(
        "depth:Q",
        scale=alt.Scale(domain=[0, 1], range=["#ccd2da", "#3d4653"]),
        legend=alt.Legend(orient="top", title="relative depth", format=".0%", values=[0, 1], gradientLength=120),
    )
    dots = way.mark_circle(size=130, opacity=1, stroke="#ffffff", strokeWidth=1.2)
    parts.append(dots.encode(color=depth, tooltip=tips))
    for align in ("left", "center", "right"):
        for major in (True, False):
            chosen = f"datum.align === '{align}' && {'' if major else '!'}datum.major"
            look = {"align": align, "baseline": "middle", "fontSize": 10, "tooltip": None}
            words = (
                way.transform_filter(chosen)
                .mark_text(**look)
                .properties(name=f"{'major' if major else 'minor'}_{align}")
            )
            parts.append(words.encode(x=alt.X("label_x:Q", **plane), y=alt.Y("label_y:Q", **plane), text="layer:N"))
    meta = {"layerwise": {"square": 0, "cells": 15}}
    return (
        alt.layer(*parts)
        .resolve_scale(color="independent", shape="independent")
        .properties(width=SIDE, height=SIDE, usermeta=meta)
    )


def _draw_branches(base: Any, found: LayersOnMap, tips: list[Any]) -> Any:
    import altair as alt

    kinds = [kind for kind in found.frame["kind"].unique(maintain_order=True) if kind != MAIN]
    colours = drawing.palette_colours(kinds, found.kinds)
    shapes = ("square", "triangle-up", "diamond", "cross", "triangle-down", "circle")
    marks = [shapes[index % len(shapes)] for index in range(len(kinds))]
    look = {"orient": "top", "direction": "horizontal", "title": "branch"}
    return (
        base.transform_filter("!isValid(datum.order)")
        .mark_point(size=46, filled=True, opacity=0.9)
        .encode(
            color=alt.Color(
                "kind:N", scale=alt.Scale(domain=kinds, range=colours), legend=alt.Legend(columns=4, **look)
            ),
            shape=alt.Shape("kind:N", scale=alt.Scale(domain=kinds, range=marks), legend=alt.Legend(**look)),
            tooltip=tips,
        )
    )
