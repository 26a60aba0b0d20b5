"""Partial correlations from a matrix of correlations: what two layers share beyond what they share with others.

Structure of the input makes even random networks alike. Regressing it out of both layers' vectors of pairs, and
comparing what is left, is RSA as partial correlation, and for CKA what Cui et al. (2022, NeurIPS) propose: the
centred Gram matrix of the input is regressed out of the layers' by least squares. All of it follows from the cosines
of layers with each other, because a residual's inner products do: <a - P a, b - P b> = <a, b> - <P a, P b>.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
NOTHING_LEFT = 1e-6
"""The share of a layer's variance that must be left: less is rounding."""
_RANK = 1e-8


def take_out(matrix: Values, n_layers: int) -> Values:
    """Partial correlations of layers, the others taken out of both; (..., n_layers, n_layers).

    (r_ab - r_aC R^-1 r_Cb) / sqrt((1 - r_aC R^-1 r_Ca) (1 - r_bC R^-1 r_Cb)), C what is taken out and R its
    correlations. NaN where nothing is left of a layer, or a correlation is undefined.

    Args:
        matrix: (..., n_layers + k, n_layers + k); correlations, those of the k that are taken out last.
        n_layers: How many layers are compared.
    """
    kept, out = slice(n_layers), slice(n_layers, None)
    known = matrix[..., out, out]
    usable = np.isfinite(known).all(axis=(-2, -1), keepdims=True)
    inverse = np.linalg.pinv(np.where(usable, known, 0.0), rcond=_RANK, hermitian=True)
    towards = matrix[..., kept, out]
    explained = towards @ inverse @ np.swapaxes(towards, -1, -2)
    left = matrix[..., kept, kept] - explained
    variance = np.diagonal(left, axis1=-2, axis2=-1)
    variance = np.where(variance > NOTHING_LEFT, variance, np.nan)
    with np.errstate(invalid="ignore"):
        partial = left / np.sqrt(variance[..., :, None] * variance[..., None, :])
    return np.where(usable, np.clip(partial, -1, 1), np.nan)


def share_explained(matrix: Values, n_layers: int) -> Values:
    """The share of each layer's variance that what is taken out explains; (..., n_layers), NaN where undefined."""
    kept, out = slice(n_layers), slice(n_layers, None)
    towards, known = matrix[..., kept, out], matrix[..., out, out]
    usable = np.asarray(np.isfinite(known).all(axis=(-2, -1)))
    inverse = np.linalg.pinv(np.where(usable[..., None, None], known, 0.0), rcond=_RANK, hermitian=True)
    share = np.einsum("...ij,...jk,...ik->...i", towards, inverse, towards)
    return np.where(usable[..., None], np.clip(share, 0, 1), np.nan)
