"""What changes from checkpoint to checkpoint of a training: the numbers behind its section."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from layerwise.core.analysis.compare import compare_pairs
from layerwise.core.analysis.compute_pairs import Pair
from layerwise.core.history.records import LayerAddress, RunRecord
from layerwise.plugins.sections.layers.sparseness import query_sparseness
from layerwise.plugins.sections.shared.grouping import Runs
from layerwise.plugins.sections.shared.overlays import query_overlay, read_profiles
from layerwise.report.content import ReportContext
from layerwise.report.queries import chosen_measure, main_layers, run_label, shown_transform

if TYPE_CHECKING:
    import polars as pl

VIEWS = ("final", "input", "output")
N_VALUES_AT_ONCE = (
    32_000_000  # similarities of stimuli that are held in memory for comparisons with the last checkpoint
)
WEIGHT_CHANGE = "weight-std"
WEIGHT_STATISTICS = ("weight-fraction-near-zero", "weight-kurtosis")


@dataclass(frozen=True)
class Training:
    """Checkpoints of one training, in order, with what they are called.

    Attributes:
        runs: Two or more, on the same stimuli.
        names: A different name for each.
    """

    runs: Runs
    names: tuple[str, ...]

    @property
    def named(self) -> Iterator[tuple[str, RunRecord]]:
        """Names with runs, in order."""
        return zip(self.names, self.runs, strict=True)

    @property
    def by_id(self) -> dict[str, str]:
        """Names by the run's id."""
        return {run.id: name for name, run in self.named}


def name_checkpoints(runs: Runs) -> Training:
    """Checkpoints with a different name for each."""
    labels = tuple(run_label(run) for run in runs)
    if len(set(labels)) < len(labels):
        labels = tuple(f"{index + 1}: {label}" for index, label in enumerate(labels))
    return Training(runs, labels)


def query_training(context: ReportContext, training: Training) -> pl.DataFrame:
    """The measure to the `input`, the end point (`output`) and the `final` state of each layer, at each checkpoint.

    Returns:
        Layer by layer in order of depth: `index` (of the checkpoint, from 0), `checkpoint`, `layer`, `input`,
        `output`, `final`; None where undefined, or where the last checkpoint has no such layer.
    """
    import polars as pl

    ends = query_overlay(context, training.runs, training.by_id, beyond=True).rename({"series": "checkpoint"})
    final = _compare_with_last(context, training)
    order = pl.DataFrame({"checkpoint": training.names, "index": range(len(training.names))})
    found = ends.join(final, on=["checkpoint", "layer"], how="left").join(order, on="checkpoint", how="left")
    found = found.sort(pl.col("depth").mean().over("layer"), "layer", "index")
    return found.select("index", "checkpoint", "layer", "input", "output", "final")


def _compare_with_last(context: ReportContext, training: Training) -> pl.DataFrame:
    """Each layer of each checkpoint against the same layer of the last: `checkpoint`, `layer`, `final`."""
    import polars as pl

    last = training.runs[-1]
    layers = {run.id: {layer.name for layer in main_layers(context, run)} for run in training.runs}
    asked: list[tuple[str, str, Pair]] = []
    for layer in main_layers(context, last):
        there = LayerAddress(last.id, layer.name, shown_transform(context, last))
        for name, run in training.named:
            if layer.name in layers[run.id]:
                here = LayerAddress(run.id, layer.name, shown_transform(context, run))
                asked.append((name, layer.name, (here, there)))
    n_pairs = max(last.n_stimuli * (last.n_stimuli - 1) // 2, 1)
    at_once = max(N_VALUES_AT_ONCE // n_pairs, len(training.runs) + 1)
    rows: list[tuple[str, str, float | None]] = []
    for start in range(0, len(asked), at_once):
        part = asked[start : start + at_once]
        pairs = [pair for _, _, pair in part]
        answers = compare_pairs(context.registry, context.history, chosen_measure(context), pairs)
        rows += [(name, layer, answer.value) for (name, layer, _), answer in zip(part, answers, strict=True)]
    schema = {"checkpoint": pl.String, "layer": pl.String, "final": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def query_accuracy(training: Training) -> pl.DataFrame:
    """`checkpoint`, `series` (top-1 or top-5) and `value`, for the runs whose accuracy is known."""
    import polars as pl

    rows = [
        (name, series, value)
        for name, run in training.named
        if run.accuracy is not None
        for series, value in (("top-1", run.accuracy.top1), ("top-5", run.accuracy.top5))
    ]
    schema = {"checkpoint": pl.String, "series": pl.String, "value": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def query_course(context: ReportContext, training: Training) -> pl.DataFrame:
    """The transition in numbers at each checkpoint: `checkpoint`, `series` (smoothness, crossing), `value`."""
    import polars as pl

    profiles = read_profiles(context, training.runs)
    rows = []
    for name, run in training.named:
        profile = profiles.get(run.id)
        if profile is not None and profile.smoothness is not None:
            rows.append((name, "smoothness", profile.smoothness))
        if profile is not None and profile.crossings:
            rows.append((name, "crossing", profile.crossings[0].depth))
    schema = {"checkpoint": pl.String, "series": pl.String, "value": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def query_sparseness_over(context: ReportContext, training: Training) -> pl.DataFrame:
    """Sparseness of the main layers at each checkpoint: `column` (checkpoint), `row` (layer), `series`, `value`."""
    import polars as pl

    frames = [
        query_sparseness(context, run).select(
            pl.lit(name).alias("column"), pl.col("layer").alias("row"), "series", "value"
        )
        for name, run in training.named
    ]
    return pl.concat(frames)


def query_weight_statistics(context: ReportContext, training: Training) -> pl.DataFrame:
    """How the weights of each tensor change: `series`, `column` (checkpoint), `row` (tensor), `value`.

    The first series is log2 of the standard deviation over that in the first checkpoint: 1 is twice as spread out,
    -1 half. The others are the statistics as they are. Tensors of one axis (biases) are left out.
    """
    import polars as pl

    rows = []
    first: dict[str, float] = {}
    for name, run in training.named:
        for tensor in context.history.read_weights(run.id):
            if len(tensor.shape) < 2:
                continue
            label = tensor.name.removesuffix("/kernel")
            values = {result.name: result.value for result in tensor.statistics}
            spread = values.get(WEIGHT_CHANGE)
            before = first.setdefault(label, spread or 0.0)
            change = float(np.log2(spread / before)) if spread and before else None
            rows.append((WEIGHT_CHANGE, name, label, change))
            rows += [(statistic, name, label, values.get(statistic)) for statistic in WEIGHT_STATISTICS]
    schema = {"series": pl.String, "column": pl.String, "row": pl.String, "value": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def spread_evenly(count: int, most: int) -> Sequence[int]:
    """Indices of at most so many of `count` things, evenly spaced, the first and the last among them."""
    if count <= most:
        return range(count)
    return [int(place) for place in np.linspace(0, count - 1, max(most, 2)).round()]
