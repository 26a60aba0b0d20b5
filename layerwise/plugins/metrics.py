"""First-order metrics: how alike, or how far apart, a layer finds each pair of stimuli.

All of them follow from a representation. With r the correlation, m the mean over units, s the norm of the
centred vector and p the number of units, x_i . x_j = r s_i s_j + p m_i m_j.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from layerwise.core.host.hookspecs import hookimpl
from layerwise.core.host.kinds import Metric
from layerwise.core.network.representation import Representation

Vector = NDArray[np.float64]


def squared_distances(representation: Representation) -> Vector:
    """Squared Euclidean distances between activation vectors, (n, n); defined for constant vectors too.

    |x_i - x_j|^2 = (s_i - s_j)^2 + 2 s_i s_j (1 - r) + p (m_i - m_j)^2, three terms that are never negative, so
    nothing cancels.

    Raises:
        InputError: If some activations are not finite.
    """
    representation.require_finite()
    norm, mean = representation.norm, representation.mean
    apart = np.nan_to_num(1 - representation.correlation.astype(np.float64))
    squared: Vector = np.subtract.outer(norm, norm) ** 2 + 2 * np.outer(norm, norm) * apart
    squared += representation.n_features * np.subtract.outer(mean, mean) ** 2
    return squared


class PearsonMetric(Metric):
    """Pearson correlation between activation vectors; NaN where one of them is constant."""

    name = "pearson"
    description = "Pearson correlation between activation vectors"
    kind = "similarity"
    symbol = "r"
    value_range = (-1.0, 1.0)

    def compute(self, representation: Representation) -> Vector:
        """(n, n) in [-1, 1], diagonal 1."""
        return representation.correlation.astype(np.float64)


class SpearmanMetric(PearsonMetric):
    """Spearman correlation between activation vectors: Pearson correlation of their ranks over units, ties averaged.

    Ranks are lost in the Gram matrix, so it is read from the representation of a run with `--transform rank`.
    """

    name = "spearman"
    description = "Spearman correlation between activation vectors; needs `run --transform rank`"
    symbol = "rho"
    needs_transform = "rank"


class CosineMetric(Metric):
    """Cosine of the angle between activation vectors, x_i . x_j / (|x_i| |x_j|); NaN where one is all zeros."""

    name = "cosine"
    description = "cosine of the angle between activation vectors"
    kind = "similarity"
    symbol = "cos"
    value_range = (-1.0, 1.0)

    def compute(self, representation: Representation) -> Vector:
        """(n, n) in [-1, 1], diagonal 1."""
        gram = representation.gram()
        length = np.sqrt(np.diagonal(gram))
        with np.errstate(invalid="ignore", divide="ignore"):
            cosine = gram / length[:, None] / length[None, :]
        return np.clip(cosine, -1, 1)


class DotMetric(Metric):
    """Inner product of activation vectors, x_i . x_j: the Gram matrix."""

    name = "dot"
    description = "inner product of activation vectors"
    kind = "similarity"

    def compute(self, representation: Representation) -> Vector:
        """(n, n); defined for constant vectors too."""
        return representation.gram()


class CorrelationDistanceMetric(Metric):
    """One minus Pearson correlation; NaN where an activation vector is constant."""

    name = "correlation-distance"
    description = "1 - Pearson correlation"
    kind = "distance"
    symbol = "1 - r"
    value_range = (0.0, 2.0)

    def compute(self, representation: Representation) -> Vector:
        """(n, n) in [0, 2], diagonal 0."""
        return 1 - representation.correlation.astype(np.float64)


class EuclideanMetric(Metric):
    """Euclidean distance between activation vectors, |x_i - x_j|."""

    name = "euclidean"
    description = "Euclidean distance between activation vectors"
    kind = "distance"
    value_range = (0.0, None)

    def compute(self, representation: Representation) -> Vector:
        """(n, n), diagonal 0; defined for constant vectors too."""
        return np.sqrt(squared_distances(representation))


class SquaredEuclideanMetric(Metric):
    """Squared Euclidean distance between activation vectors, |x_i - x_j|^2."""

    name = "squared-euclidean"
    description = "squared Euclidean distance between activation vectors"
    kind = "distance"
    value_range = (0.0, None)

    def compute(self, representation: Representation) -> Vector:
        """(n, n), diagonal 0; defined for constant vectors too."""
        return squared_distances(representation)


class AngularMetric(Metric):
    """Angle between activation vectors in radians, arccos(x_i . x_j / (|x_i| |x_j|)); NaN where one is all zeros.

    Small angles from their sine's half, |x_i / |x_i| - x_j / |x_j|| / 2: an arccos near 1 would lose half of the
    digits.
    """

    name = "angular"
    description = "angle between activation vectors, in radians"
    kind = "distance"
    unit = "radians"
    value_range = (0.0, math.pi)

    def compute(self, representation: Representation) -> Vector:
        """(n, n) in [0, pi], diagonal 0."""
        length = np.sqrt(representation.norm**2 + representation.n_features * representation.mean**2)
        squared = squared_distances(representation)
        with np.errstate(invalid="ignore", divide="ignore"):
            # |x/|x| - y/|y||^2 = (|x - y|^2 - (|x| - |y|)^2) / (|x| |y|)
            chord = (squared - np.subtract.outer(length, length) ** 2) / np.outer(length, length)
        angle: Vector = 2 * np.arcsin(np.sqrt(np.clip(chord, 0, 4)) / 2)
        zero = length == 0
        angle[zero, :] = angle[:, zero] = np.nan
        return angle


@hookimpl
def register_metrics() -> Sequence[Metric]:
    """The built-in metrics."""
    return [
        PearsonMetric(),
        SpearmanMetric(),
        CosineMetric(),
        DotMetric(),
        CorrelationDistanceMetric(),
        EuclideanMetric(),
        SquaredEuclideanMetric(),
        AngularMetric(),
    ]
