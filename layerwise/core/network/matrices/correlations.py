"""Representations from correlations, means and norms: the form in which histories and exports held them before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from layerwise.core.network.matrices.panels import panels
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
    entries = np.empty(correlation.shape)
    for rows in panels(len(mean)):  # in this order of factors, so that entry (i, j) is entry (j, i) to the last bit
        apart = np.nan_to_num(1 - correlation[rows].astype(np.float64))
        apart *= 2 * np.multiply.outer(norm[rows], norm)
        apart += np.subtract.outer(norm[rows], norm) ** 2
        apart += n_features * np.subtract.outer(mean[rows], mean) ** 2
        apart -= np.subtract.outer(length[rows], length) ** 2
        with np.errstate(invalid="ignore", divide="ignore"):
            apart /= 2 * np.multiply.outer(length[rows], length)
        np.maximum(apart, 0, out=entries[rows])
    zero = length == 0
    entries[zero, :] = entries[:, zero] = 1
    np.fill_diagonal(entries, 0)
    return Representation(entries, length, mean, norm, n_features, STORED_CORRELATIONS)
