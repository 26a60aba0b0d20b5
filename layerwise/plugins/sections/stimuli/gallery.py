"""Section: example stimuli with the model's five most probable classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from layerwise.core.history.records import Prediction, RunRecord, StimulusRecord
from layerwise.core.network.class_words import label_classes
from layerwise.core.network.model import ModelInfo
from layerwise.report.content import Bar, Card, Figure, Gallery, ReportContext, ReportSection, Verdict
from layerwise.report.queries import featured_runs, title_for
from layerwise.report.section import SectionBuilder

N_CARDS = 24
N_BARS = 5
N_CLASSES_UNKNOWN = 10**9


def judge(ranked: Sequence[Prediction], answers: frozenset[int]) -> Verdict:
    """Whether the first of the ranked classes is an answer (`right`), another is (`near`), or none (`wrong`)."""
    if not answers or not ranked:
        return "unknown"
    if ranked[0].class_index in answers:
        return "right"
    return "near" if any(prediction.class_index in answers for prediction in ranked) else "wrong"


def query_cards(context: ReportContext, run: RunRecord, limit: int = N_CARDS) -> tuple[Card, ...]:
    """Cards of `limit` stimuli, evenly spread over the set: the first ones are often of one class."""
    ranked: dict[int, list[Prediction]] = {}
    for prediction in context.history.read_predictions(run.id):
        ranked.setdefault(prediction.position, []).append(prediction)
    listed = context.history.list_stimuli(run.id)
    n_shown = min(limit, len(listed))
    stimuli = [listed[index * len(listed) // n_shown] for index in range(n_shown)]
    n_classes = len(run.model.class_names) or N_CLASSES_UNKNOWN
    answers = label_classes([stimulus.label for stimulus in stimuli], run.model, n_classes)
    return tuple(
        _card(run.model, stimulus, ranked.get(stimulus.position, []), answer)
        for stimulus, answer in zip(stimuli, answers, strict=True)
    )


def _card(model: ModelInfo, stimulus: StimulusRecord, predictions: list[Prediction], answers: frozenset[int]) -> Card:
    ranked = sorted(predictions, key=lambda prediction: prediction.rank)[:N_BARS]
    bars = tuple(
        Bar(p.class_name or f"class {p.class_index}", p.probability, p.class_index in answers) for p in ranked
    )
    names = [model.class_names[index] for index in sorted(answers) if index < len(model.class_names)]
    named = " or ".join(names) or stimulus.label or ""
    return Card(stimulus.thumbnail, stimulus.name, named, judge(ranked, answers), bars)


def _pictured_runs(context: ReportContext) -> list[RunRecord]:
    runs = featured_runs(context)
    return [run for run in runs if any(stimulus.thumbnail for stimulus in context.history.list_stimuli(run.id))]


class PhotoGallery(SectionBuilder):
    """Some of the stimuli, and what the model takes them for."""

    name = "gallery"
    description = "example stimuli with their five most probable classes"
    position: ClassVar[int] = 70

    def applies(self, context: ReportContext) -> bool:
        """Whether there are pictures to show; stimuli that are known by name alone have none."""
        return bool(_pictured_runs(context))

    def build(self, context: ReportContext) -> ReportSection:
        """Query and draw."""
        runs = _pictured_runs(context)
        figures = tuple(self._figure(context, run, N_CARDS // len(runs)) for run in runs)
        return ReportSection(
            "What the model sees", figures, "Some of the stimuli, and what the model takes them for."
        )

    def _figure(self, context: ReportContext, run: RunRecord, limit: int) -> Figure:
        cards = query_cards(context, run, limit)
        judged = any(card.verdict != "unknown" for card in cards)
        answers = (
            " A green tick marks stimuli whose label comes first, an amber dot those whose label is among the five, "
            "a red cross the others."
            if judged
            else ""
        )
        return Figure(
            f"gallery-{run.id}",
            title_for(context, run, "Stimuli and answers"),
            Gallery(cards),
            f"The five most probable classes of each stimulus; the length of a bar is the probability.{answers}",
            f"{len(cards)} of {run.n_stimuli} stimuli, evenly spread over the set and in its order.",
        )
