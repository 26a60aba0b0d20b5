"""Any measure on other draws of the stimuli: prepared anew for each, through `prepare` and `compare` alone.

Where the comparator is a correlation over pairs of stimuli (`pairwise`), the same numbers come out much faster.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from layerwise.core.analysis.compute_pairs import PAIRS_AT_ONCE
from layerwise.core.analysis.inference.pairwise import PairTable, replicate_pairs, run_all, tabulate
from layerwise.core.analysis.inference.replicates import Replicates, Values
from layerwise.core.analysis.inference.resampling import (
    Draw,
    check_n_stimuli,
    draw_permutation,
    draw_subset,
    leave_out_groups,
    subset_size,
)
from layerwise.core.analysis.measure import Measure
from layerwise.core.base.errors import InputError
from layerwise.core.network.representation import Representation


def replicate(measure: Measure, representations: Sequence[Representation], n_resamples: int, seed: int) -> Replicates:
    """A measure for every pair of layers, on all stimuli, on each resample, and with stimuli left out.

    Args:
        measure: The measure.
        representations: The layers, of the same stimuli.
        n_resamples: How many resamples to draw.
        seed: Decides the draws.

    Returns:
        Replicates of (n_layers, n_layers).

    Raises:
        InputError: If there are fewer than four stimuli.
        PluginError: If the comparator fails.
    """
    states, table = _prepare_all(measure, representations, reweight=True)
    n_stimuli = representations[0].n_stimuli
    if table is not None:
        return replicate_pairs(table, n_resamples, seed)

    def on(chosen: Draw) -> Values:
        return compare_every_pair(measure, [item.take(chosen) for item in representations])

    groups = list(leave_out_groups(n_stimuli, seed))
    times = _timer(measure)
    return Replicates(
        estimate=_compare(measure, states, states, same=True),
        resampled=times(lambda number: on(draw_subset(n_stimuli, number, seed)), n_resamples),
        left_out=times(lambda number: on(groups[number]), len(groups)),
        n_stimuli=n_stimuli,
        subset_size=subset_size(n_stimuli),
        value_range=measure.comparator.offer.value_range,
    )


def permute(
    measure: Measure, representations: Sequence[Representation], n_permutations: int, seed: int
) -> tuple[Values, Values]:
    """A measure for every pair of layers, and the same with the stimuli of the row's layer permuted.

    Returns:
        (n_layers, n_layers) and (n_permutations, n_layers, n_layers); NaN where undefined.

    Raises:
        InputError: If there are fewer than four stimuli.
        PluginError: If the comparator fails.
    """
    states, table = _prepare_all(measure, representations, reweight=False)
    n_stimuli = representations[0].n_stimuli
    if table is not None:
        return table.correlate(), table.permute(n_permutations, seed)

    def of(number: int) -> Values:
        order = draw_permutation(n_stimuli, number, seed)
        moved = _prepare_or_none(measure, [item.take(order) for item in representations])
        return _compare(measure, moved, states, same=False)

    return _compare(measure, states, states, same=True), _timer(measure)(of, n_permutations)


def compare_every_pair(measure: Measure, representations: Sequence[Representation]) -> Values:
    """The measure for every pair of layers, (n_layers, n_layers); NaN where it is undefined."""
    states = _prepare_or_none(measure, representations)
    return _compare(measure, states, states, same=True)


def _prepare_all(
    measure: Measure, representations: Sequence[Representation], *, reweight: bool
) -> tuple[list[Any], PairTable | None]:
    """The prepared layers, and what they are for the fast way where there is one.

    Raises:
        InputError: If there are fewer than four stimuli.
    """
    n_stimuli = representations[0].n_stimuli
    check_n_stimuli(n_stimuli)
    states = _prepare_or_none(measure, representations)
    return states, tabulate(measure.comparator.offer, states, n_stimuli, reweight=reweight)


def _timer(measure: Measure) -> Callable[[Callable[[int], Values], int], Values]:
    """Side by side where the comparator says that it may be; otherwise one after the other."""
    return run_all if measure.comparator.offer.threaded else _run_one_by_one


def _run_one_by_one(of: Callable[[int], Values], n_times: int) -> Values:
    return np.stack([of(number) for number in range(n_times)])


def _prepare_or_none(measure: Measure, representations: Sequence[Representation]) -> list[Any]:
    """The prepared layers; None where the measure is undefined."""
    states: list[Any] = []
    for representation in representations:
        try:
            states.append(measure.prepare(representation))
        except InputError:
            states.append(None)
    return states


def _compare(measure: Measure, rows: Sequence[Any], columns: Sequence[Any], *, same: bool) -> Values:
    """Every pair: at once where the comparator can, what that leaves undefined one by one."""
    matrix = np.full((len(rows), len(columns)), np.nan)
    left = [index for index, state in enumerate(rows) if state is not None]
    right = [index for index, state in enumerate(columns) if state is not None]
    if left and right:
        firsts = [rows[index] for index in left]
        seconds = firsts if same else [columns[index] for index in right]
        with contextlib.suppress(InputError):  # one pair is undefined: each by itself
            found = measure.compare_all(firsts, seconds)
            if found is not None:
                matrix[np.ix_(left, right)] = found
    mirror = same and measure.symmetric
    missing = [(i, j) for i in left for j in right if not (np.isfinite(matrix[i, j]) or (mirror and j < i))]
    for start in range(0, len(missing), PAIRS_AT_ONCE):
        some = missing[start : start + PAIRS_AT_ONCE]
        values = _compare_some(measure, [(rows[i], columns[j]) for i, j in some])
        for (i, j), value in zip(some, values, strict=True):
            matrix[i, j] = value
            if mirror:
                matrix[j, i] = value
    return matrix


def _compare_some(measure: Measure, pairs: Sequence[tuple[Any, Any]]) -> Sequence[float]:
    """Several pairs at once where the comparator can; what that leaves undefined one by one."""
    values = np.full(len(pairs), np.nan)
    if measure.compares_pairs and len(pairs) > 1:
        with contextlib.suppress(InputError):
            values = measure.compare_pairs([first for first, _ in pairs], [second for _, second in pairs])
    return [
        float(value) if np.isfinite(value) else _compare_pair(measure, *pair)
        for pair, value in zip(pairs, values, strict=True)
    ]


def _compare_pair(measure: Measure, first: Any, second: Any) -> float:
    try:
        return measure.compare(first, second)
    except InputError:
        return float("nan")
