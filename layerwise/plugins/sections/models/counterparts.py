"""Two networks on the same stimuli: each layer of one against each of the other, and which belong together."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.alignment import Alignment, align_layers
from layerwise.core.history.records import RunRecord
from layerwise.core.network.layers import Layer
from layerwise.plugins.sections.shared.grids import Grid, cell_frame, draw_grid, fit_square
from layerwise.report import drawing
from layerwise.report.content import ReportContext
from layerwise.report.queries import address, chosen_measure, compare, main_layers
from layerwise.report.scale import Scale

if TYPE_CHECKING:
    import polars as pl

SAME_LAYER = "the same layer of the other"
N_ALL_PAIRS = 4  # of so many models each is held against each; of more, the first against all others


@dataclass(frozen=True, eq=False)
class ModelPair:
    """Two networks, and how alike each layer of one is to each layer of the other.

    Attributes:
        runs: Both runs; the first's layers are the rows.
        names: What they are called.
        rows: Main layers of the first, in order of computation.
        columns: Main layers of the second.
        matrix: float64 (len(rows), len(columns)); the chosen measure, NaN where undefined.
        alignment: The best path through it.
    """

    runs: tuple[RunRecord, RunRecord]
    names: tuple[str, str]
    rows: list[str]
    columns: list[str]
    matrix: NDArray[np.float64]
    alignment: Alignment

    @property
    def title(self) -> str:
        """Both names."""
        return " and ".join(self.names)


def query_pairs(context: ReportContext, runs: Sequence[RunRecord], names: Mapping[str, str]) -> list[ModelPair]:
    """The pairs of models that are shown; all that they need is compared at once.

    Args:
        context: The report.
        runs: Of different models on the same stimuli.
        names: What each is called, by id.
    """
    layers = {run.id: main_layers(context, run) for run in runs}
    shown = [run for run in runs if layers[run.id]]
    everyone = len(shown) <= N_ALL_PAIRS
    rows = shown if everyone else shown[:1]
    addresses = [[address(context, run, layer) for run in some for layer in layers[run.id]] for some in (rows, shown)]
    matrix = compare(context, *addresses) if len(shown) > 1 else np.empty((0, 0))
    down, across = (_places(some, layers) for some in (rows, shown))
    kind = chosen_measure(context).kind
    pairs = itertools.combinations(shown, 2) if everyone else ((shown[0], other) for other in shown[1:])
    found = []
    for first, second in pairs:
        part = matrix[down[first.id], across[second.id]]
        called = (names[first.id], names[second.id])
        here, there = ([layer.name for layer in layers[run.id]] for run in (first, second))
        found.append(ModelPair((first, second), called, here, there, part, align_layers(part, kind)))
    return found


def _places(runs: Sequence[RunRecord], layers: Mapping[str, list[Layer]]) -> dict[str, slice]:
    """Where the layers of each run are among those of all."""
    counts = [len(layers[run.id]) for run in runs]
    starts = np.concatenate([[0], np.cumsum(counts)])
    return {run.id: slice(int(start), int(start) + n) for run, start, n in zip(runs, starts, counts, strict=False)}


def path_frame(pair: ModelPair) -> pl.DataFrame:
    """The best path: `step`, `row`, `column`, `value`."""
    import polars as pl

    cells = pair.alignment.path
    path = cell_frame(pair.rows, pair.columns, pair.matrix)
    places = [row * len(pair.columns) + column for row, column in cells]
    return path[places].select(pl.int_range(pl.len()).alias("step"), pl.all())


def query_counterparts(pairs: Sequence[ModelPair], kind: str) -> pl.DataFrame:
    """For each layer of both models of each pair, the layer of the other that is most like it.

    Returns:
        `pair`, `series` (the model), `layer`, `depth` (from 0 to 1), `counterpart`, `place` (its depth), `value`;
        without layers of which nothing is defined. Of two models with the same layers, a third series
        (`SAME_LAYER`) holds each layer against the one of the same name.
    """
    import polars as pl

    rows = []
    for pair in pairs:
        for name, here, there, matrix in (
            (pair.names[0], pair.rows, pair.columns, pair.matrix),
            (pair.names[1], pair.columns, pair.rows, pair.matrix.T),
        ):
            gains = np.where(np.isfinite(matrix), matrix if kind == "similarity" else -matrix, -np.inf)
            depths, places = (np.linspace(0, 1, len(layers)).tolist() for layers in (here, there))
            for index, best in enumerate(gains.argmax(axis=1)):
                value = float(matrix[index, best])
                if np.isfinite(value):
                    rows.append((pair.title, name, here[index], depths[index], there[best], places[best], value))
        if pair.rows == pair.columns:
            for name, depth, value in zip(pair.rows, depths, np.diagonal(pair.matrix).tolist(), strict=True):
                if np.isfinite(value):
                    rows.append((pair.title, SAME_LAYER, name, depth, name, depth, value))
    schema = {
        "pair": pl.String,
        "series": pl.String,
        "layer": pl.String,
        "depth": pl.Float64,
        "counterpart": pl.String,
        "place": pl.Float64,
        "value": pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def find_poorest(counterparts: pl.DataFrame, kind: str, count: int) -> pl.DataFrame:
    """The layers with the poorest counterparts, the poorest first."""
    return counterparts.sort("value", descending=kind == "distance", maintain_order=True).head(count)


def draw_pair(pair: ModelPair, scale: Scale) -> Any:
    """The layer x layer matrix of two models; the cells of the best path are boxed and joined."""
    import altair as alt

    frame = cell_frame(pair.rows, pair.columns, pair.matrix)
    grid = Grid(
        pair.rows,
        pair.columns,
        frame,
        scale.bounds(frame["value"].drop_nulls()),
        scale.axis("of the two layers"),
        scale.noun,
        row=pair.names[0],
        column=pair.names[1],
        titles=(pair.names[1], pair.names[0]),
        format=scale.format,
    )
    path = alt.Chart(drawing.decoration(path_frame(pair).to_dicts()))
    boxes = path.mark_rect(fillOpacity=0, stroke="#111111", strokeWidth=2, tooltip=None).encode(
        x="column:N", y="row:N"
    )
    halo = path.mark_rect(fillOpacity=0, stroke="#ffffff", strokeWidth=3.5, tooltip=None).encode(
        x="column:N", y="row:N"
    )
    return fit_square(draw_grid(grid) + halo + boxes, grid)


def draw_counterparts(frame: pl.DataFrame, names: Sequence[str], scale: Scale) -> Any:
    """How like its best counterpart each layer is, against relative depth: dips are layers without one."""
    import altair as alt

    same = (SAME_LAYER,) if frame["series"].eq(SAME_LAYER).any() else ()
    base = alt.Chart(drawing.inline(frame.drop("pair"))).encode(
        x=alt.X("depth:Q", title="relative depth", scale=alt.Scale(domain=[0, 1])),
        y=alt.Y("value:Q", title=scale.axis("to the counterpart")),
        color=drawing.series_colour((*names, *same), "layers of"),
        tooltip=[
            alt.Tooltip("series:N", title="layer of"),
            alt.Tooltip("layer:N", title="layer"),
            alt.Tooltip("counterpart:N", title="counterpart"),
            alt.Tooltip("value:Q", title=scale.noun, format=".3f"),
            alt.Tooltip("depth:Q", title="its depth", format=".2f"),
            alt.Tooltip("place:Q", title="the counterpart's depth", format=".2f"),
        ],
    )
    lines = base.mark_line(strokeWidth=2.5) + base.mark_point(filled=True, size=55, opacity=1)
    return lines.properties(width="container", height=260)
