"""What report sections ask of a history: the chosen measure, main layers, comparisons, labels of runs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.choose import list_main_layers
from layerwise.core.analysis.compare import ComparisonTable, compare_layers, describe_basis
from layerwise.core.analysis.inference.pairwise import PairwiseCorrelation
from layerwise.core.analysis.inference.plans import check_interval_plan
from layerwise.core.analysis.measure import Measure, find_measure
from layerwise.core.base.errors import InputError
from layerwise.core.history.intervals import IntervalPlan
from layerwise.core.history.records import LayerAddress, RunRecord
from layerwise.core.host.kinds import MetricComparator
from layerwise.core.network.layers import Layer, end_words, find_end_point
from layerwise.core.network.matrices.tiles import MOST_WHOLE
from layerwise.core.network.representation import NO_TRANSFORM
from layerwise.report.content import ReportContext

N_RESAMPLES = 200  # about a second for 500 stimuli and 20 layers, where resampling is only weighting


def run_label(run: RunRecord) -> str:
    """What a run is called where several are shown."""
    if run.checkpoint is not None:
        return run.checkpoint
    return f"step {run.step}" if run.step is not None else f"{run.model.title}, run {run.id[:8]}"


def featured_runs(context: ReportContext) -> Sequence[RunRecord]:
    """The runs that get figures of their own: all of one or two, otherwise the first and the last."""
    return context.runs if len(context.runs) <= 2 else (context.runs[0], context.runs[-1])


def headline_runs(context: ReportContext) -> list[RunRecord]:
    """The networks of which a page's head says what was found: of one training the last checkpoint."""
    networks = networks_among(context, featured_runs(context))
    lineages = {run.lineage for run in networks}
    return networks[-1:] if len(lineages) == 1 and None not in lineages else networks


def headline_prefix(context: ReportContext, run: RunRecord) -> str:
    """What a sentence on one run begins with, where the page is about several."""
    return "" if len(context.runs) == 1 else f"{run_label(run)}: "


def title_for(context: ReportContext, run: RunRecord, title: str) -> str:
    """A figure's title, with the run's name where there are several."""
    return title if len(context.runs) == 1 else f"{title} · {run_label(run)}"


def shown_transform(context: ReportContext, run: RunRecord) -> str:
    """The transform whose representations are shown: the chosen one, else plain activations where there are any."""
    if context.choice.transform is not None:
        return context.choice.transform
    return NO_TRANSFORM if NO_TRANSFORM in run.transforms else run.transforms[0]


def recording_ids(context: ReportContext) -> frozenset[str]:
    """The runs that hold imported matrices without an input and an output: areas of a brain, ratings of people.

    What needs an order from one layer to the next has nothing to say of them.
    """

    def find() -> frozenset[str]:
        imported = [run.id for run in context.runs if run.origin == "imported"]
        ends = {run: {layer.role for layer in context.history.list_layers(run)} for run in imported}
        return frozenset(run for run, roles in ends.items() if not roles & {"input", "output"})

    return context.once("recordings", find)


def networks_among(context: ReportContext, runs: Sequence[RunRecord]) -> list[RunRecord]:
    """Those that are no recordings."""
    return [run for run in runs if run.id not in recording_ids(context)]


def address(context: ReportContext, run: RunRecord, layer: Layer) -> LayerAddress:
    """Where a layer's representation is kept."""
    return LayerAddress(run.id, layer.name, shown_transform(context, run))


def chosen_measure(context: ReportContext) -> Measure:
    """The comparator that the report was asked for, with its settings and metric."""
    choice = context.choice
    return find_measure(context.registry, choice.comparator, choice.settings, choice.metric)


def main_layers(context: ReportContext, run: RunRecord) -> list[Layer]:
    """The layers of the `main` selection; where none was analysed, all that are not branches of a block."""
    return list_main_layers(context.history, run)


def layer_in_role(layers: Sequence[Layer], role: str) -> Layer | None:
    """The input, or the output, where it was analysed."""
    return next((layer for layer in layers if layer.role == role), None)


def end_point(context: ReportContext, run: RunRecord, layers: Sequence[Layer] | None = None) -> Layer | None:
    """Where the way through a network ends: the chosen layer, the logits, or the output; None where not analysed.

    Args:
        context: What is reported.
        run: A run.
        layers: Those of its layers among which it is looked for; None for all that were analysed.
    """
    there = context.history.list_layers(run.id) if layers is None else layers
    return find_end_point(there, context.choice.end_point)


def end_of(context: ReportContext, runs: Sequence[RunRecord]) -> str:
    """What the end points of some runs are called in a sentence: `the logits`, `the output`, `their end points`."""
    words = {end_words(end_point(context, run)) for run in runs}
    return words.pop() if len(words) == 1 else "their end points"


def plan_bands(context: ReportContext, measure: Measure) -> IntervalPlan | None:
    """How the bands around curves are made: as chosen, by default where it is quick; None for no bands.

    Raises:
        InputError: If it is chosen from too few resamples.
    """
    n_resamples = context.choice.n_resamples
    if n_resamples is None:
        offer = measure.comparator.offer
        is_quick = isinstance(offer, PairwiseCorrelation) and offer.reweightable
        is_quick = is_quick and all(run.n_stimuli <= MOST_WHOLE and not run.n_landmarks for run in context.runs)
        n_resamples = N_RESAMPLES if is_quick else 0
    if not n_resamples:
        return None
    plan = IntervalPlan(n_resamples)
    check_interval_plan(plan)
    return plan


def check_choice(context: ReportContext) -> None:
    """Find out before the work whether every run can be shown with the chosen measure.

    Raises:
        InputError: If there is no such comparator, parameter, metric or end point, or a run lacks the transform.
    """
    measure = chosen_measure(context)
    plan_bands(context, measure)
    if context.choice.end_point is not None:
        for run in networks_among(context, context.runs):
            end_point(context, run)
    for run in context.runs:
        wanted = measure.resolve(LayerAddress(run.id, "", shown_transform(context, run))).transform
        if wanted not in run.transforms:
            there = ", ".join(run.transforms)
            how = f"analyse it with `layerwise run --transform {wanted}`"
            raise InputError(f"run {run.id} has no '{wanted}' activations (it has: {there}); {how}")


def compare_table(context: ReportContext, layers: Sequence[LayerAddress]) -> ComparisonTable:
    """The chosen measure for every pair of layers, with what is undetermined. What is new is kept."""
    return compare_layers(context.registry, context.history, chosen_measure(context), layers)


def compare(
    context: ReportContext, rows: Sequence[LayerAddress], columns: Sequence[LayerAddress] | None = None
) -> NDArray[np.float64]:
    """The chosen measure for every row and column, (rows, columns); NaN where undefined. What is new is kept."""
    table = compare_layers(context.registry, context.history, chosen_measure(context), rows, columns)
    return np.asarray(table.matrix, dtype=np.float64)


def comparator_words(context: ReportContext) -> str:
    """How two layers are compared: measure, settings, metric, transform, with the provider and its version."""
    measure = chosen_measure(context)
    offer = measure.comparator.offer
    words = [offer.description]
    if isinstance(offer, MetricComparator):
        words.append(f"two stimuli: {offer.metric.description}")
    words += [f"{name} {value}" for name, value in offer.settings.items()]
    words.append(f"{measure.provider.name} {measure.provider.version}")
    transforms = {
        measure.resolve(LayerAddress(r.id, "", shown_transform(context, r))).transform for r in context.runs
    }
    plain = transforms == {NO_TRANSFORM}
    changed = "" if plain else f", of activations under the transform {' or '.join(sorted(transforms))}"
    basis = describe_basis(context.runs)
    return f"{words[0]} ({'; '.join(words[1:])}){changed}{f', {basis}' if basis else ''}"


def number(value: float) -> float | None:
    """A float for a frame: None where it is not a number."""
    return None if math.isnan(value) else float(value)
