"""Comparing what layers make of distances: distance correlation, the difference of matrices, and IMD."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.base.parameters import Parameter
from layerwise.core.host.kinds import Comparator, Matrix, MetricComparator
from layerwise.core.network.representation import Representation
from layerwise.plugins.comparators.vectors import CosineComparator, centred_gram, flatten
from layerwise.plugins.metrics import EuclideanMetric

Vector = NDArray[np.float64]
_RIGID = frozenset({"orthogonal", "translation", "stimulus-permutation"})
_TEMPERATURES = np.logspace(-1, 1, 256)


class DistanceCorrelation(CosineComparator):
    """Distance correlation: the root of the cosine between double-centred Euclidean distances (Szekely et al. 2007).

    dCor = sqrt(<A, B> / (|A| |B|)), A = HDH with D_ij = |x_i - x_j|; 0 exactly for independent layers of
    infinitely many stimuli, above 0 for few (Annals of Statistics 35:2769-2794).
    """

    name = "distance-correlation"
    description = "distance correlation (biased by few stimuli)"
    value_range = (0.0, 1.0)
    invariant_to = _RIGID | {"isotropic-scaling"}
    _metric = EuclideanMetric()

    def vector(self, representation: Representation) -> Vector:
        """The double-centred distances."""
        centred_gram(representation, self.name)  # refuses what has no differences
        distances = self._metric.compute(representation)
        across = distances.mean(axis=0)
        return flatten(distances - across[:, None] - across[None, :] + across.mean())

    def error(self, representation: Representation) -> float:
        """That of distances: of squared ones over twice the distance that is typical."""
        return super().error(representation) / math.sqrt(2 * float(np.mean(representation.deviation**2)))

    def read(self, cosine: Vector) -> Vector:
        """The root; a distance covariance is never negative but for rounding."""
        return np.sqrt(np.clip(cosine, 0, 1))


class RsmNormDifference(MetricComparator):
    """Frobenius norm of the difference between two layers' matrices: sqrt(sum_ij (S_ij - T_ij)^2).

    Of Euclidean distances unless told otherwise (Klabunde et al. 2025, ACM Computing Surveys; Shahbazi
    et al. 2021; Yin and Shen 2018). Each pair of stimuli counts twice. Layers of different scale are far apart.
    """

    name = "rsm-norm-difference"
    description = "Frobenius norm of the difference between two layers' distances"
    kind = "distance"
    symmetric = True
    value_range = (0.0, None)
    invariant_to = _RIGID
    metric = EuclideanMetric()
    ordinal = False
    needs_zero = True
    threaded = True

    def prepare_matrix(self, matrix: Matrix) -> Vector:
        """The matrix as a vector.

        Raises:
            InputError: If the metric is undefined for a stimulus.
        """
        n_undefined = int(np.isnan(np.diagonal(matrix)).sum())
        if n_undefined:
            lost = f"{n_undefined} of {len(matrix)} stimuli"
            raise InputError(f"the {self.metric.name} metric is undefined for {lost}")
        return flatten(np.asarray(matrix, dtype=np.float64))

    def compare(self, first: Vector, second: Vector) -> float:
        """The length of the difference."""
        difference = first - second
        return math.sqrt(float(np.einsum("i,i", difference, difference)))


class Imd(Comparator):
    """Intrinsic multi-scale distance: sup_t e^(-2 (t + 1/t)) |h_X(t) - h_Y(t)| / n (Tsitsulin et al. 2020).

    h(t) = sum_i e^(-t l_i), l_i the eigenvalues of the normalised Laplacian of the graph that joins each stimulus
    to its k nearest by Euclidean distance (either way), t at 256 points from 0.1 to 10. Here from all eigenvalues
    rather than estimated by random Lanczos steps, and without the factor of 10^6 of the published code (ICLR
    2020).
    """

    name = "imd"
    description = "intrinsic multi-scale distance: heat traces of the nearest-neighbour graphs"
    kind = "distance"
    symmetric = True
    value_range = (0.0, None)
    invariant_to = _RIGID | {"isotropic-scaling"}
    parameters = (Parameter("k", 5, "how many neighbours each stimulus is joined to", minimum=1),)
    threaded = True

    def prepare(self, representation: Representation) -> Vector:
        """(256,); the weighted heat trace for each temperature.

        Raises:
            InputError: If there are not more than k stimuli, or the layer does the same with all of them.
        """
        k, n_stimuli = self.settings["k"], representation.n_stimuli
        if n_stimuli <= k:
            raise InputError(f"imd needs more than k = {k} stimuli, here are {n_stimuli}; set a smaller `k`")
        centred_gram(representation, self.name)  # refuses what has no differences
        apart = representation.squared_distances()
        np.fill_diagonal(apart, np.inf)
        nearest = np.argsort(apart, axis=1, kind="stable")[:, :k]
        joined = np.zeros((n_stimuli, n_stimuli))
        np.put_along_axis(joined, nearest, 1.0, axis=1)
        joined = np.maximum(joined, joined.T)
        scale = 1 / np.sqrt(joined.sum(axis=1))
        values = 1 - np.linalg.eigvalsh(joined * scale[:, None] * scale[None, :])
        heat = np.exp(-np.multiply.outer(_TEMPERATURES, values)).mean(axis=1)
        weighted: Vector = np.exp(-2 * (_TEMPERATURES + 1 / _TEMPERATURES)) * heat
        return weighted

    def compare(self, first: Vector, second: Vector) -> float:
        """The largest difference."""
        return float(np.abs(first - second).max())

    def compare_all(self, rows: Sequence[Vector], columns: Sequence[Vector]) -> Vector:
        """The largest difference of every pair."""
        right = np.stack(list(columns))
        return np.stack([np.abs(right - row).max(axis=1) for row in rows])
