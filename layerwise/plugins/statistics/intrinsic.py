"""Intrinsic dimension: how many coordinates it takes to move along the surface on which the stimuli lie."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from layerwise.core.host.kinds import RepresentationStatistic, StatisticValue
from layerwise.core.network.matrices.pairs import Pairs
from layerwise.plugins.statistics.usable import Vector, allow_for_rounding, join_notes, keep_finite

Flags = NDArray[np.bool_]
DISCARDED = 0.1
MIN_STIMULI = 10


class TwoNearestNeighboursStatistic(RepresentationStatistic):
    """TwoNN intrinsic dimension (Facco, d'Errico, Rodriguez and Laio 2017).

    With mu the distance to a stimulus's second nearest neighbour over that to its nearest, P(mu <= x) = 1 - x^-d
    where the density hardly changes that far. d is the slope of -log(1 - i/n) against the i-th smallest log mu,
    through the origin, over the nine tenths of the stimuli with the smallest mu, as its authors do. Distances are
    Euclidean, between activation vectors; the Gram matrix gives them. Too small for many dimensions: 500 points of a
    10-dimensional cube give 8.3, of a 20-dimensional one 14.8 (means of eight draws).
    """

    name = "intrinsic-dimension"
    description = "TwoNN intrinsic dimension, from the distances to the two nearest neighbours"
    unit = "dimensions"
    panelled = True

    def compute(self, representation: Pairs) -> StatisticValue:
        """Of stimuli with the same activations one counts, which is noted, as is what is not finite."""
        usable, note = keep_finite(representation)
        usable.require_finite()
        nearest, is_double = find_nearest(usable)
        n_doubles = int(is_double.sum())
        n_distinct = usable.n_stimuli - n_doubles
        if n_distinct < MIN_STIMULI:
            return StatisticValue(
                None, f"{n_distinct} stimuli have activations of their own, {MIN_STIMULI} are needed"
            )
        if n_doubles:  # whose neighbours they were
            nearest = find_nearest(usable, ~is_double)[0][~is_double]
        dimension = estimate_dimension(nearest)
        if dimension is None:
            return StatisticValue(None, "the two nearest neighbours of every stimulus are equally far")
        doubles = f"{n_doubles} stimuli have the activations of another one and are left out" if n_doubles else ""
        return StatisticValue(dimension, join_notes(note, doubles))


def find_nearest(representation: Pairs, counts: Flags | None = None) -> tuple[Vector, Flags]:
    """Squared distances of each stimulus to its two nearest neighbours, (n, 2), and which are another one's double.

    Args:
        representation: The layer.
        counts: Which stimuli are neighbours, (n,); None for all.
    """
    n_stimuli = representation.n_stimuli
    nearest, is_double = np.full((n_stimuli, 2), np.inf), np.zeros(n_stimuli, dtype=np.bool_)
    for rows, panel in representation.upper_panels():
        squared = panel.squared_distances()
        n_rows = len(squared)
        same = squared <= allow_for_rounding(panel)
        is_double[rows.start :] |= (same & _above(squared.shape)).any(axis=0)
        squared[np.arange(n_rows), np.arange(n_rows)] = np.inf
        if counts is not None:
            squared[~counts[rows], :] = squared[:, ~counts[rows.start :]] = np.inf
        _note_nearest(nearest[rows.stop :], squared[:, n_rows:].copy().T)
        _note_nearest(nearest[rows], squared)
    return nearest, is_double


def _above(shape: tuple[int, ...]) -> Flags:
    return np.asarray(np.arange(shape[1]) > np.arange(shape[0])[:, None])


def _note_nearest(nearest: Vector, squared: Vector) -> None:
    """Put the two smallest of each row beside those known before, (k, 2), in place; `squared` is spoilt."""
    for _ in range(2 if squared.size else 0):
        place = squared.argmin(axis=1)
        least = squared[np.arange(len(place)), place]
        squared[np.arange(len(place)), place] = np.inf
        nearest[:, 1] = np.minimum(nearest[:, 1], np.maximum(nearest[:, 0], least))
        nearest[:, 0] = np.minimum(nearest[:, 0], least)


def estimate_dimension(nearest: Vector) -> float | None:
    """The TwoNN estimate from squared distances to the two nearest, (n, 2), none of them 0; None where mu is 1."""
    ratio = np.sort(0.5 * np.log(nearest[:, 1] / nearest[:, 0]))
    n_kept = int(len(ratio) * (1 - DISCARDED))
    x = ratio[:n_kept]
    y = -np.log1p(-np.arange(1, n_kept + 1) / len(ratio))
    length = float(x @ x)
    return float(x @ y) / length if length > 0 else None


STATISTICS: tuple[type[RepresentationStatistic], ...] = (TwoNearestNeighboursStatistic,)
