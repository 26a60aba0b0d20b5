"""Section: the few numbers that a person wants first."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from layerwise.core.base.errors import InputError
from layerwise.core.history.records import RunRecord
from layerwise.plugins.sections.transition.section import query_profile
from layerwise.report.content import Fact, Facts, Figure, ReportContext, ReportSection, Table
from layerwise.report.queries import (
    comparator_words,
    featured_runs,
    main_layers,
    networks_among,
    run_label,
    title_for,
)
from layerwise.report.scale import Scale, find_scale
from layerwise.report.section import SectionBuilder

if TYPE_CHECKING:
    import polars as pl


def list_facts(run: RunRecord, profile: pl.DataFrame | None, n_main: int, scale: Scale) -> tuple[Fact, ...]:
    """The numbers of one run: its size, its accuracy, and what its profile (None where undefined) says in short."""
    facts = [
        Fact("stimuli", f"{run.n_stimuli:,}", run.stimuli_name),
        Fact("layers", f"{run.n_layers:,}", f"{n_main} of them main layers"),
    ]
    if run.accuracy is not None:
        note = f"top five {run.accuracy.top5:.1%}, {run.accuracy.n_labelled:,} labelled stimuli"
        facts.append(Fact("top-1 accuracy", f"{run.accuracy.top1:.1%}", note))
    return (*facts, *_list_changes(profile, scale)) if profile is not None else tuple(facts)


def _list_changes(profile: pl.DataFrame, scale: Scale) -> list[Fact]:
    """From the input to the end of the way, and the largest step between."""
    facts, end = [], str(profile["layer"].last())
    ends = profile.filter(profile["layer"] == end)["input"].to_list()
    if ends and ends[0] is not None:
        note = f"{scale.axis()} of the first and the last structure"
        facts.append(Fact(f"input to {end}", f"{ends[0]:{scale.format}}", note))
    steps = profile.drop_nulls("change").sort("change", descending=True)
    if len(steps):
        step = steps.row(0, named=True)
        note = f"{scale.step_words}, from {step['before']} to {step['layer']}"
        facts.append(Fact("largest step", f"{step['change']:{scale.format}}", note))
    return facts


def describe_run(run: RunRecord) -> str:
    """One sentence on what was analysed."""
    skipped = f" {len(run.skipped)} stimuli could not be read and were left out." if run.skipped else ""
    weights = f"; {run.model.n_parameters:,} weights" if run.model.n_parameters else ""
    return (
        f"{run.model.name} ({run.model.source}{weights}), "
        f"shown {run.n_stimuli:,} stimuli from {run.stimuli_name}.{skipped}"
    )


class Overview(SectionBuilder):
    """The answer in short."""

    name = "overview"
    description = "the few numbers that a person wants first"
    position: ClassVar[int] = 10

    def applies(self, context: ReportContext) -> bool:
        """Whether there is something to show."""
        return bool(context.runs)

    def build(self, context: ReportContext) -> ReportSection:
        """Query and draw."""
        figures = [self._figure(context, run) for run in featured_runs(context)]
        if len(context.runs) > 1:
            figures.append(_list_runs(context))
        return ReportSection("In short", tuple(figures), describe_run(context.runs[-1]) + _tell_left_out(context))

    def _figure(self, context: ReportContext, run: RunRecord) -> Figure:
        scale = find_scale(context)
        try:
            profile = query_profile(context, run) if networks_among(context, [run]) else None
        except InputError:  # a measure without steps, or undefined on these layers: the others still count
            profile = None
        facts = list_facts(run, profile, len(main_layers(context, run)), scale)
        verb = "agree" if scale.noun == "similarity" else "differ"
        return Figure(
            f"facts-{run.id}",
            title_for(context, run, "The numbers"),
            Facts(facts),
            f"{scale.noun.capitalize()} says how far two layers {verb} on which stimuli are alike: {scale.reading}. "
            "The largest step is where one layer alone changes most of it.",
            f"{comparator_words(context)}; {run.n_stimuli} stimuli.",
        )


def _tell_left_out(context: ReportContext) -> str:
    """Which runs have no figures of their own, and how to see them."""
    shown = featured_runs(context)
    others = [run for run in context.runs if run not in shown]
    if not others:
        return ""
    names = " and ".join(f"{run_label(run)} ({run.id[:8]})" for run in shown)
    return (
        f" Of these {len(context.runs)} runs, figures about a run by itself are of {names}, so that the page stays "
        f"small. 'layerwise report {others[0].id[:8]} -o FILE.html' shows {run_label(others[0])}, and so on."
    )


def _list_runs(context: ReportContext) -> Figure:
    rows = tuple(
        (
            run_label(run),
            run.model.title,
            run.step,
            run.n_stimuli,
            run.n_layers,
            f"{run.accuracy.top1:.1%}" if run.accuracy else None,
            run.id[:8],
        )
        for run in context.runs
    )
    heads = ("run", "model", "step", "stimuli", "layers", "top-1", "id")
    caption = "The runs of this report, in the order in which they are shown."
    return Figure("runs", "The runs", Table(heads, rows), caption)
