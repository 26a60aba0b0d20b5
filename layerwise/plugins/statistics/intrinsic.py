"""Intrinsic dimension: how many coordinates it takes to move along the surface on which the stimuli lie."""

from __future__ import annotations

import numpy as np

from layerwise.core.host.kinds import RepresentationStatistic, StatisticValue
from layerwise.core.network.representation import Representation
from layerwise.plugins.statistics.usable import Vector, find_doubles, join_notes, keep_finite

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

    def compute(self, representation: Representation) -> StatisticValue:
        """Of stimuli with the same activations one counts, which is noted, as is what is not finite."""
        usable, note = keep_finite(representation)
        squared = usable.squared_distances()
        distinct = np.flatnonzero(~np.tril(find_doubles(usable), -1).any(axis=1))
        n_distinct, n_doubles = len(distinct), usable.n_stimuli - len(distinct)
        if n_distinct < MIN_STIMULI:
            return StatisticValue(
                None, f"{n_distinct} stimuli have activations of their own, {MIN_STIMULI} are needed"
            )
        dimension = estimate_dimension(squared[np.ix_(distinct, distinct)])
        if dimension is None:
            return StatisticValue(None, "the two nearest neighbours of every stimulus are equally far")
        doubles = f"{n_doubles} stimuli have the activations of another one and are left out" if n_doubles else ""
        return StatisticValue(dimension, join_notes(note, doubles))


def estimate_dimension(squared: Vector) -> float | None:
    """The TwoNN estimate from squared distances, (n, n), none of them zero off the diagonal; None where mu is 1."""
    apart = squared.copy()
    np.fill_diagonal(apart, np.inf)
    nearest = np.partition(apart, 1, axis=1)
    ratio = np.sort(0.5 * np.log(nearest[:, 1] / nearest[:, 0]))
    n_kept = int(len(ratio) * (1 - DISCARDED))
    x = ratio[:n_kept]
    y = -np.log1p(-np.arange(1, n_kept + 1) / len(ratio))
    length = float(x @ x)
    return float(x @ y) / length if length > 0 else None


STATISTICS: tuple[type[RepresentationStatistic], ...] = (TwoNearestNeighboursStatistic,)
