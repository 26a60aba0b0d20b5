"""The page of a study: answers first, then what they are made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from layerwise.core.base.writing import replacing
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.host.registry import Registry
from layerwise.demo.study.answers import Answer, answer, estimate, paired
from layerwise.demo.study.carrying_out import of_condition
from layerwise.demo.study.charts import (
    along_layers,
    draw_curves,
    draw_weights,
    mean_of,
    over_training,
    weights_over_training,
)
from layerwise.demo.study.plan import Study
from layerwise.demo.study.training import DECOV, SPARSENESS, WEIGHT_SPREAD, WEIGHT_TAILS, ZEROS, Training
from layerwise.report.content import Chart, Content, Figure, Listing, ReportContext, ReportSection, Table
from layerwise.report.page import PlacedSection, render_figures, render_page

SHARE = (0.0, 1.0)


def write_page(
    study: Study,
    trainings: Sequence[Training],
    registry: Registry,
    history: HistoryProtocol,
    path: Path,
    command: str = "",
) -> Path:
    """Write the page of a study whose trainings are all there.

    Args:
        study: The plan.
        trainings: All of them.
        registry: What plugins offer.
        history: Where the runs are.
        path: The HTML file; one that is there is replaced.
        command: What makes the study again.
    """
    sections = [
        _answers(answer(study, trainings)),
        _in_numbers(study, trainings),
        _over_training(study, trainings),
        _weights(study, trainings),
        _along_layers(study, trainings),
        _silenced(study, trainings),
        _plan(study, command),
    ]
    placed = [_place(f"study-{place}", section) for place, section in enumerate(sections) if section is not None]
    runs = [history.find_run(training.last.run_id) for training in trainings]
    page = render_page(placed, ReportContext(runs, history, registry), study.title)
    with replacing(path) as target:
        target.write_text(page, encoding="utf-8", errors="replace", newline="\n")
    return path


def _place(anchor: str, section: ReportSection) -> PlacedSection:
    return PlacedSection(anchor, section.title, section.introduction, render_figures(section, anchor))


def _answers(answers: Sequence[Answer]) -> ReportSection:
    figures = [
        Figure(f"answer-{place}", one.question, Table(("", ""), tuple(enumerate(one.sentences, start=1))))
        for place, one in enumerate(answers)
    ]
    introduction = (
        "Means over seeds with Student's intervals, 95 %; conditions are compared seed by seed. The sentences are "
        "made of the numbers: where an interval has 0 in it, no difference is claimed, and none is ruled out."
    )
    return ReportSection("Answers", tuple(figures), introduction)


def _in_numbers(study: Study, trainings: Sequence[Training]) -> ReportSection:
    rows = []
    for condition in study.conditions:
        done = of_condition(trainings, condition.name)
        accuracy = estimate([training.last.accuracy for training in done])
        smoothness = estimate([training.last.smoothness for training in done])
        than = study.conditions[0].name
        difference = paired(study, trainings, condition.name, lambda one: one.last.accuracy)
        shown = "" if condition.name == than else difference.shown(signed=True)
        rows.append((condition.name, condition.described, accuracy.shown(), shown, smoothness.shown()))
    columns = ("condition", "trained", "accuracy", f"against {study.conditions[0].name}", "smoothness")
    figure = Figure("numbers", "At the end of the training", Table(columns, tuple(rows)))
    return ReportSection("In numbers", (figure,))


def _over_training(study: Study, trainings: Sequence[Training]) -> ReportSection:
    drawn = [
        ("accuracy", "Accuracy on held-out stimuli", lambda moment: moment.accuracy, "top-1 accuracy", SHARE),
        ("smoothness", "Smoothness of the decorrelation", lambda moment: moment.smoothness, "smoothness", SHARE),
        ("way", "All steps added up", lambda moment: sum(moment.steps), "sum of 1 - rsa-pearson", None),
        ("sparseness", "Sparseness", mean_of(SPARSENESS), "Treves-Rolls, hidden layers", SHARE),
        ("zeros", "Activations that are 0", mean_of(ZEROS), "share, hidden layers", SHARE),
        ("spread", "Spread of the weights", mean_of(WEIGHT_SPREAD), "standard deviation", None),
        ("tails", "Tails of the weights", mean_of(WEIGHT_TAILS), "excess kurtosis", None),
        (
            "decov",
            "DeCov, on a logarithmic scale",
            lambda moment: _log10(mean_of(DECOV)(moment)),
            "log10 of DeCov",
            None,
        ),
    ]
    figures = [
        Figure(name, title, Chart(draw_curves(study, over_training(study, trainings, of), axis, domain)))
        for name, title, of, axis, domain in drawn
    ]
    return ReportSection("Over training", tuple(figures), "Bands are intervals over seeds.")


def _weights(study: Study, trainings: Sequence[Training]) -> ReportSection:
    figures = [
        Figure(
            f"weights-{place}",
            f"Trained {condition.described}",
            Chart(draw_weights(weights_over_training(study, trainings, condition.name))),
        )
        for place, condition in enumerate(study.conditions)
    ]
    introduction = (
        "The weights of each tensor: their median, and bands that hold half of them, 90 and 98 %. "
        "Quantiles are means over seeds."
    )
    return ReportSection("How the weights are distributed", tuple(figures), introduction)


def _log10(value: float) -> float:
    return math.log10(value) if value > 0 else math.nan


def _along_layers(study: Study, trainings: Sequence[Training]) -> ReportSection | None:
    if len({training.layers for training in trainings}) > 1:
        return None  # no common axis
    figures = [
        Figure(name, title, Chart(draw_curves(study, along_layers(study, trainings, which), "1 - rsa-pearson")))
        for name, title, which in (
            ("trained", "Steps of the trained network", "last"),
            ("untrained", "Steps before learning", "first"),
        )
    ]
    return ReportSection("Along the layers", tuple(figures), "How much each layer changes the similarity structure.")


def _silenced(study: Study, trainings: Sequence[Training]) -> ReportSection | None:
    names = list(dict.fromkeys(name for training in trainings for name in training.accuracy_lost))
    if not names:
        return None
    rows = []
    for name in names:
        cells: list[str] = []
        for condition in study.conditions:
            lost = [
                training.accuracy_lost.get(name, math.nan) for training in of_condition(trainings, condition.name)
            ]
            found = estimate(lost)
            cells.append(found.shown() if found.n else "–")
        rows.append((name, *cells))
    columns = ("without", *(condition.name for condition in study.conditions))
    content: Content = Table(columns, tuple(rows))
    caption = (
        "Top-1 accuracy that the trained network loses when a branch is set to 0; a pattern means all at once. Each "
        "network without a branch is a run of the history: `layerwise runs --origin ablated`."
    )
    return ReportSection("Silenced", (Figure("silenced", "What each branch is worth", content, caption),))


def _plan(study: Study, command: str) -> ReportSection:
    text = (
        f"{len(study.seeds)} seeds, {study.n_epochs} epochs of {len(study.labels)} pictures in batches of "
        f"{study.batch_size}, Adam from {study.learning_rate:g} along a cosine; "
        f"{len(study.probe_labels)} pictures held out"
    )
    figure = Figure("plan", "How it was done", Listing(command or text), text if command else "")
    return ReportSection("The plan", (figure,))
