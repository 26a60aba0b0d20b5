"""Section: how sparse the activations are, along the layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

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
    "sparseness-population": "Treves-Rolls, over units",
    "sparseness-lifetime": "Treves-Rolls, over stimuli",
    "fraction-zero": "share of zeros",
    "hoyer": "Hoyer",
    "fraction-dead": "share of dead units",
}


def query_sparseness(context: ReportContext, run: RunRecord) -> pl.DataFrame:
    """Sparseness of the main layers: `layer`, `series`, `value`, `version`; undefined values are left out."""
    return query_statistics(context, run, SHOWN)


def draw_sparseness(names: list[str], frame: pl.DataFrame) -> Any:
    """Every measure of sparseness as a line along the layers."""
    import altair as alt

    found = set(frame["series"])
    y = alt.Y("value:Q", title="sparseness", scale=alt.Scale(domain=[0, 1], clamp=True))
    return draw_lines(names, frame, [words for words in SHOWN.values() if words in found], y)


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
        return ReportSection("Sparseness", figures, introduction, folded=True)

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
        return Figure(
            f"sparseness-{run.id}",
            title_for(context, run, "Sparseness along the layers"),
            Chart(draw_sparseness(names, frame)),
            "0 means that all units answer alike, 1 that a single one does. Treves-Rolls sparseness is defined for "
            "activations that are never negative; layers where it is not have no point.",
            "Treves-Rolls (1 - a) / (1 - 1/n) over units or stimuli, Hoyer, the share of exact zeros and of units "
            "that are 0 for every stimulus; "
            f"{run.n_stimuli} stimuli; layers in order of computation; statistics of version {list_versions(frame)}.",
        )
