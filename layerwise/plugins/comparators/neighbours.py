"""Nearest neighbours: whether two layers put the same stimuli next to each other.

A layer is, for each stimulus, the list of its k nearest other stimuli by a metric, itself left out; equally near ones
in the order of the set. Inner products of activations scaled to length 1, that is `cosine`, unless told otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.base.parameters import Parameter
from layerwise.core.host.kinds import Matrix, Metric, MetricComparator
from layerwise.core.network.representation import Representation
from layerwise.plugins.metrics import CosineMetric

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Neighbourhoods:
    """One layer, prepared.

    Attributes:
        order: (n, k + 1); each stimulus's neighbours and what comes after them, nearest first.
        ranks: (n, n); 1 for the nearest neighbour, and so on, 0 for those that are none.
        matrix: (n, n); the metric's values.
        n_open: How often it is not known which of two neighbours is nearer.
    """

    order: NDArray[np.intp]
    ranks: NDArray[np.int32]
    matrix: Matrix
    n_open: int = 0

    @property
    def nearest(self) -> NDArray[np.intp]:
        """(n, k); each stimulus's neighbours."""
        return self.order[:, :-1]

    @property
    def members(self) -> NDArray[np.bool_]:
        """(n, n); whether the column is a neighbour of the row."""
        return self.ranks > 0


class NeighbourComparator(MetricComparator):
    """Base: prepares the neighbours."""

    kind = "similarity"
    symmetric = True
    value_range = (0.0, 1.0)
    invariant_to = frozenset({"orthogonal", "isotropic-scaling", "stimulus-permutation"})
    parameters = (Parameter("k", 10, "how many neighbours count", minimum=1),)
    metric = CosineMetric()
    shift_invariant = True
    threaded = True

    def prepare_metric(self, metric: Metric, representation: Representation, matrix: Matrix) -> Neighbourhoods:
        """Find the neighbours, of values that are settled as far as they are known.

        Raises:
            InputError: As `prepare_matrix`.
        """
        found: Neighbourhoods = super().prepare_metric(metric, representation, matrix)
        if not representation.resolution.activations:
            return found  # exact ones may tie
        values = metric.differences(representation, np.asarray(matrix, dtype=np.float64))
        n_open = count_open(found.matrix, found.order, values, lambda: metric.errors(representation, values))
        return replace(found, n_open=n_open)

    def error(self, value: float, first: Neighbourhoods, second: Neighbourhoods) -> float:
        """The share of neighbours of which it is not known whether they are."""
        del value
        return (first.n_open + second.n_open) / first.nearest.size

    def prepare_matrix(self, matrix: Matrix) -> Neighbourhoods:
        """Find the neighbours.

        Raises:
            InputError: If there are not more than k stimuli, one is undefined, or all are equally near.
        """
        n_stimuli, k = len(matrix), self.settings["k"]
        if n_stimuli <= k:
            raise InputError(f"{self.name} needs more than k = {k} stimuli, here are {n_stimuli}; set a smaller `k`")
        n_undefined = int(np.isnan(np.diagonal(matrix)).sum())
        if n_undefined:
            raise InputError(f"the {self.metric.name} metric is undefined for {n_undefined} of {n_stimuli} stimuli")
        apart = -matrix if self.metric.kind == "similarity" else matrix.copy()
        if not np.ptp(apart[~np.eye(n_stimuli, dtype=np.bool_)]) > 0:
            raise InputError(
                f"{self.name} is undefined: all stimuli are equally near to each other, as far as the layer's "
                "resolution tells"
            )
        np.fill_diagonal(apart, np.inf)
        order = np.argsort(apart, axis=1, kind="stable")[:, : k + 1]
        ranks = np.zeros(matrix.shape, dtype=np.int32)
        np.put_along_axis(ranks, order[:, :k], np.arange(1, k + 1, dtype=np.int32)[None, :], axis=1)
        return Neighbourhoods(order, ranks, matrix)


def count_open(
    settled: NDArray[np.floating], order: NDArray[np.intp], values: Vector, errors: Callable[[], Vector]
) -> int:
    """How many neighbours may as well come after the next one: those that were settled to be as near, and differ.

    Args:
        settled: (n, n); values, equal where they are equal as far as they are known.
        order: (n, m); neighbours, nearest first.
        values: (n, n); the same before they were settled.
        errors: Gives the standard deviations of their errors.
    """
    near = np.take_along_axis(settled, order, axis=1)
    stimulus, place = np.nonzero(near[:, 1:] == near[:, :-1])
    one, other = order[stimulus, place], order[stimulus, place + 1]
    others = other != stimulus  # which comes last, where there is nobody else
    if not others.any():
        return 0
    stimulus, one, other = stimulus[others], one[others], other[others]
    apart = np.abs(values[stimulus, one] - values[stimulus, other])
    return int((apart > errors()[stimulus, one] / 2).sum())


class MutualKnn(NeighbourComparator):
    """Mean share of each stimulus's k neighbours that both layers agree on: mean_i |N(i) n M(i)| / k.

    Huh et al. 2024, The Platonic Representation Hypothesis, ICML 2024. Chance is k / (n - 1).
    """

    name = "mutual-knn"
    description = "mutual k nearest neighbours: share of neighbours that both layers agree on"

    def compare(self, first: Neighbourhoods, second: Neighbourhoods) -> float:
        """The mean overlap."""
        return int((first.members & second.members).sum()) / first.nearest.size

    def compare_all(self, rows: Sequence[Neighbourhoods], columns: Sequence[Neighbourhoods]) -> Vector:
        """All overlaps with one product; counts below 2^24, which float32 holds exactly."""
        left = np.stack([row.members.ravel() for row in rows]).astype(np.float32)
        same = rows is columns
        right = left if same else np.stack([column.members.ravel() for column in columns]).astype(np.float32)
        return np.asarray(left @ right.T, dtype=np.float64) / rows[0].nearest.size


class CycleKnn(NeighbourComparator):
    """Share of stimuli that find back to themselves: from a neighbour in the column's layer by one in the row's.

    mean_i [there is j in N_column(i) with i in N_row(j)] (Huh et al. 2024, appendix). Not symmetric.
    """

    name = "cycle-knn"
    description = "cycle k nearest neighbours: stimuli reached again by a neighbour in each layer"
    symmetric = False

    def compare(self, first: Neighbourhoods, second: Neighbourhoods) -> float:
        """The share of stimuli."""
        return float((second.members & first.members.T).any(axis=1).mean())


class Cknna(NeighbourComparator):
    """Centred kernel nearest-neighbour alignment: CKA over common neighbours only (Huh et al. 2024, appendix).

    A(K, L) / sqrt(A(K, K) A(L, L)), A(K, L) = sum_ij a_ij (K_ij - mean_l K_il) (L_ij - mean_l L_il), where a_ij is
    1 if j is among i's k neighbours in both layers, i itself left out. (The code published with it takes another
    form, an unbiased HSIC of both kernels with all but common neighbours set to 0; as those are not symmetric
    matrices, that depends on which layer comes first.)
    """

    name = "cknna"
    description = "centred kernel alignment over common nearest neighbours"
    value_range = (-1.0, 1.0)

    def prepare_matrix(self, matrix: Matrix) -> Neighbourhoods:
        """Find the neighbours, and centre the kernel's rows.

        Raises:
            InputError: If the metric is a distance, or all neighbours of all stimuli are as near as the average.
        """
        if self.metric.kind != "similarity":
            raise InputError(f"cknna needs a similarity as its kernel, and '{self.metric.name}' is a distance")
        found = super().prepare_matrix(matrix)
        centred = matrix - matrix.mean(axis=1, keepdims=True)
        rounding = len(matrix) * np.finfo(np.float64).eps * np.abs(matrix).max()
        if np.abs(centred[found.members]).max() <= rounding:
            raise InputError("cknna is undefined: all neighbours of all stimuli are as near as the average")
        return replace(found, matrix=centred)

    def compare(self, first: Neighbourhoods, second: Neighbourhoods) -> float:
        """The alignment."""
        one, other = (np.where(state.members, state.matrix, 0).ravel() for state in (first, second))
        lengths = [np.sqrt(np.einsum("i,i", values, values)) for values in (one, other)]
        return float(np.clip(np.einsum("i,i", one, other) / lengths[0] / lengths[1], -1, 1))


class Jaccard(NeighbourComparator):
    """Mean Jaccard similarity of neighbour sets: mean_i |N(i) n M(i)| / |N(i) u M(i)|.

    As in Klabunde et al. 2025 (ACM Computing Surveys, neighborhood-based measures; Schumacher et al. 2021).
    """

    name = "jaccard"
    description = "Jaccard similarity of the k nearest neighbours"

    def compare(self, first: Neighbourhoods, second: Neighbourhoods) -> float:
        """The mean over stimuli."""
        common = np.take_along_axis(second.members, first.nearest, axis=1).sum(axis=1)
        return float((common / (2 * first.nearest.shape[1] - common)).mean())


class RankSimilarity(NeighbourComparator):
    """How alike the ranks of common neighbours are, near ones counting most (Wang et al. 2022).

    mean_i 1 / H(m_i) sum_j 2 / ((1 + |r_ij - s_ij|) (r_ij + s_ij)), over the m_i common neighbours j of i with
    ranks r and s, H(m) = 1 + 1/2 + ... + 1/m; 0 for a stimulus without (as in Klabunde et al. 2025, and in
    the code of their benchmark ReSi).
    """

    name = "rank-similarity"
    description = "rank similarity of the k nearest neighbours"

    def compare(self, first: Neighbourhoods, second: Neighbourhoods) -> float:
        """The mean over stimuli."""
        k = first.nearest.shape[1]
        own = np.arange(1, k + 1)[None, :]
        other = np.take_along_axis(second.ranks, first.nearest, axis=1)
        scores = np.where(other > 0, 2 / ((1 + np.abs(own - other)) * (own + other)), 0).sum(axis=1)
        harmonic = np.cumsum(1 / np.arange(1, k + 1))
        n_common = (other > 0).sum(axis=1)
        return float(np.clip(scores / harmonic[np.maximum(n_common, 1) - 1], 0, 1).mean())


class SecondOrderCosine(NeighbourComparator):
    """Cosine between a stimulus's similarities to its neighbours in either layer (Hamilton et al. 2016).

    mean_i cos(K_i., L_i.) over the union of i's k neighbours in both layers, K and L the cosine similarities
    (EMNLP 2016; Klabunde et al. 2025; the code of their benchmark ReSi takes cosine distances instead).
    """

    name = "second-order-cosine"
    description = "second-order cosine: cosine of the similarities to the neighbours in either layer"
    value_range = (-1.0, 1.0)
    needs_zero = True

    def prepare_metric(self, metric: Metric, representation: Representation, matrix: Matrix) -> Neighbourhoods:
        """Neighbours from differences, which are exact, and the similarities as they are."""
        found: Neighbourhoods = super().prepare_metric(metric, representation, matrix)
        return replace(found, matrix=self._settle(metric, representation, matrix, shift=False, ties=True))

    def compare(self, first: Neighbourhoods, second: Neighbourhoods) -> float:
        """The mean over stimuli.

        Raises:
            InputError: If a stimulus has similarity 0 to all of its neighbours.
        """
        near = first.members | second.members
        one, other = (np.where(near, state.matrix, 0) for state in (first, second))
        lengths = [np.sqrt(np.einsum("ij,ij->i", values, values)) for values in (one, other)]
        n_lost = int(((lengths[0] == 0) | (lengths[1] == 0)).sum())
        if n_lost:
            raise InputError(f"{n_lost} of {len(near)} stimuli have similarity 0 to all of their neighbours")
        cosines = np.einsum("ij,ij->i", one, other) / lengths[0] / lengths[1]
        return float(np.clip(cosines, -1, 1).mean())
