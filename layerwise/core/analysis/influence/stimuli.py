"""The influence of each stimulus on a comparison: what it would be without it.

Single stimuli can carry a score (Davari et al. 2023, ICLR). For RSA as a Pearson correlation leaving one out is
subtracting what its pairs contribute; every other measure is computed again on the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.compare import check_same_stimuli
from layerwise.core.analysis.inference.every_pair import compare_every_pair
from layerwise.core.analysis.inference.pairwise import offers_scores, tabulate
from layerwise.core.analysis.inference.resampling import check_n_stimuli
from layerwise.core.analysis.measure import Measure
from layerwise.core.base.errors import InputError
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import LayerAddress
from layerwise.core.network.representation import Representation

Values = NDArray[np.float64]
_PEELED = (1, 2, 5, 10, 20, 50)
_MOST_PEELED = 0.2  # of the stimuli


@dataclass(frozen=True, eq=False)
class Influence:
    """How a comparison of two layers depends on single stimuli.

    Attributes:
        measure: What compares them.
        first: The row.
        second: The column.
        names: Names of the stimuli, in order.
        value: The measure on all stimuli.
        without: (n,); the measure without each of them, NaN where it is undefined then.
        peeled: How many of the most influential stimuli were left out together, and the measure on the rest.
        by_subtraction: Whether stimuli were subtracted, rather than the measure computed again.
    """

    measure: Measure
    first: LayerAddress
    second: LayerAddress
    names: tuple[str, ...]
    value: float
    without: Values
    peeled: tuple[tuple[int, float], ...]
    by_subtraction: bool

    @property
    def shift(self) -> Values:
        """(n,); how much larger the measure is for the stimulus: the value less that without it."""
        return np.asarray(self.value - self.without)

    @property
    def order(self) -> NDArray[np.intp]:
        """(n,); the stimuli, those of most influence in either direction first; undefined ones last."""
        return order_by_influence(self.value, self.without)

    @property
    def standard_error(self) -> float:
        """The jackknife's: sqrt((n - 1) / n times the squares of the values without each around their mean)."""
        known = self.without[np.isfinite(self.without)]
        return float(np.sqrt((len(known) - 1) * np.var(known))) if len(known) > 1 else float("nan")


def find_influence(
    history: HistoryProtocol, measure: Measure, first: LayerAddress, second: LayerAddress
) -> Influence:
    """The influence of each stimulus on one comparison.

    Args:
        history: Where both layers are.
        measure: What compares them.
        first: The row.
        second: The column.

    Raises:
        InputError: If the runs are of different stimuli, there are fewer than four, or the measure is undefined.
    """
    ends = measure.resolve(first), measure.resolve(second)
    check_same_stimuli(history, ends)
    layers = history.read_representations(ends)
    check_n_stimuli(layers[0].n_stimuli)
    value = float(compare_every_pair(measure, layers)[0, 1])
    if not np.isfinite(value):
        raise InputError(f"{measure.name} is undefined between {first.layer} and {second.layer}")
    without, by_subtraction = leave_each_out(measure, layers)
    names = tuple(stimulus.name for stimulus in history.list_stimuli(first.run_id))
    peeled = _peel(measure, layers, order_by_influence(value, without))
    return Influence(measure, first, second, names, value, without, peeled, by_subtraction)


def leave_each_out(measure: Measure, layers: Sequence[Representation]) -> tuple[Values, bool]:
    """The measure of two layers without each stimulus, (n,), and whether stimuli were subtracted."""
    if offers_scores(measure, reweight=True):
        table = tabulate(measure, layers)
        if table is not None:
            return np.asarray(table.leave_out()[:, 0, 1]), True
    n_stimuli = layers[0].n_stimuli
    found = np.empty(n_stimuli)
    for stimulus in range(n_stimuli):
        rest = np.delete(np.arange(n_stimuli), stimulus)
        found[stimulus] = compare_every_pair(measure, [layer.take(rest) for layer in layers])[0, 1]
    return found, False


def order_by_influence(value: float, without: Values) -> NDArray[np.intp]:
    """(n,); the stimuli, those without which the value changes most first; undefined ones last."""
    change = np.abs(value - without)
    return np.argsort(-np.where(np.isfinite(change), change, -1.0), kind="stable")


def _peel(
    measure: Measure, layers: Sequence[Representation], order: NDArray[np.intp]
) -> tuple[tuple[int, float], ...]:
    """The measure without the few most influential stimuli together."""
    n_stimuli = len(order)
    found = []
    for n_out in _PEELED:
        if n_out > _MOST_PEELED * n_stimuli:
            break
        rest = np.sort(order[n_out:])
        found.append((n_out, float(compare_every_pair(measure, [layer.take(rest) for layer in layers])[0, 1])))
    return tuple(found)
