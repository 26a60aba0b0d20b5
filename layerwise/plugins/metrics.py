"""First-order metrics: how alike, or how far apart, a layer finds each pair of stimuli.

All of them follow from distances between stimuli, in which nothing cancels: similarities too are computed as
differences from 1, so that stimuli that are nearly the same keep all their digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.host.hookspecs import hookimpl
from layerwise.core.host.kinds import Metric
from layerwise.core.network.matrices.panels import Panel, reflect_at_ends
from layerwise.core.network.representation import Representation

Matrix = NDArray[np.float64]
_LAST_BIT = 2.0**-52  # of float64, relative
_NEAR_ONE = 0.9999  # what is larger has lost more than four of sixteen digits of its difference from 1


def cosine_distances(representation: Representation) -> Matrix:
    """1 - cosine of the angle between activation vectors, (n, n); NaN where one is all zeros.

    (|x - y|^2 - (|x| - |y|)^2) / (2 |x| |y|).
    """
    if not representation.has_zero:
        return representation.correlation_distances()
    length = representation.length
    apart = representation.squared_distances()
    apart -= np.subtract.outer(length, length) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        apart /= 2 * np.outer(length, length)
    reflect_at_ends(apart)
    zero = length == 0
    apart[zero, :] = apart[:, zero] = np.nan
    return apart


def _cosine_panel(panel: Panel) -> Matrix:
    """The same of some pairs, (r, c)."""
    rows, columns = panel.rows.length(panel.n_features), panel.columns.length(panel.n_features)
    apart = panel.squared_distances()
    apart -= np.subtract.outer(rows, columns) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        apart /= 2 * np.multiply.outer(rows, columns)
    reflect_at_ends(apart)
    apart[rows == 0, :] = apart[:, columns == 0] = np.nan
    return apart


def _difference_errors(representation: Representation, sizes: Matrix) -> Matrix:
    """Errors of squared distances less a square of the difference of `sizes`, over twice their product; (n, n).

    What a size is off by is rounding of a sum over units of what distinguishes the stimulus, and its own last bit.
    """
    off = np.maximum(representation.resolution.products * representation.deviation, _LAST_BIT * np.abs(sizes))
    errors = representation.squared_distance_errors()
    errors += 2 * np.abs(np.subtract.outer(sizes, sizes)) * np.hypot(off[:, None], off[None, :])
    with np.errstate(invalid="ignore", divide="ignore"):
        errors /= 2 * np.outer(sizes, sizes)
    return errors


def _find_differences(matrix: Matrix, distances: Callable[[], Matrix]) -> Matrix:
    """Similarities less 1, from distances where some are so near to 1 that they have lost digits."""
    apart = matrix[~np.eye(len(matrix), dtype=np.bool_)]
    return -distances() if (apart > _NEAR_ONE).any() else matrix


class PearsonMetric(Metric):
    """Pearson correlation between activation vectors; NaN where one of them is constant."""

    name = "pearson"
    description = "Pearson correlation between activation vectors"
    kind = "similarity"
    symbol = "r"
    value_range = (-1.0, 1.0)

    def compute(self, representation: Representation) -> Matrix:
        """(n, n) in [-1, 1], diagonal 1."""
        return representation.correlation

    def compute_panel(self, panel: Panel, *, shifted: bool) -> Matrix:
        """Some rows of it."""
        apart = panel.correlation_distances()
        return np.negative(apart, out=apart) if shifted else np.subtract(1, apart, out=apart)

    def differences(self, representation: Representation, matrix: Matrix) -> Matrix:
        """R - 1 where some are near to 1."""
        return _find_differences(matrix, representation.correlation_distances)

    def errors(self, representation: Representation, matrix: Matrix) -> Matrix:
        """Those of squared distances, means and norms."""
        return _correlation_errors(representation, matrix)


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

    def compute(self, representation: Representation) -> Matrix:
        """(n, n) in [-1, 1], diagonal 1."""
        return 1 - cosine_distances(representation)

    def compute_panel(self, panel: Panel, *, shifted: bool) -> Matrix:
        """Some rows of it."""
        apart = _cosine_panel(panel)
        return np.negative(apart, out=apart) if shifted else np.subtract(1, apart, out=apart)

    def differences(self, representation: Representation, matrix: Matrix) -> Matrix:
        """Cos - 1 where some are near to 1."""
        return _find_differences(matrix, lambda: cosine_distances(representation))

    def errors(self, representation: Representation, matrix: Matrix) -> Matrix:
        """Those of squared distances and lengths."""
        if not representation.has_zero:
            return _correlation_errors(representation, matrix)
        return np.hypot(_difference_errors(representation, representation.length), _LAST_BIT * np.abs(matrix))


class DotMetric(Metric):
    """Inner product of activation vectors, x_i . x_j: the Gram matrix."""

    name = "dot"
    description = "inner product of activation vectors"
    kind = "similarity"

    def compute(self, representation: Representation) -> Matrix:
        """(n, n); defined for constant vectors too."""
        return representation.gram()

    def errors(self, representation: Representation, matrix: Matrix) -> Matrix:
        """Those of squared distances, and of lengths."""
        off = representation.resolution.products * representation.deviation * representation.length
        errors = np.hypot(representation.squared_distance_errors() / 2, np.hypot(off[:, None], off[None, :]))
        return np.hypot(errors, _LAST_BIT * np.abs(matrix))


class CorrelationDistanceMetric(Metric):
    """One minus Pearson correlation; NaN where an activation vector is constant."""

    name = "correlation-distance"
    description = "1 - Pearson correlation"
    kind = "distance"
    symbol = "1 - r"
    value_range = (0.0, 2.0)

    def compute(self, representation: Representation) -> Matrix:
        """(n, n) in [0, 2], diagonal 0."""
        return representation.correlation_distances()

    def compute_panel(self, panel: Panel, *, shifted: bool) -> Matrix:
        """Some rows of it."""
        del shifted
        return panel.correlation_distances()

    def errors(self, representation: Representation, matrix: Matrix) -> Matrix:
        """Those of squared distances, means and norms."""
        return _correlation_errors(representation, matrix)


class EuclideanMetric(Metric):
    """Euclidean distance between activation vectors, |x_i - x_j|."""

    name = "euclidean"
    description = "Euclidean distance between activation vectors"
    kind = "distance"
    value_range = (0.0, None)
    of_distances = True

    def compute(self, representation: Representation) -> Matrix:
        """(n, n), diagonal 0; defined for constant vectors too.

        Raises:
            InputError: If squared distances were imported some of which are negative.
        """
        squared = representation.squared_distances()
        n_negative = int((squared < 0).sum()) // 2
        if n_negative and not representation.has_zero:
            raise InputError(
                f"{n_negative} pairs have negative squared distances, as cross-validation gives, and no distance: "
                "ask for `--metric squared-euclidean`"
            )
        return np.sqrt(np.maximum(squared, 0))

    def compute_panel(self, panel: Panel, *, shifted: bool) -> Matrix:
        """Some rows of it."""
        del shifted
        return np.sqrt(np.maximum(panel.squared_distances(), 0))

    def errors(self, representation: Representation, matrix: Matrix) -> Matrix:
        """Those of squared distances, whose roots they are."""
        return _root_errors(representation.squared_distance_errors(), matrix)


class SquaredEuclideanMetric(Metric):
    """Squared Euclidean distance between activation vectors, |x_i - x_j|^2."""

    name = "squared-euclidean"
    description = "squared Euclidean distance between activation vectors"
    kind = "distance"
    of_distances = True

    def compute(self, representation: Representation) -> Matrix:
        """(n, n), diagonal 0; defined for constant vectors too, negative only where it was imported so."""
        return representation.squared_distances()

    def compute_panel(self, panel: Panel, *, shifted: bool) -> Matrix:
        """Some rows of it."""
        del shifted
        return panel.squared_distances()

    def errors(self, representation: Representation, matrix: Matrix) -> Matrix:
        """As the representation knows them."""
        del matrix
        return representation.squared_distance_errors()


class AngularMetric(Metric):
    """Angle between activation vectors in radians, arccos(x_i . x_j / (|x_i| |x_j|)); NaN where one is all zeros.

    Small angles from their sine's half, |x_i / |x_i| - x_j / |x_j|| / 2: an arccos near 1 would lose half of the
    digits.
    """

    name = "angular"
    revision = 2  # 1 took angles near half a turn for better known than they are, and ranked their rounding
    description = "angle between activation vectors, in radians"
    kind = "distance"
    unit = "radians"
    value_range = (0.0, math.pi)

    def compute(self, representation: Representation) -> Matrix:
        """(n, n) in [0, pi], diagonal 0."""
        angle: Matrix = 2 * np.arcsin(np.sqrt(cosine_distances(representation) / 2))
        return angle

    def compute_panel(self, panel: Panel, *, shifted: bool) -> Matrix:
        """Some rows of it."""
        del shifted
        return np.asarray(2 * np.arcsin(np.sqrt(_cosine_panel(panel) / 2)))

    def errors(self, representation: Representation, matrix: Matrix) -> Matrix:
        """1 - cos is about half the square of a small angle, and 1 + cos of what an angle lacks of half a turn."""
        nearest = np.minimum(matrix, math.pi - matrix)
        return _root_errors(2 * _difference_errors(representation, representation.length), nearest)


def _correlation_errors(representation: Representation, matrix: Matrix) -> Matrix:
    if not representation.has_zero:
        squared = np.abs(representation.squared_distances())
        return representation.squared_distance_errors() / max(float(np.nanmax(squared)), np.finfo(float).tiny)
    errors = _difference_errors(representation, representation.norm)
    mean, norm = representation.mean, representation.norm
    off = _LAST_BIT * np.abs(mean)  # p (m_i - m_j)^2 is taken out as well
    levels = np.abs(np.subtract.outer(mean, mean)) * np.hypot(off[:, None], off[None, :])
    with np.errstate(invalid="ignore", divide="ignore"):
        errors += representation.n_features * levels / np.outer(norm, norm)
    return np.hypot(errors, _LAST_BIT * np.abs(matrix))


def _root_errors(errors: Matrix, roots: Matrix) -> Matrix:
    """Errors of roots, from those of what they are the roots of: d sqrt(x) = dx / (2 sqrt(x)), and sqrt(dx) at 0."""
    least = np.sqrt(errors)
    smaller: Matrix = np.minimum(least, errors / np.maximum(2 * np.maximum(roots, least), np.finfo(float).tiny))
    return smaller


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
