"""Section: what the network loses without some of its layers, beside what similarity had said of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from layerwise.core.analysis.functional.evidence import EVIDENCE, MIN_LAYERS, RankCorrelation
from layerwise.core.history.records import RunRecord
from layerwise.plugins.sections.ablation.findings import conclude, find_in_ablations
from layerwise.plugins.sections.ablation.queries import (
    N_SHOWN,
    WORDS,
    Ablations,
    changes_frame,
    effects_frame,
    evidence_frame,
    has_variants,
    query_ablations,
    rank_correlations,
)
from layerwise.plugins.sections.branches.queries import list_kinds
from layerwise.plugins.sections.shared.grids import Grid, draw_grid, fit_width
from layerwise.report import drawing
from layerwise.report.by_name import chart_of_section
from layerwise.report.content import Chart, Figure, Finding, ReportContext, ReportSection, SideBySide, Table
from layerwise.report.queries import chosen_measure, comparator_words, featured_runs, title_for
from layerwise.report.scale import Scale, find_scale
from layerwise.report.section import NamedFigure, SectionBuilder

if TYPE_CHECKING:
    import polars as pl

_SUBSTITUTES = {
    "zero": "set to 0",
    "mean": "set to each unit's mean over the stimuli",
    "shuffle": "taken from other stimuli",
}


def _outcome(found: Ablations) -> str:
    return "divergence of the output in bits" if found.is_distribution else "share of other answers"


def draw_effects(frame: pl.DataFrame, title: str) -> Any:
    """A row for each variant, the one that lost most on top: what the output lost, with its interval."""
    import altair as alt

    names = frame["layer"].to_list()
    rows = alt.Y("layer:N", title="without", scale=alt.Scale(domain=names), axis=alt.Axis(labelLimit=220))
    base = alt.Chart(drawing.inline(frame)).encode(
        y=rows,
        tooltip=[
            alt.Tooltip("layer:N", title="without"),
            alt.Tooltip("value:Q", title=title, format=".3f"),
            alt.Tooltip("low:Q", title="from", format=".3f"),
            alt.Tooltip("high:Q", title="to", format=".3f"),
            alt.Tooltip("lost:Q", title="top-1 lost", format=".3f"),
            alt.Tooltip("agreement:Q", title="same answer", format=".3f"),
            alt.Tooltip("structure:Q", title="output's structure", format=".3f"),
        ],
    )
    ends = base.mark_rule(strokeWidth=2, color=drawing.QUIET).encode(x=alt.X("low:Q", title=title), x2="high:Q")
    points = base.mark_point(filled=True, size=60, opacity=1, color=drawing.ACCENT).encode(x="value:Q")
    return (ends + points).properties(width="container", height=max(80, 17 * len(names)))


def draw_evidence(frame: pl.DataFrame, evidence: str, outcome: str, among: Sequence[str] = ()) -> Any:
    """A point for each layer: what similarity says of it, and what the output loses without it."""
    import altair as alt

    kinds = frame["series"].unique(maintain_order=True).to_list()
    points = alt.Chart(drawing.inline(frame)).mark_point(filled=True, size=70, opacity=1)
    return points.encode(
        x=alt.X("value:Q", title=WORDS[evidence], scale=alt.Scale(zero=False)),
        y=alt.Y("severity:Q", title=outcome),
        color=drawing.series_colour(kinds, "branch", among),
        tooltip=[
            alt.Tooltip("layer:N", title="layer"),
            alt.Tooltip("value:Q", title=WORDS[evidence], format=".3f"),
            alt.Tooltip("severity:Q", title=outcome, format=".3f"),
            alt.Tooltip("lost:Q", title="top-1 lost", format=".3f"),
        ],
    ).properties(width="container", height=240)


def draw_changes(frame: pl.DataFrame, scale: Scale) -> Any:
    """How far each later layer is what it was, variants by layers."""
    grid = Grid(
        frame["row"].unique(maintain_order=True).to_list(),
        _in_order(frame),
        frame,
        scale.bounds(frame["value"].drop_nulls()),
        scale.axis("to the intact layer"),
        scale.noun,
        row="without",
        column="layer",
        titles=("layer", "without"),
        format=scale.format,
    )
    return fit_width(draw_grid(grid), grid)


def _in_order(frame: pl.DataFrame) -> list[str]:
    """The layers in order of computation: the variant with the most of them has them so, the others end alike."""
    most = frame.group_by("row", maintain_order=True).len().sort("len", descending=True)["row"][0]
    names: list[str] = frame.filter(frame["row"] == most)["column"].to_list()
    return [*(name for name in frame["column"].unique(maintain_order=True) if name not in names), *names]


class Ablation(SectionBuilder):
    """What the network loses without some of its layers."""

    name = "ablation"
    description = "what the output loses without each layer that was silenced, beside what similarity says of it"
    position: ClassVar[int] = 62

    def applies(self, context: ReportContext) -> bool:
        """Whether a run has variants."""
        return any(has_variants(context, run) for run in featured_runs(context))

    def build(self, context: ReportContext) -> ReportSection:
        """Query and draw."""
        figures = [
            figure
            for run in featured_runs(context)
            if has_variants(context, run)
            for found in query_ablations(context, run)
            for figure in self._figures(context, run, found)
        ]
        introduction = (
            "That a layer is unlike the output does not prove it useless. Here it was taken out: what does the "
            "network lose, and had similarity predicted it?"
        )
        return ReportSection("Ablation", tuple(figures), introduction)

    def findings(self, context: ReportContext) -> Sequence[Finding]:
        """Which layer is missed most, and whether similarity had said so."""
        found = []
        for run in featured_runs(context):
            if has_variants(context, run):
                for ablations in query_ablations(context, run):
                    found += find_in_ablations(ablations, run.id)
        return found

    def figures(self) -> Sequence[NamedFigure]:
        """What `layerwise figure` draws of it."""
        needs = "one run with variants, which `layerwise ablate` makes"
        return (
            chart_of_section(
                self,
                "effects-zero",
                name="ablation",
                description="what the output loses without each layer that was set to 0",
                needs=needs,
                uses_layers=False,
            ),
            chart_of_section(
                self,
                "evidence-similarity-zero",
                name="evidence",
                description="similarity to the output beside what the output loses without a layer",
                needs=needs,
                uses_layers=False,
            ),
        )

    def _figures(self, context: ReportContext, run: RunRecord, found: Ablations) -> list[Figure]:
        figures = [self._effects(context, run, found)]
        if len(found.evidence) >= MIN_LAYERS:
            figures += self._evidence(context, run, found)
        changes = changes_frame(found)
        if not changes.is_empty():
            figures.append(self._changes(context, run, found, changes))
        return figures

    def _effects(self, context: ReportContext, run: RunRecord, found: Ablations) -> Figure:
        n_all = len(found.effects)
        some = f" Of {n_all} variants the {N_SHOWN} that lost most are shown." if n_all > N_SHOWN else ""
        caption = (
            "Each row is the network without a layer, whose activations were "
            f"{_SUBSTITUTES[found.substitute]}: how far its output is from the intact one. "
            f"Lines are 95 % intervals over stimuli.{some}"
        )
        measured = (
            "Jensen-Shannon divergence (Lin 1991), from 0 to 1 bit, averaged over stimuli"
            if found.is_distribution
            else "Share of stimuli whose largest output is another one"
        )
        chart = Chart(draw_effects(effects_frame(found), _outcome(found)))
        title = title_for(context, run, f"What the output loses ({found.substitute})")
        method = f"{measured}; {run.n_stimuli} stimuli, 1,000 resamples."
        return Figure(f"effects-{found.substitute}-{run.id}", title, chart, caption, method)

    def _evidence(self, context: ReportContext, run: RunRecord, found: Ablations) -> list[Figure]:
        kinds = list_kinds(context.history.list_layers(run.id))
        inner = []
        for evidence in EVIDENCE:
            frame = evidence_frame(found, evidence)
            if len(frame) >= MIN_LAYERS:
                chart = Chart(draw_evidence(frame, evidence, _outcome(found), kinds))
                name = f"evidence-{evidence}-{found.substitute}-{run.id}"
                inner.append(Figure(name, WORDS[evidence].capitalize(), chart))
        ranked = rank_correlations(found)
        if not inner or not ranked:
            return []
        caption = (
            "Each point is a layer: to the right what is known of it without touching the network, upwards what "
            f"happens without it. {conclude(ranked[0]) if chosen_measure(context).kind == 'similarity' else ''}"
        )
        title = title_for(context, run, f"Does similarity predict what is lost? ({found.substitute})")
        method = (
            f"{comparator_words(context)}; unique and partial as in the section on branches; {run.n_stimuli} stimuli."
        )
        content = SideBySide(tuple(inner)) if len(inner) > 1 else inner[0].content
        name = f"evidence-{found.substitute}-{run.id}"
        return [Figure(name, title, content, caption, method), self._ranks(context, run, found, ranked)]

    def _ranks(
        self, context: ReportContext, run: RunRecord, found: Ablations, ranked: Sequence[RankCorrelation]
    ) -> Figure:
        rows = tuple(
            (
                WORDS[one.evidence],
                WORDS[one.outcome],
                one.n_layers,
                f"{one.value:.2f}",
                f"{one.low:.2f} to {one.high:.2f}",
            )
            for one in ranked
        )
        table = Table(("evidence", "predicts", "layers", "rank correlation", "95 % interval"), rows)
        caption = "An interval that holds 0 leaves open whether the one predicts the other at all."
        method = "Spearman's rank correlation over layers; 2,000 resamples of the layers."
        title = title_for(context, run, f"How well it predicts ({found.substitute})")
        return Figure(f"ranks-{found.substitute}-{run.id}", title, table, caption, method)

    def _changes(self, context: ReportContext, run: RunRecord, found: Ablations, frame: pl.DataFrame) -> Figure:
        scale = find_scale(context)
        caption = (
            "Each row is the network without a layer, each column a later layer: how far it is still what it was. "
            "Where a row fades towards the output, the network makes the damage worse; elsewhere it mends it."
        )
        title = title_for(context, run, f"How far the damage reaches ({found.substitute})")
        method = f"{comparator_words(context)}; {run.n_stimuli} stimuli."
        return Figure(
            f"changes-{found.substitute}-{run.id}", title, Chart(draw_changes(frame, scale)), caption, method
        )
