"""A measure for every pair of layers in memory, NaN where it is undefined: computed anew for each draw."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from layerwise.core.analysis.inference.replicates import Values
from layerwise.core.analysis.measure import Measure
from layerwise.core.analysis.working_memory import PAIRS_AT_ONCE
from layerwise.core.base.errors import InputError
from layerwise.core.network.representation import Representation


def compare_every_pair(measure: Measure, representations: Iterable[Representation]) -> Values:
    """The measure for every pair of layers, (n_layers, n_layers); NaN where it is undefined."""
    states = [prepare_or_none(measure, representation) for representation in representations]
    return compare_states(measure, states, states, same=True)


def prepare_or_none(measure: Measure, representation: Representation) -> Any:
    """A prepared layer; None where the measure is undefined."""
    try:
        return measure.prepare(representation)
    except InputError:
        return None


def compare_states(measure: Measure, rows: Sequence[Any], columns: Sequence[Any], *, same: bool) -> Values:
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
