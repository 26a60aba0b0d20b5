"""Representations from correlations, means and norms: the form in which histories and exports held them before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from layerwise.core.network.representation import Representation
from layerwise.core.network.resolution import SINGLE, Resolution

STORED_CORRELATIONS = Resolution(activations=SINGLE, products=2.0**-25, near=1.0)
"""Of correlations that were rounded to float32, and whose products were taken in it: nothing is better known."""


def from_correlations(
    correlation: NDArray[np.floating], mean: NDArray[np.float64], norm: NDArray[np.float64], n_features: int
) -> Representation:
    """The representation with these correlations, seen from the origin: there deviations are lengths.

    |x_i - x_j|^2 = (s_i - s_j)^2 + 2 s_i s_j (1 - r) + p (m_i - m_j)^2, three terms that are never negative, so
    nothing cancels that had not been lost before.

    Args:
        correlation: (n, n); NaN for stimuli with constant activations.
        mean: (n,); mean over units.
        norm: (n,); Euclidean norm of the activations less their mean.
        n_features: Number of units p.
    """
    length = np.hypot(norm, np.sqrt(n_features) * mean)
    squared = np.subtract.outer(norm, norm) ** 2
    squared += 2 * np.outer(norm, norm) * np.nan_to_num(1 - correlation.astype(np.float64))
    squared += n_features * np.subtract.outer(mean, mean) ** 2
    squared -= np.subtract.outer(length, length) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        squared /= 2 * np.outer(length, length)
    zero = length == 0
    squared[zero, :] = squared[:, zero] = 1
    np.fill_diagonal(squared, 0)
    return Representation(np.maximum(squared, 0), length, mean, norm, n_features, STORED_CORRELATIONS)
