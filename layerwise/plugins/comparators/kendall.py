"""Kendall's tau-a between two layers' similarities of all pairs of stimuli.

Ranks and their order are found once a layer. What is left for a pair of layers is to count how many pairs of ranks
are in opposite order: SciPy's compiled counter does that without Python's lock, so that pairs of layers are counted
side by side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.host.kinds import Matrix, Metric, MetricComparator
from layerwise.core.network.representation import Representation
from layerwise.plugins.comparators.panelled import MIN_STIMULI
from layerwise.plugins.comparators.rsa import count_open, refuse_flat, upper_triangle
from layerwise.plugins.metrics import PearsonMetric
from layerwise.plugins.ranks import sort_order

Vector = NDArray[np.float64]
Ranks = NDArray[np.intp]  # what SciPy's counter takes
_UNDEFINED = 0


@dataclass(frozen=True, eq=False)
class Ranking:
    """Dense ranks, and what counting needs of them.

    Attributes:
        ranks: (m,); from 1, equal for equal values.
        order: (m,); indices that sort them.
        ascending: (m,); the ranks in that order.
        tied: Indices of the ranks that occur more than once.
        is_tied: bool (m,); which these are.
        n_untied: How many of the m (m - 1) / 2 pairs of ranks differ.
    """

    ranks: Ranks
    order: NDArray[np.intp]
    ascending: Ranks
    tied: NDArray[np.intp]
    is_tied: NDArray[np.bool_]
    n_untied: int


@dataclass(frozen=True, eq=False)
class RankedPairs:
    """One layer, prepared.

    Attributes:
        ranks: (m,); dense rank from 1 of each pair of stimuli, 0 where it is undefined.
        whole: The ranking, where all pairs are defined.
        n_open: How many pairs tie that may as well not.
    """

    ranks: Ranks
    whole: Ranking | None
    n_open: int = 0


class KendallRsa(MetricComparator):
    """Kendall's tau-a of the strict upper triangles: (concordant - discordant) / (m (m - 1) / 2), m pairs of stimuli.

    Recommended for RSA where a model predicts ties (Nili et al. 2014, PLOS Computational Biology 10:e1003553).
    Exact, in O(m log m) (Knight 1966); of a layer with ties even with itself it is below 1.
    """

    name = "rsa-kendall"
    description = "RSA: Kendall's tau-a of the similarities of all pairs of stimuli"
    kind = "similarity"
    symmetric = True
    value_range = (-1.0, 1.0)
    invariant_to = frozenset({"isotropic-scaling", "stimulus-permutation"})
    metric = PearsonMetric()
    shift_invariant = True
    threaded = True

    def prepare_metric(self, metric: Metric, representation: Representation, matrix: Matrix) -> RankedPairs:
        """Rank what the metric made of a layer, and count ties that are none for sure.

        Raises:
            InputError: As `prepare_matrix`.
        """
        found: RankedPairs = super().prepare_metric(metric, representation, matrix)
        return replace(found, n_open=count_open(metric, representation, matrix, found.ranks))

    def error(self, value: float, first: RankedPairs, second: RankedPairs) -> float:
        """The share of pairs of pairs of which it is not known which is larger."""
        del value
        n_pairs = len(first.ranks)
        return 2 * (first.n_open + second.n_open) / (n_pairs * (n_pairs - 1))

    def prepare_matrix(self, matrix: Matrix) -> RankedPairs:
        """Rank the strict upper triangle.

        Raises:
            InputError: If fewer than three stimuli are defined, or all pairs are equally similar.
        """
        pairs = upper_triangle(matrix)
        defined = np.isfinite(pairs)
        refuse_flat(pairs[defined])
        ranking = rank_densely(pairs[defined])
        if defined.all():
            return RankedPairs(ranking.ranks, ranking)
        ranks = np.full(len(pairs), _UNDEFINED, dtype=np.intp)
        ranks[defined] = ranking.ranks
        return RankedPairs(ranks, None)

    def compare(self, first: RankedPairs, second: RankedPairs) -> float:
        """Tau-a over the pairs that are defined in both.

        Raises:
            InputError: If there are fewer than three, or one of the layers finds them all equally similar.
        """
        one, other = first.whole, second.whole
        if one is None or other is None:
            one, other = _rank_common(first.ranks, second.ranks)
        n_ranked = len(one.ranks)
        return count_agreement(one, other) / (n_ranked * (n_ranked - 1) // 2)


def _rank_common(first: Ranks, second: Ranks) -> tuple[Ranking, Ranking]:
    common = (first != _UNDEFINED) & (second != _UNDEFINED)
    if common.sum() < MIN_STIMULI:
        raise InputError("fewer than three pairs of stimuli are defined in both layers")
    both = first[common].astype(np.float64), second[common].astype(np.float64)
    for ranks in both:
        refuse_flat(ranks)
    return rank_densely(both[0]), rank_densely(both[1])


def rank_densely(values: Vector) -> Ranking:
    """Dense ranks of finite values."""
    order = sort_order(values)
    ordered = values[order]
    starts = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    ascending = np.cumsum(starts, dtype=np.intp)
    ranks = np.empty(len(values), dtype=np.intp)
    ranks[order] = ascending
    counts = np.bincount(ranks)
    n_tied = int((counts * (counts - 1) // 2).sum())
    is_tied = counts[ranks] > 1
    n_untied = len(values) * (len(values) - 1) // 2 - n_tied
    return Ranking(ranks, order, ascending, np.flatnonzero(is_tied), is_tied, n_untied)


def count_agreement(first: Ranking, second: Ranking) -> int:
    """Concordant minus discordant pairs of ranks; pairs that are tied in either ranking are neither."""
    n_ranked = len(first.ranks)
    n_pairs = n_ranked * (n_ranked - 1) // 2
    count_discordant = _find_counter()
    if count_discordant is None:
        return _ask_kendalltau(first, second)
    n_discordant = int(count_discordant(first.ascending, second.ranks.take(first.order)))
    n_untied = first.n_untied + second.n_untied - n_pairs + _count_tied_in_both(first, second)
    return n_untied - 2 * n_discordant


def _count_tied_in_both(first: Ranking, second: Ranking) -> int:
    """How many pairs of ranks are tied in both rankings."""
    few, many = (first, second) if len(first.tied) <= len(second.tied) else (second, first)
    tied = few.tied[many.is_tied[few.tied]]
    if not len(tied):
        return 0
    together = first.ranks[tied].astype(np.int64) << 32 | second.ranks[tied]
    together.sort()
    edges = np.flatnonzero(np.concatenate([[True], together[1:] != together[:-1], [True]]))
    counts = np.diff(edges)
    return int((counts * (counts - 1) // 2).sum())


Counter = Callable[[NDArray[np.intp], NDArray[np.intp]], int]


def _find_counter() -> Counter | None:
    """The part of SciPy's `kendalltau` that counts; it is not part of SciPy's public interface, so it may go.

    Called with ranks from 1, the first in ascending order.
    """
    try:
        from scipy.stats._stats import _kendall_dis
    except ImportError:
        return None
    counter: Counter = _kendall_dis
    return counter


def _ask_kendalltau(first: Ranking, second: Ranking) -> int:
    """The same from SciPy's public function, which sorts for every pair of layers, and holds Python's lock.

    Its tau-b is the difference over the geometric mean of untied pairs.
    """
    from scipy.stats import kendalltau

    tau_b = float(kendalltau(first.ranks, second.ranks, method="asymptotic").statistic)
    return round(tau_b * math.sqrt(first.n_untied) * math.sqrt(second.n_untied))
