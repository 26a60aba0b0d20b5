"""Kendall's tau-a between two layers' similarities of all pairs of stimuli."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layerwise.core.kinds import Matrix, MetricComparator
from layerwise.plugins.comparators.rsa import common_pairs, refuse_flat, upper_triangle
from layerwise.plugins.metrics import PearsonMetric
from layerwise.plugins.ranks import sort_order

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class RankedPairs:
    """One layer, prepared.

    Attributes:
        pairs: float64 (m,); the metric's value for each pair of stimuli, NaN where undefined.
        ranks: int32 (m,); dense ranks, equal for equal values; None where some are undefined.
        n_untied: How many of the m (m - 1) / 2 pairs of pairs differ in this layer.
    """

    pairs: Vector
    ranks: NDArray[np.int32] | None
    n_untied: int


class KendallRsa(MetricComparator):
    """Kendall's tau-a of the strict upper triangles: (concordant - discordant) / (m (m - 1) / 2), m pairs of stimuli.

    Recommended for RSA where a model predicts ties (Nili et al. 2014, PLOS Computational Biology 10:e1003553).
    Counted in O(m log m) by SciPy (Knight 1966); of a layer with ties even with itself it is below 1.
    """

    name = "rsa-kendall"
    symbol = "τ"
    description = "RSA: Kendall's tau-a of the similarities of all pairs of stimuli"
    kind = "similarity"
    symmetric = True
    value_range = (-1.0, 1.0)
    invariant_to = frozenset({"isotropic-scaling", "stimulus-permutation"})
    metric = PearsonMetric()

    def prepare_matrix(self, matrix: Matrix) -> RankedPairs:
        """Rank the strict upper triangle.

        Raises:
            InputError: If fewer than three stimuli are defined, or all pairs are equally similar.
        """
        pairs = upper_triangle(matrix)
        defined = np.isfinite(pairs)
        refuse_flat(pairs[defined])
        if not defined.all():
            return RankedPairs(pairs, None, 0)
        ranks, n_untied = rank_densely(pairs)
        return RankedPairs(pairs, ranks, n_untied)

    def compare(self, first: RankedPairs, second: RankedPairs) -> float:
        """Tau-a over the pairs that are defined in both.

        Raises:
            InputError: If there are fewer than three, or one of the layers finds them all equally similar.
        """
        from scipy.stats import kendalltau

        if first.ranks is not None and second.ranks is not None:
            one, other = (first.ranks, first.n_untied), (second.ranks, second.n_untied)
        else:
            common = common_pairs(first.pairs, second.pairs)
            for pairs in common:
                refuse_flat(pairs)
            one, other = rank_densely(common[0]), rank_densely(common[1])
        tau_b = float(kendalltau(one[0], other[0], method="asymptotic").statistic)
        n_ranked = len(one[0])
        # SciPy's tau-b is the same difference over the geometric mean of untied pairs
        value = tau_b * math.sqrt(one[1]) * math.sqrt(other[1]) / (n_ranked * (n_ranked - 1) / 2)
        return min(max(value, -1.0), 1.0)


def rank_densely(pairs: Vector) -> tuple[NDArray[np.int32], int]:
    """Dense ranks from 0, and how many pairs of values differ."""
    order = sort_order(pairs)
    ordered = pairs[order]
    new = np.concatenate([[False], ordered[1:] != ordered[:-1]])
    ranks = np.empty(len(pairs), dtype=np.int32)
    ranks[order] = np.cumsum(new, dtype=np.int32)
    counts = np.bincount(ranks).astype(np.int64)
    n_tied = int((counts * (counts - 1) // 2).sum())
    return ranks, len(pairs) * (len(pairs) - 1) // 2 - n_tied
