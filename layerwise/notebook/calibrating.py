"""Calibrated scores in Python: where numbers stand between chance and perfect agreement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from layerwise.core.base.errors import InputError
from layerwise.core.network.representation import NO_TRANSFORM
from layerwise.notebook.labelled import LabelledMatrix
from layerwise.notebook.run import DEFAULT_MEASURE, Run

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from layerwise.core.analysis.calibration.ask import BestPair
    from layerwise.core.base.parameters import Setting

N_PERMUTATIONS = 1000


@dataclass(frozen=True, eq=False)
class Calibration:
    """Calibrated scores of layers with layers.

    Attributes:
        scores: From 0, what chance reaches in one of twenty permutations, to 1, perfect agreement.
        thresholds: What chance reaches.
        p: Of each pair by itself.
        best: The best of all pairs that were searched, held against the best of each permutation.
    """

    scores: LabelledMatrix
    thresholds: LabelledMatrix
    p: LabelledMatrix
    best: BestPair | None


def calibrate(
    run: Run,
    other: Run | None = None,
    *,
    measure: str = DEFAULT_MEASURE,
    layers: Sequence[str] | str | None = None,
    metric: str | None = None,
    transform: str = NO_TRANSFORM,
    n_permutations: int = N_PERMUTATIONS,
    seed: int = 0,
    **settings: Setting,
) -> Calibration:
    """Where similarities stand between what permuted stimuli give (0) and perfect agreement (1).

    Few stimuli, wide layers, and many layers that are searched for the best make a number large by themselves; what
    is left here is not theirs (Groeger, Wen and Brbic 2026). Of two runs the layers of one are the rows and those of
    the other the columns, and the best pair is searched across.

    Args:
        run: The run.
        other: Another run, also of another history; None for the run itself.
        measure: Name of the comparator.
        layers: Selectors of the layers of both; all by default.
        metric: The metric whose matrices are compared, by comparators that compare any.
        transform: The activation transform of both.
        n_permutations: Permutations of the stimuli, the same ones for all pairs.
        seed: Decides them.
        settings: Values of the comparator's parameters.

    Raises:
        InputError: If there is no such measure or layer, or the runs share too few stimuli.
    """
    from layerwise.core.analysis.calibration.ask import ask_calibrated
    from layerwise.core.analysis.choose import choose_layers
    from layerwise.core.analysis.measure import find_measure
    from layerwise.core.history.intervals import PermutationPlan
    from layerwise.core.history.records import LayerAddress
    from layerwise.core.history.views.shared import share_stimuli

    if other is not None and other.run_id == run.run_id:
        raise InputError("a run is calibrated with itself where no other is given")
    found = find_measure(run.history.registry, measure, settings, metric)
    runs = [run] if other is None else [run, other]
    history, records, _ = share_stimuli(run.history.joined_with(runs[1:]), [one.record for one in runs])
    selectors = (layers,) if isinstance(layers, str) else layers
    chosen = choose_layers(run.history.registry, history, records, selectors)
    addresses = [LayerAddress(record.id, layer.name, transform) for record, layer in chosen]
    table = ask_calibrated(history, found, addresses, PermutationPlan(n_permutations, seed))
    rows = [place for place, address in enumerate(addresses) if address.run_id == runs[0].run_id]
    columns = [place for place, address in enumerate(addresses) if address.run_id == runs[-1].run_id]
    downs, acrosses = (tuple(addresses[place].layer for place in side) for side in (rows, columns))

    def label(part: NDArray[np.float64], what: str, kind: Literal["similarity", "distance"]) -> LabelledMatrix:
        return LabelledMatrix(part[rows][:, columns], downs, acrosses, f"{found.name}, {what}", kind)

    return Calibration(
        label(table.scores, "calibrated", "similarity"),
        label(table.thresholds, "by chance", found.kind),
        label(table.p, "p", "distance"),
        table.best,
    )
