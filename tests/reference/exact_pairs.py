"""What a layer makes of each pair of stimuli, from its activations, in float64 and from the definitions.

Written to be right where it is hard to be right: distances come from differences of activations and similarities from
distances, so that nothing cancels; and what is equal but for the last digits of float64 counts as equal. Nothing of
Layerwise is used here.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist, squareform
from scipy.stats import rankdata

Rows = NDArray[np.float64]
Pairs = NDArray[np.float64]

_SAME_PRODUCT = 1e-14  # relative: of an inner product
_SAME = 1e-9  # relative: float64 knows small distances of nearly equal, large vectors to about this
_NOTHING = 1e-28  # of a squared distance of vectors of length 1


def centre_columns(rows: Rows) -> Rows:
    """Each unit less its mean over stimuli; one stimulus is taken out first, which is exact where they are near."""
    apart = rows - rows[0]
    return apart - apart.mean(axis=0)


def reduce_columns(rows: Rows) -> Rows:
    """Coordinates of the stimuli in no more dimensions than there are stimuli: the same distances and products."""
    if rows.shape[1] <= len(rows):
        return rows
    return np.linalg.qr(rows.T, mode="r").T


def unit_rows(rows: Rows) -> Rows:
    """Each stimulus scaled to length 1; NaN where it is all zeros."""
    with np.errstate(invalid="ignore"):
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def centre_rows(rows: Rows) -> Rows:
    """Each stimulus less its mean over units; exactly 0 where all units answer alike."""
    first = rows - rows[:, :1]
    return first - first.mean(axis=1, keepdims=True)


def squared_chords(units: Rows) -> Pairs:
    """Squared distances of vectors of length 1, with zeros that are zeros."""
    apart = pdist(units, "sqeuclidean")
    apart[apart < _NOTHING] = 0
    return apart


def _angles(rows: Rows) -> Pairs:
    return 2 * np.arcsin(np.minimum(np.sqrt(squared_chords(unit_rows(rows))) / 2, 1))


def _dots(rows: Rows) -> Pairs:
    return (rows @ rows.T)[np.triu_indices(len(rows), 1)]


DISTANCES: dict[str, Callable[[Rows], Pairs]] = {
    "pearson": lambda rows: squared_chords(unit_rows(centre_rows(rows))) / 2,
    "spearman": lambda rows: squared_chords(unit_rows(centre_rows(rankdata(rows, axis=1)))) / 2,
    "cosine": lambda rows: squared_chords(unit_rows(rows)) / 2,
    "correlation-distance": lambda rows: squared_chords(unit_rows(centre_rows(rows))) / 2,
    "euclidean": lambda rows: pdist(rows, "euclidean"),
    "squared-euclidean": lambda rows: pdist(rows, "sqeuclidean"),
    "angular": _angles,
    "dot": lambda rows: -_dots(rows),
}
"""Larger means less alike, for every metric: similarities up to 1 as differences from 1, others with their sign
changed. Exact where similarities are close to 1."""

_FROM_ONE = {"pearson", "spearman", "cosine"}


def is_similar(metric: str) -> bool:
    """Whether larger values of the metric mean more alike."""
    return metric == "dot" or metric in _FROM_ONE


def find_values(rows: Rows, metric: str) -> Pairs:
    """The metric's values of all pairs i < j, row by row."""
    apart = DISTANCES[metric](rows)
    if metric in _FROM_ONE:
        return 1 - apart
    return -apart if metric == "dot" else apart


def find_distances(rows: Rows, metric: str) -> Pairs:
    """As `DISTANCES`, those equal that differ by rounding of float64 alone; NaN stays."""
    return _merge_ties(DISTANCES[metric](rows), _SAME_PRODUCT if metric == "dot" else _SAME)


def _merge_ties(values: Pairs, same: float) -> Pairs:
    merged = values.copy()
    order = np.argsort(values, kind="stable")
    ordered = values[order][np.isfinite(values[order])]
    if len(ordered):
        allowed = same * np.maximum(np.abs(ordered[1:]), np.abs(ordered[:-1]))
        starts = np.concatenate([[True], np.diff(ordered) > allowed])
        merged[order[: len(ordered)]] = ordered[np.flatnonzero(starts)][np.cumsum(starts) - 1]
    return merged


def has_no_neighbours(rows: Rows, metric: str) -> bool:
    """Whether some stimulus has no value with the others, or all pairs have the same one."""
    apart = find_distances(rows, metric)
    return bool(np.isnan(apart).any() or np.ptp(apart) == 0)


def find_neighbours(rows: Rows, metric: str, k: int) -> NDArray[np.intp]:
    """(n, k); each stimulus's nearest others, equally near ones in the order of the set."""
    apart = squareform(find_distances(rows, metric), checks=False)
    np.fill_diagonal(apart, np.inf)
    return np.argsort(apart, axis=1, kind="stable")[:, :k]
