"""First-order metrics: how alike, or how far apart, a layer finds each pair of stimuli.

All of them follow from a representation. With r the correlation, m the mean over units, s the norm of the
centred vector and p the number of units, x_i . x_j = r s_i s_j + p m_i m_j.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from layerwise.core.hookspecs import hookimpl
from layerwise.core.kinds import Metric
from layerwise.core.representation import Representation


class PearsonMetric(Metric):
    """Pearson correlation between activation vectors; NaN where one of them is constant."""

    name = "pearson"
    description = "Pearson correlation between activation vectors"
    kind = "similarity"

    def compute(self, representation: Representation) -> NDArray[np.float64]:
        """(n, n) in [-1, 1], diagonal 1."""
        return representation.correlation.astype(np.float64)


class CosineMetric(Metric):
    """Cosine of the angle between activation vectors, x_i . x_j / (|x_i| |x_j|); NaN where one is all zeros."""

    name = "cosine"
    description = "cosine of the angle between activation vectors"
    kind = "similarity"

    def compute(self, representation: Representation) -> NDArray[np.float64]:
        """(n, n) in [-1, 1], diagonal 1."""
        gram = representation.gram()
        length = np.sqrt(np.diagonal(gram))
        with np.errstate(invalid="ignore", divide="ignore"):
            cosine = gram / length[:, None] / length[None, :]
        return np.clip(cosine, -1, 1)


class CorrelationDistanceMetric(Metric):
    """One minus Pearson correlation; NaN where an activation vector is constant."""

    name = "correlation-distance"
    description = "1 - Pearson correlation"
    kind = "distance"

    def compute(self, representation: Representation) -> NDArray[np.float64]:
        """(n, n) in [0, 2], diagonal 0."""
        return 1 - representation.correlation.astype(np.float64)


class EuclideanMetric(Metric):
    """Euclidean distance between activation vectors.

    |x_i - x_j|^2 = (s_i - s_j)^2 + 2 s_i s_j (1 - r) + p (m_i - m_j)^2, three terms that are never negative, so
    nothing cancels. Defined for constant vectors too.
    """

    name = "euclidean"
    description = "Euclidean distance between activation vectors"
    kind = "distance"

    def compute(self, representation: Representation) -> NDArray[np.float64]:
        """(n, n), diagonal 0."""
        norm, mean = representation.norm, representation.mean
        apart = np.nan_to_num(1 - representation.correlation.astype(np.float64))
        squared = np.subtract.outer(norm, norm) ** 2 + 2 * np.outer(norm, norm) * apart
        squared += representation.n_features * np.subtract.outer(mean, mean) ** 2
        return np.sqrt(squared)


@hookimpl
def register_metrics() -> Sequence[Metric]:
    """The built-in metrics."""
    return [PearsonMetric(), CosineMetric(), CorrelationDistanceMetric(), EuclideanMetric()]
