"""Comparing what layers make of distances: distance correlation, the difference of matrices, and IMD."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.base.parameters import Parameter
from layerwise.core.host.kinds import Comparator, Matrix, Metric, MetricComparator
from layerwise.core.network.matrices.pairs import Pairs
from layerwise.core.network.matrices.panels import Panel
from layerwise.core.network.representation import Representation
from layerwise.core.network.resolution import settle
from layerwise.plugins.comparators.neighbours import count_open
from layerwise.plugins.comparators.panelled import KernelPanels
from layerwise.plugins.comparators.vectors import CosineComparator, centred_gram, flatten
from layerwise.plugins.metrics import EuclideanMetric

Vector = NDArray[np.float64]
_RIGID = frozenset({"orthogonal", "translation", "stimulus-permutation"})
_TEMPERATURES = np.logspace(-1, 1, 256)


class DistanceCorrelation(KernelPanels, CosineComparator):
    """Distance correlation: the root of the cosine between double-centred Euclidean distances (Szekely et al. 2007).

    dCor = sqrt(<A, B> / (|A| |B|)), A = HDH with D_ij = |x_i - x_j|; 0 exactly for independent layers of
    infinitely many stimuli, above 0 for few (Annals of Statistics 35:2769-2794).
    """

    name = "distance-correlation"
    description = "distance correlation (biased by few stimuli)"
    value_range = (0.0, 1.0)
    invariant_to = _RIGID | {"isotropic-scaling"}
    _metric = EuclideanMetric()
    panelled = True
    moves_with_stimuli = True
    owner = "distance-correlation"

    def read_kernel(self, panel: Panel) -> Vector:
        """The distances."""
        return self._metric.compute_panel(panel, shifted=False)

    def find_means(self, layer: Pairs) -> Vector:
        """Those of the distances."""
        across = np.zeros(layer.n_stimuli)
        for rows, panel in layer.upper_panels():
            found = self.read_kernel(panel)
            across[rows] += found.sum(axis=1)
            across[rows.stop :] += found[:, len(found) :].sum(axis=0)
        across /= layer.n_stimuli
        return np.asarray(across - across.mean() / 2)

    def find_floor(self, layer: Pairs) -> float:
        """That of distances, as `floor`."""
        return super().find_floor(layer) / math.sqrt(2 * float(np.mean(layer.deviation**2)))

    def vector(self, representation: Representation) -> Vector:
        """The double-centred distances."""
        centred_gram(representation, self.name)  # refuses what has no differences
        distances = self._metric.compute(representation)
        across = distances.mean(axis=0)
        return flatten(distances - across[:, None] - across[None, :] + across.mean())

    def floor(self, representation: Representation) -> float:
        """That of distances: of squared ones over twice the distance that is typical."""
        return super().floor(representation) / math.sqrt(2 * float(np.mean(representation.deviation**2)))

    def read(self, cosine: Vector) -> Vector:
        """The root; a distance covariance is never negative but for rounding."""
        return np.sqrt(np.clip(cosine, 0, 1))


@dataclass(frozen=True, eq=False)
class Spread:
    """A matrix of a layer, as a vector with the same inner products, and the length of its error."""

    flat: Vector
    error: float = 0.0


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

    def prepare_metric(self, metric: Metric, representation: Representation, matrix: Matrix) -> Spread:
        """The matrix as a vector, and how well it is known."""
        found: Spread = super().prepare_metric(metric, representation, matrix)
        errors = metric.errors(representation, np.asarray(matrix, dtype=np.float64))
        np.fill_diagonal(errors, 0)
        return Spread(found.flat, math.sqrt(float(np.einsum("ij,ij", errors, errors))))

    def prepare_matrix(self, matrix: Matrix) -> Spread:
        """The matrix as a vector.

        Raises:
            InputError: If the metric is undefined for a stimulus.
        """
        n_undefined = int(np.isnan(np.diagonal(matrix)).sum())
        if n_undefined:
            lost = f"{n_undefined} of {len(matrix)} stimuli"
            raise InputError(f"the {self.metric.name} metric is undefined for {lost}")
        return Spread(flatten(np.asarray(matrix, dtype=np.float64)))

    def compare(self, first: Spread, second: Spread) -> float:
        """The length of the difference."""
        difference = first.flat - second.flat
        return math.sqrt(float(np.einsum("i,i", difference, difference)))

    def error(self, value: float, first: Spread, second: Spread) -> float:
        """That of both matrices, of which most is at a right angle to a difference that is larger."""
        n_pairs = len(first.flat)
        least = math.hypot(first.error, second.error)
        return least if value <= least else max(least / math.sqrt(n_pairs), least**2 / value)


@dataclass(frozen=True, eq=False)
class Heat:
    """A layer, prepared.

    Attributes:
        weighted: (256,); the weighted heat trace for each temperature.
        open: How much of it depends on which of two stimuli is nearer that are equally near as far as is known.
    """

    weighted: Vector
    open: float = 0.0


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
    ordinal = True
    threaded = True

    def prepare(self, representation: Representation) -> Heat:
        """The weighted heat trace.

        Raises:
            InputError: If there are not more than k stimuli, or the layer does the same with all of them.
        """
        k, n_stimuli = self.settings["k"], representation.n_stimuli
        if n_stimuli <= k:
            raise InputError(f"imd needs more than k = {k} stimuli, here are {n_stimuli}; set a smaller `k`")
        centred_gram(representation, self.name)  # refuses what has no differences
        squared = representation.squared_distances()
        apart = settle(squared, representation.squared_distance_errors, ties=True).copy()
        if not np.ptp(apart[~np.eye(n_stimuli, dtype=np.bool_)]) > 0:
            raise InputError("imd is undefined: all stimuli are equally far apart, as far as their resolution tells")
        np.fill_diagonal(apart, np.inf)
        order = np.argsort(apart, axis=1, kind="stable")[:, : k + 1]
        heat = trace_heat(order[:, :k])
        known = not representation.resolution.activations  # exact ones may tie
        if known or not count_open(apart, order, squared, representation.squared_distance_errors):
            return Heat(heat)
        backwards = n_stimuli - 1 - np.argsort(apart[:, ::-1], axis=1, kind="stable")
        return Heat(heat, float(np.abs(heat - trace_heat(backwards[:, :k])).max()))

    def compare(self, first: Heat, second: Heat) -> float:
        """The largest difference."""
        return float(np.abs(first.weighted - second.weighted).max())

    def compare_all(self, rows: Sequence[Heat], columns: Sequence[Heat]) -> Vector:
        """The largest difference of every pair."""
        right = np.stack([column.weighted for column in columns])
        return np.stack([np.abs(right - row.weighted).max(axis=1) for row in rows])

    def error(self, value: float, first: Heat, second: Heat) -> float:
        """What it makes of a difference where it is not known which of two neighbours is nearer."""
        del value
        return first.open + second.open


def trace_heat(nearest: NDArray[np.intp]) -> Vector:
    """(256,); the weighted heat trace for each temperature, from each stimulus's neighbours, (n, k)."""
    joined = np.zeros((len(nearest), len(nearest)))
    np.put_along_axis(joined, nearest, 1.0, axis=1)
    joined = np.maximum(joined, joined.T)
    scale = 1 / np.sqrt(joined.sum(axis=1))
    values = 1 - np.linalg.eigvalsh(joined * scale[:, None] * scale[None, :])
    heat = np.exp(-np.multiply.outer(_TEMPERATURES, values)).mean(axis=1)
    weighted: Vector = np.exp(-2 * (_TEMPERATURES + 1 / _TEMPERATURES)) * heat
    return weighted
