"""A layer's principal directions: what CCA, Procrustes and subspace measures are computed from.

With X = U S V' (columns centred), the Gram matrix is U S^2 U': its eigenvectors are the layer's directions in the
space of stimuli, its eigenvalues their squared singular values. Eigenvalues that rounding of the stored correlations
alone can make are taken for zeros.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layerwise.core.parameters import Parameter
from layerwise.core.representation import Representation
from layerwise.plugins.comparators.vectors import centred_gram

Vector = NDArray[np.float64]
ROUNDING = 1e-7  # of float32 correlations, with some room; eigenvalues feel it times sqrt(n)

RANK = Parameter("rank", 0, "how many directions to keep; 0: as many as `variance` asks for", minimum=0)


def variance_parameter(default: float) -> Parameter:
    """The parameter that says which share of the squared singular values is kept."""
    return Parameter("variance", default, "share of the squared singular values to keep", minimum=1e-6, maximum=1.0)


@dataclass(frozen=True)
class Spectrum:
    """A layer's directions, largest first.

    Attributes:
        values: float64 (r,); eigenvalues of the Gram matrix, positive.
        vectors: float64 (n, r); orthonormal columns.
        n_dimensions: How many there can be: n - 1 with centred columns, n without.
    """

    values: Vector
    vectors: Vector
    n_dimensions: int

    @property
    def rank(self) -> int:
        """Number of directions that are kept."""
        return len(self.values)

    @property
    def is_whole(self) -> bool:
        """Whether every direction there can be is kept, so that every other layer lies in its span."""
        return self.rank == self.n_dimensions

    @property
    def factor(self) -> Vector:
        """(n, r); the layer's stimuli along its directions: the Gram matrix is `factor @ factor.T`."""
        return self.vectors * np.sqrt(self.values)


def find_spectrum(
    representation: Representation, owner: str, variance: float = 1.0, rank: int = 0, *, centred: bool = True
) -> Spectrum:
    """The directions of a layer.

    Args:
        representation: The layer.
        owner: Who asks, for errors.
        variance: Keep the fewest directions with at least this share of the squared singular values.
        rank: Keep so many instead, where it is not 0.
        centred: Whether each unit is centred on its mean over stimuli.

    Raises:
        InputError: If there are fewer than three stimuli, or the layer does the same with all of them.
    """
    gram = centred_gram(representation, owner)
    if not centred:
        gram = representation.gram()
    values, vectors = np.linalg.eigh(gram)
    noise = ROUNDING * math.sqrt(len(gram)) * float(np.mean(representation.norm**2))
    n_dimensions = len(gram) - int(centred)
    n_real = min(int((values > max(noise, 1e-12 * values[-1])).sum()), n_dimensions)
    values, vectors = values[::-1][:n_real], vectors[:, ::-1][:, :n_real]
    n_kept = min(rank, n_real) if rank else _count(values, variance)
    return Spectrum(values[:n_kept].copy(), np.ascontiguousarray(vectors[:, :n_kept]), n_dimensions)


def _count(values: Vector, variance: float) -> int:
    """How many of the largest values have at least this share of the sum."""
    shares = np.cumsum(values) / values.sum()
    return len(values) if variance >= 1 else int(np.searchsorted(shares, variance - 1e-12)) + 1


def singular_values(matrix: Vector) -> Vector:
    """All singular values, from the eigenvalues of the smaller product: three times as fast as from the matrix.

    Values below 1e-8 of the largest are uncertain by as much, which sums of them do not feel.
    """
    small = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    squares = np.asarray(np.linalg.eigvalsh(small @ small.T), dtype=np.float64)
    return np.sqrt(np.clip(squares, 0, None))
