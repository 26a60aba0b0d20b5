"""Section: how the weights of each tensor are distributed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from layerwise.core.history.records import RunRecord, WeightResult
from layerwise.report import drawing
from layerwise.report.by_name import chart_of_section
from layerwise.report.content import Chart, Figure, ReportContext, ReportSection
from layerwise.report.queries import featured_runs, title_for
from layerwise.report.section import NamedFigure, SectionBuilder

if TYPE_CHECKING:
    import polars as pl

HISTOGRAM = "weight-histogram"
N_TENSORS_MOST = 64
ROW = 18
LABEL_WIDTH = 190


@dataclass(frozen=True)
class Ridges:
    """Histograms of weight tensors, one above the other.

    Attributes:
        tensors: Names, from the top down.
        frame: `tensor`, `weight` (middle of a bin), `share` of the weights, `height` (1 at the tensor's peak).
        limit: Weights beyond -limit and limit are not drawn.
        version: Version of the statistic.
    """

    tensors: list[str]
    frame: pl.DataFrame
    limit: float
    version: str


def _histogram(tensor: WeightResult) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]] | None:
    """Counts and edges, of lengths m and m + 1, as they are stored: one after the other."""
    for result in tensor.statistics:
        if result.name == HISTOGRAM and result.vector is not None:
            n_bins = (len(result.vector) - 1) // 2
            return result.vector[:n_bins], result.vector[n_bins:]
    return None


def query_ridges(context: ReportContext, run: RunRecord) -> Ridges:
    """The histograms of a run's weight tensors with at least two axes (kernels, not biases)."""
    import polars as pl

    rows: list[tuple[str, float, float, float]] = []
    reach: list[float] = []
    tensors: list[str] = []
    release = ""
    for tensor in context.history.read_weights(run.id):
        found = _histogram(tensor)
        if found is None or len(tensor.shape) < 2 or found[0].sum() <= 0 or len(tensors) == N_TENSORS_MOST:
            continue
        counts, edges = found
        middle, share = (edges[:-1] + edges[1:]) / 2, counts / counts.sum()
        reach.append(float(np.abs(middle[np.searchsorted(np.cumsum(share), [0.005, 0.995])]).max()))
        release = next(s.provider.version for s in tensor.statistics if s.name == HISTOGRAM)
        name = tensor.name.removesuffix("/kernel")  # as all of them are, nearly
        tensors.append(name)
        rows += [(name, float(m), float(s), float(s / share.max())) for m, s in zip(middle, share, strict=True)]
    schema = {"tensor": pl.String, "weight": pl.Float64, "share": pl.Float64, "height": pl.Float64}
    limit = float(np.quantile(reach, 0.9)) * 1.15 if reach else 1.0
    frame = pl.DataFrame(rows, schema=schema, orient="row").filter(pl.col("weight").abs() <= limit)
    return Ridges(tensors, frame, limit, release)


def draw_ridges(ridges: Ridges) -> Any:
    """The histograms as ridges on one axis of weights."""
    import altair as alt
    import polars as pl

    place = {name: index for index, name in enumerate(ridges.tensors)}
    last = len(place) - 1
    frame = ridges.frame.with_columns(base=last - pl.col("tensor").replace_strict(place, return_dtype=pl.Float64))
    frame = frame.with_columns(top=pl.col("base") + 1.6 * pl.col("height"))
    domain = alt.Scale(domain=[-0.2, last + 1.7], nice=False)
    x = alt.X(
        "weight:Q", title="weight", scale=alt.Scale(domain=[-ridges.limit, ridges.limit], nice=False, clamp=True)
    )
    names = pl.DataFrame({"tensor": ridges.tensors, "base": [float(last - i) for i in range(last + 1)]})
    labels = alt.Chart(drawing.inline(names)).mark_text(
        align="right", baseline="bottom", dx=-8, limit=LABEL_WIDTH, fontSize=10
    )
    ridge = alt.Chart(drawing.inline(frame)).mark_area(
        interpolate="monotone", fillOpacity=0.75, fill=drawing.ACCENT, stroke="#ffffff", strokeWidth=0.8
    )
    drawn = ridge.encode(
        x=x,
        y=alt.Y("base:Q", scale=domain, axis=None),
        y2="top:Q",
        detail="tensor:N",
        order=alt.Order("base:Q", sort="descending"),
        tooltip=["tensor:N"],
    ).properties(name="ridges")
    named = labels.encode(x=alt.value(0), y=alt.Y("base:Q", scale=domain, axis=None), text="tensor:N").properties(
        name="names"
    )
    return (drawn + named).properties(width="container", height=ROW * (last + 3))


class Weights(SectionBuilder):
    """How the weights are spread."""

    name = "weights"
    description = "distribution of the weights, tensor by tensor"
    position: ClassVar[int] = 90

    def applies(self, context: ReportContext) -> bool:
        """Whether there is something to show."""
        return any(query_ridges(context, run).tensors for run in featured_runs(context))

    def build(self, context: ReportContext) -> ReportSection:
        """Query and draw."""
        figures = tuple(self._figure(context, run) for run in featured_runs(context))
        return ReportSection(
            "Weights", figures, "How are the weights distributed, and how does that change with depth?", folded=True
        )

    def figures(self) -> Sequence[NamedFigure]:
        """What `layerwise figure` draws of it."""
        return (
            chart_of_section(
                self,
                "weights",
                name="weights",
                description="how the weights of each tensor are distributed",
                needs="one run with histograms of its weights",
                uses_layers=False,
            ),
        )

    def _figure(self, context: ReportContext, run: RunRecord) -> Figure:
        ridges = query_ridges(context, run)
        return Figure(
            f"weights-{run.id}",
            title_for(context, run, "Distribution of the weights"),
            Chart(draw_ridges(ridges)),
            "Each ridge is the histogram of one tensor of weights, drawn to the same height; from top to bottom as "
            "in the network. A narrow ridge is a tensor of mostly small weights.",
            f"64 bins for each tensor with two or more axes (statistic {HISTOGRAM} {ridges.version}); at most "
            f"{N_TENSORS_MOST} tensors; weights beyond {ridges.limit:.3g} are not drawn.",
        )
