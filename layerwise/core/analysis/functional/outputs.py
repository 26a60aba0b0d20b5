"""Functional similarity: how far two runs on the same stimuli give the same output.

Layers are compared by what they make of all pairs of stimuli; outputs can be compared stimulus by stimulus, for they
mean the same in both networks: column k is class k. So these are no comparators, which are handed representations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.compare import check_same_stimuli
from layerwise.core.base.errors import InputError
from layerwise.core.history.outputs import Outputs
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import LayerAddress, RunRecord
from layerwise.core.network.ablating.answers import Estimate, Resampling, average_over, disagree, diverge

PerStimulus = Callable[[Outputs, Outputs], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class OutputMeasure:
    """A distance between two outputs for the same stimuli, from 0 (the same) to 1, averaged over stimuli.

    Attributes:
        name: What people type.
        description: What it is, with its source.
        compare: Its value for each stimulus, (n,).
    """

    name: str
    description: str
    compare: PerStimulus


def _disagree(first: Outputs, second: Outputs) -> NDArray[np.float64]:
    return disagree(first.values, second.values)


def _diverge(first: Outputs, second: Outputs) -> NDArray[np.float64]:
    distributions = [one.probabilities() for one in (first, second)]
    if distributions[0] is None or distributions[1] is None:
        raise InputError("the output is no distribution over classes, so it has no Jensen-Shannon divergence")
    return diverge(distributions[0], distributions[1])


OUTPUT_MEASURES = {
    measure.name: measure
    for measure in (
        OutputMeasure(
            "disagreement",
            "share of stimuli whose most probable class is another one (Madani et al. 2004)",
            _disagree,
        ),
        OutputMeasure(
            "jsd", "Jensen-Shannon divergence of the outputs in bits, averaged over stimuli (Lin 1991)", _diverge
        ),
    )
}
"""What outputs can be compared by, by name."""


@dataclass(frozen=True, eq=False)
class OutputTable:
    """The outputs of some runs, each with each.

    Attributes:
        measure: What was asked.
        runs: The runs.
        matrix: (n_runs, n_runs); NaN where there is none.
        low: Lower ends of the 95 % intervals over stimuli.
        high: Upper ends.
        reasons: Why, for each pair of run ids without a number.
    """

    measure: OutputMeasure
    runs: tuple[RunRecord, ...]
    matrix: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    reasons: dict[tuple[str, str], str] = field(default_factory=dict)


def compare_outputs(
    history: HistoryProtocol,
    runs: Sequence[RunRecord],
    name: str,
    resampling: Resampling = Resampling(),  # noqa: B008 - frozen
) -> OutputTable:
    """Compare the output of every run with that of every other.

    Args:
        history: Where outputs are.
        runs: Two or more runs on the same stimuli.
        name: One of `OUTPUT_MEASURES`.
        resampling: How intervals are made.

    Raises:
        InputError: If there are fewer than two, they are of different stimuli, or one has no whole output.
        LayerwiseError: If a stored output fails its checksum.
    """
    runs = tuple({run.id: run for run in runs}.values())
    if len(runs) < 2:
        raise InputError(f"{name} compares the outputs of runs: name two or more")
    check_same_stimuli(history, [LayerAddress(run.id, "output") for run in runs])
    measure = OUTPUT_MEASURES[name]
    outputs = [read_outputs(history, run) for run in runs]
    draws = resampling.draw(runs[0].n_stimuli)
    tables = np.full((3, len(runs), len(runs)), np.nan)
    reasons: dict[tuple[str, str], str] = {}
    for i, first in enumerate(outputs):
        tables[:, i, i] = 0.0
        for j, second in enumerate(outputs[:i]):
            try:
                found = compare_two(measure, first, second, draws)
            except InputError as error:
                reasons[runs[j].id, runs[i].id] = str(error)
                continue
            tables[:, i, j] = tables[:, j, i] = found.value, found.low, found.high
    matrix, low, high = tables
    return OutputTable(measure, runs, matrix, low, high, reasons)


def compare_two(measure: OutputMeasure, first: Outputs, second: Outputs, draws: NDArray[np.intp]) -> Estimate:
    """The measure for two outputs, with its interval.

    Raises:
        InputError: If they are of different numbers of classes, or the measure is undefined for them.
    """
    if first.values.shape != second.values.shape:
        n_classes = [one.values.shape[1] for one in (first, second)]
        raise InputError(f"outputs of {n_classes[0]} and {n_classes[1]} numbers are not of the same classes")
    return average_over(measure.compare(first, second), draws)


def read_outputs(history: HistoryProtocol, run: RunRecord) -> Outputs:
    """The whole output of a run.

    Raises:
        InputError: If it was not kept.
        LayerwiseError: If it is damaged.
    """
    found = history.read_outputs(run.id)
    if found is None:
        raise InputError(
            f"run {run.id} has not kept its whole output: runs of before schema 0011, with --outputs none, of an "
            "output that is not analysed or too large, and most imports have none; `layerwise run ... --force` "
            "computes it anew"
        )
    return found
