"""Section: over how many dimensions the stimuli are spread, along the layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from layerwise.core.history.left_out import describe_left_out
from layerwise.core.history.records import RunRecord
from layerwise.plugins.sections.layers.along import draw_lines, list_versions, query_statistics
from layerwise.report.by_name import chart_of_section
from layerwise.report.content import Chart, Figure, ReportContext, ReportSection
from layerwise.report.queries import featured_runs, main_layers, title_for
from layerwise.report.section import NamedFigure, SectionBuilder

if TYPE_CHECKING:
    import polars as pl

# What is drawn, by the statistics' names, with the words of the legend.
SHOWN = {
    "participation-ratio": "participation ratio",
    "effective-rank": "effective rank",
    "intrinsic-dimension": "intrinsic dimension (TwoNN)",
}


def query_dimension(context: ReportContext, run: RunRecord) -> pl.DataFrame:
    """The dimensions of the main layers; what is not above 0 has no place on a logarithmic axis."""
    import polars as pl

    return query_statistics(context, run, SHOWN).filter(pl.col("value") > 0)


def draw_dimension(names: list[str], frame: pl.DataFrame) -> Any:
    """Every measure of dimension as a line along the layers, on a logarithmic axis."""
    import altair as alt

    found = set(frame["series"])
    ticks = [step * 10.0**power for power in range(-1, 6) for step in (1, 2, 5)]
    y = alt.Y("value:Q", title="dimensions", scale=alt.Scale(type="log"), axis=alt.Axis(format="~s", values=ticks))
    return draw_lines(names, frame, [words for words in SHOWN.values() if words in found], y)


def describe(frame: pl.DataFrame) -> str:
    """What the lines do, for who cannot see them."""
    ends = []
    for (series,), rows in frame.group_by("series", maintain_order=True):
        first, last = rows.row(0, named=True), rows.row(-1, named=True)
        ends.append(
            f"{series} from {first['value']:.3g} at {first['layer']} to {last['value']:.3g} at {last['layer']}"
        )
    return f"Dimensions along the layers: {'; '.join(ends)}."


def _tell_left_out(context: ReportContext, run: RunRecord) -> str:
    """Which of them the run left out, as a sentence; nothing where it has all."""
    found = describe_left_out(item for item in context.history.read_statistics(run.id) if item.result.name in SHOWN)
    return f" Without {found}." if found else ""


class Dimension(SectionBuilder):
    """How many directions a layer uses."""

    name = "dimension"
    description = "participation ratio, effective rank and intrinsic dimension along the layers"
    position: ClassVar[int] = 82

    def applies(self, context: ReportContext) -> bool:
        """Whether there is something to show."""
        return any(len(query_dimension(context, run)) for run in featured_runs(context))

    def build(self, context: ReportContext) -> ReportSection:
        """Query and draw."""
        figures = tuple(self._figure(context, run) for run in featured_runs(context))
        introduction = (
            "A layer may spread the stimuli in many directions or line them up along few. Where the number falls, "
            "the network gives up differences between stimuli; where it rises, it makes new ones."
        )
        return ReportSection("Dimension", figures, introduction, folded=True)

    def figures(self) -> Sequence[NamedFigure]:
        """What `layerwise figure` draws of it."""
        return (
            chart_of_section(
                self,
                "dimension",
                name="dimension",
                description="over how many dimensions each layer spreads the stimuli",
                needs="one run with statistics of dimension",
            ),
        )

    def _figure(self, context: ReportContext, run: RunRecord) -> Figure:
        frame = query_dimension(context, run)
        names = [layer.name for layer in main_layers(context, run)]
        return Figure(
            f"dimension-{run.id}",
            title_for(context, run, "Dimension along the layers"),
            Chart(draw_dimension(names, frame)),
            "The participation ratio counts the few directions that carry most of the variance, the effective rank "
            "also the many that carry little; the intrinsic dimension is that of the surface on which the stimuli "
            f"lie, however it is bent. With {run.n_stimuli} stimuli, none of the first two can exceed "
            f"{run.n_stimuli - 1}.{_tell_left_out(context, run)}",
            "Participation ratio (sum l)² / sum l² of the eigenvalues l of the covariance, effective rank "
            "exp(entropy of the normalised singular values), TwoNN from distances to the two nearest neighbours; "
            f"{run.n_stimuli} stimuli; layers in order of computation; statistics of version {list_versions(frame)}.",
            describe(frame),
        )
