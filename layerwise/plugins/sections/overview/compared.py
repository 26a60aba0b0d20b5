"""Section: which of the report's runs are held against which, and why others are not."""

from __future__ import annotations

from typing import ClassVar

from layerwise.core.history.records import RunRecord
from layerwise.plugins.sections.shared.grouping import (
    Grouping,
    find_models,
    find_recordings,
    find_stimulus_sets,
    find_trainings,
)
from layerwise.report.content import Figure, ReportContext, ReportSection, Table
from layerwise.report.queries import recording_ids, run_label
from layerwise.report.section import SectionBuilder


def group_runs(context: ReportContext) -> dict[str, Grouping]:
    """How each kind of comparison sorts the runs."""
    runs, recordings = context.runs, recording_ids(context)
    kinds = {
        "across models": find_models(runs, recordings),
        "over training": find_trainings(runs),
        "across stimulus sets": find_stimulus_sets(runs),
    }
    return kinds | ({"recordings and networks": find_recordings(runs, recordings)} if recordings else {})


def tabulate_runs(context: ReportContext) -> Table:
    """A line for each run: what it is of, and for each kind of comparison with which runs, or why with none.

    A kind that compares no runs at all has no column, unless none does.
    """
    kinds = group_runs(context)
    found = {kind: grouping for kind, grouping in kinds.items() if grouping.groups} or kinds
    rows = [
        (
            run.id[:8],
            run_label(run) if run.checkpoint or run.step is not None else run.model.title,
            f"{run.stimuli_name} ({run.n_stimuli})",
            *(_say(run, grouping) for grouping in found.values()),
        )
        for run in context.runs
    ]
    return Table(("run", "of", "stimuli", *found), tuple(rows))


def _say(run: RunRecord, grouping: Grouping) -> str:
    """With whom a run is compared, or why it is not."""
    group = grouping.group_of(run)
    if not group:
        return f"– {grouping.left_out[run.id]}"
    others = [member.id[:8] for member in group if member.id != run.id]
    return f"with {', '.join(others)}" if len(others) <= 4 else f"with {len(others)} others"


class Compared(SectionBuilder):
    """What can be compared among runs that differ in more than one way."""

    name = "compared"
    description = "which of several runs are compared with which, and why others are not"
    position: ClassVar[int] = 12

    def applies(self, context: ReportContext) -> bool:
        """Whether it is not plain: several runs, and not simply all of them compared in one way."""
        groups = [group for grouping in group_runs(context).values() for group in grouping.groups]
        plain = len(groups) == 1 and len(groups[0]) == len(context.runs)
        return len(context.runs) > 1 and not plain

    def build(self, context: ReportContext) -> ReportSection:
        """Sort the runs."""
        caption = (
            "Models are compared on the same stimuli, checkpoints within one lineage on the same stimuli, "
            "stimulus sets with the same model, and recordings with whatever saw the same stimuli."
        )
        figure = Figure("runs", "Which runs are compared", tabulate_runs(context), caption)
        introduction = (
            "The runs of this report differ in more than one way, so not every comparison is of all of them."
        )
        return ReportSection("What is compared with what", (figure,), introduction)
