"""Section: what changes over training, when runs are checkpoints of one lineage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from layerwise.plugins.sections.shared.grouping import find_trainings
from layerwise.plugins.sections.training.alignment import describe_alignment, draw_alignment, query_alignment
from layerwise.plugins.sections.training.figures import TrainingFigures
from layerwise.plugins.sections.training.queries import (
    Training,
    name_checkpoints,
)
from layerwise.plugins.sections.training.settling import query_settling, tell_settling
from layerwise.report.by_name import chart_of_section
from layerwise.report.content import Chart, Figure, Finding, ReportContext, ReportSection
from layerwise.report.queries import comparator_words
from layerwise.report.scale import find_scale
from layerwise.report.section import NamedFigure, SectionBuilder

NEEDS = "two checkpoints of one lineage or more"


class Checkpoints(SectionBuilder):
    """How the structure of the layers comes about."""

    name = "checkpoints"
    description = "profiles, similarity to input, output and final state, sparseness and weights over a training"
    position: ClassVar[int] = 15

    def applies(self, context: ReportContext) -> bool:
        """Whether there is something to show."""
        return bool(find_trainings(context.runs).groups)

    def build(self, context: ReportContext) -> ReportSection:
        """Query and draw."""
        groups = find_trainings(context.runs).groups
        figures: list[Figure] = []
        trainings = [name_checkpoints(runs) for runs in groups]
        for index, training in enumerate(trainings):
            suffix = f"-{index + 1}" if index else ""
            where = f" · {training.runs[0].lineage}" if len(groups) > 1 else ""
            figures += TrainingFigures(context, training, suffix, where).figures()
        for index, other in enumerate(trainings[1:]):
            figures += _align(context, trainings[0], other, f"-{index + 1}" if index else "")
        introduction = "The same layers on the same stimuli, while the network learns."
        return ReportSection("Over training", tuple(figures), introduction)

    def findings(self, context: ReportContext) -> Sequence[Finding]:
        """In which order the layers of each training settled."""
        found = []
        groups = find_trainings(context.runs).groups
        for index, runs in enumerate(groups):
            settling = query_settling(context, name_checkpoints(runs))
            told = None if settling is None else tell_settling(settling)
            if told is not None:
                about = f"{runs[0].lineage}: " if len(groups) > 1 else ""
                suffix = f"-{index + 1}" if index else ""
                found.append(replace(told, text=f"{about}{told.text}", figure=f"{told.figure}{suffix}"))
        return found

    def figures(self) -> Sequence[NamedFigure]:
        """What `layerwise figure` draws of it."""
        charts = {
            "training-final": ("checkpoints", "how alike each layer is to what it becomes, over training"),
            "training-input": ("checkpoints-input", "how alike each layer is to the input, over training"),
            "training-output": ("checkpoints-output", "how alike each layer is to the output, over training"),
        }
        named = [
            chart_of_section(self, chart, name=name, description=words, needs=NEEDS, n_runs=(2, None))
            for chart, (name, words) in charts.items()
        ]
        accuracy = chart_of_section(
            self,
            "accuracy",
            name="accuracy",
            description="accuracy over training",
            needs=NEEDS,
            n_runs=(2, None),
            uses_layers=False,
        )
        return (*named, accuracy, *_more_figures(self))


def _more_figures(section: SectionBuilder) -> Sequence[NamedFigure]:
    """The figures on settling, growth and pace that have names of their own."""
    words = {
        "settling": "when each layer becomes what it will be, and whether that goes from the bottom up",
        "layer-matrices": "the layer x layer matrix at each checkpoint, with a slider",
        "participation-ratio": "dimensions of each layer, over training",
    }
    named = [
        chart_of_section(section, chart, name=name, description=words[chart], needs=NEEDS, n_runs=(2, None))
        for chart, name in (
            ("settling", "settling"),
            ("layer-matrices", "checkpoints-layers"),
            ("participation-ratio", "checkpoints-dimension"),
        )
    ]
    aligned = chart_of_section(
        section,
        "time-alignment",
        name="time-alignment",
        description="checkpoints of one training against those of another, with the best path",
        needs="checkpoints of two lineages on the same stimuli",
        n_runs=(4, None),
    )
    return (*named, aligned)


def _align(context: ReportContext, first: Training, second: Training, suffix: str) -> list[Figure]:
    """Two trainings aligned in time, where they can be."""
    found = query_alignment(context, first, second)
    if found is None:
        return []
    scale = find_scale(context)
    names = f"{found.first.name} and {found.second.name}"
    caption = (
        f"Each row is a checkpoint of {found.first.name}, each column one of {found.second.name}; colour is the "
        f"{scale.noun} of what their layers make of the stimuli. {describe_alignment(found, first, second)}"
    )
    method = (
        f"{comparator_words(context)}, averaged over {len(found.layers)} layers of the same names; "
        f"{first.runs[0].n_stimuli} stimuli. The boxed path goes from both first to both last checkpoints without "
        "going back, with the best sum on the way (dynamic time warping; symmetric weights of Sakoe and Chiba "
        "1978, so that a detour does not win by being long)."
    )
    chart = Chart(draw_alignment(found, first, second, scale))
    return [Figure(f"time-alignment{suffix}", f"{names}, aligned in time", chart, caption, method)]
