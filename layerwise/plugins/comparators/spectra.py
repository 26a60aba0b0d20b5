"""A layer's principal directions: what CCA, Procrustes and subspace measures are computed from.

With X = U S V' (columns centred), the Gram matrix is U S^2 U': its eigenvectors are the layer's directions in the
space of stimuli, its eigenvalues their squared singular values. Eigenvalues that the error of the Gram matrix alone
can make are taken for zeros (`Representation.eigenvalue_floors`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.parameters import Parameter
from layerwise.core.network.representation import Representation
from layerwise.core.network.resolution import NOT_DETERMINED, SURE
from layerwise.plugins.comparators.vectors import centred_gram

Vector = NDArray[np.float64]

RANK = Parameter("rank", 0, "how many directions to keep; 0: as many as `variance` asks for", minimum=0)

_EPS = float(np.finfo(np.float64).eps)
_N_LAST = 5  # directions that show by how much each is smaller than the one before
_BARELY = 30.0  # times the largest that error can make: where directions go on down to there, some are below it
_SHARE_THAT_MATTERS = 0.005  # of the directions that are kept: two digits of a mean over them


def variance_parameter(default: float) -> Parameter:
    """The parameter that says which share of the squared singular values is kept."""
    return Parameter("variance", default, "share of the squared singular values to keep", minimum=1e-6, maximum=1.0)


@dataclass(frozen=True, eq=False)
class Spectrum:
    """A layer's directions, largest first.

    Attributes:
        values: float64 (r,); eigenvalues of the Gram matrix, positive.
        vectors: float64 (n, r); orthonormal columns.
        rest: float64 (n, n - r); the directions that are not kept, so that both together are a basis.
        n_dimensions: How many there can be: n - 1 with centred columns, n without.
        hidden: What may be left of directions that were taken for nothing: the sum of their largest singular values.
        doubt: Why it is not determined which directions are kept; empty where it is.
    """

    values: Vector
    vectors: Vector
    rest: Vector
    n_dimensions: int
    hidden: float = 0.0
    doubt: str = ""

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
    values, vectors = values[::-1], vectors[:, ::-1]
    variances = representation.direction_variances(vectors)
    floors = np.maximum(representation.eigenvalue_floors(vectors, variances), len(gram) * _EPS * values[0])
    if not centred:  # errors of lengths are the same along a row and a column
        off = 2 * representation.length * representation.length_errors
        floors += 2 * SURE * np.abs(vectors.sum(axis=0)) * np.sqrt(off**2 @ vectors**2)
    n_dimensions = len(gram) - int(centred)
    n_most = min(n_dimensions, representation.n_features)
    real = np.flatnonzero(values > floors)[:n_most]
    n_kept = min(rank, len(real)) if rank else _count(values[real], variance)
    kept = real[:n_kept]
    others = np.setdiff1d(np.arange(len(values)), kept)
    return Spectrum(
        values[kept],
        np.ascontiguousarray(vectors[:, kept]),
        np.ascontiguousarray(vectors[:, others]),
        n_dimensions,
        float(np.sqrt(floors[others][: n_most - n_kept]).sum()) if len(real) < n_most else 0.0,
        _find_doubt(values, variances, floors, kept, n_most),
    )


def _find_doubt(values: Vector, variances: Vector, floors: Vector, kept: NDArray[np.intp], n_most: int) -> str:
    """Why it is not determined which directions are kept: they go on below what is known, or they mix with others."""
    if len(kept) < n_most and _goes_on(values[kept], floors[kept]):
        return f"its {NOT_DETERMINED}: its directions become as small as rounding, {len(kept)} of {n_most} are larger"
    others = np.setdiff1d(np.arange(len(values)), kept)
    if not len(others):
        return ""
    variances = np.maximum(variances[np.ix_(kept, others)], (_EPS * values[0]) ** 2)
    gaps = np.subtract.outer(values[kept], np.maximum(values[others], 0))
    with np.errstate(divide="ignore"):
        mixed = np.minimum(variances / gaps**2, 1).sum(axis=1)
    if np.minimum(mixed, 1).mean() <= _SHARE_THAT_MATTERS:
        return ""
    return f"its {NOT_DETERMINED}: directions that are kept are hardly larger than others, and mix with them"


def _goes_on(values: Vector, floors: Vector) -> bool:
    """Whether directions become smaller so steadily that some are likely to be below what is known."""
    if not len(values):
        return False
    n_barely = int((values < _BARELY * floors).sum())
    n_last = min(_N_LAST, len(values) - 1)
    step = (values[-1] / values[-1 - n_last]) ** (1 / max(n_last, 1))
    return n_barely > _SHARE_THAT_MATTERS * len(values) or bool(values[-1] * step < _BARELY * floors[-1])


def _count(values: Vector, variance: float) -> int:
    """How many of the largest values have at least this share of the sum."""
    shares = np.cumsum(values) / values.sum()
    return len(values) if variance >= 1 else int(np.searchsorted(shares, variance - 1e-12)) + 1


def singular_values(firsts: Sequence[Vector], seconds: Sequence[Vector]) -> Vector:
    """The singular values of each product `first.T @ second`, ascending; (k, r) with zeros where there are fewer.

    From the eigenvalues of the smaller of both squares: three times as fast as from the product. Values below 1e-8
    of the largest are uncertain by as much, which sums of them do not feel. All at once, because NumPy holds
    Python's lock while it solves a single matrix of this size, but not while it solves several.
    """
    sizes = [min(first.shape[1], second.shape[1]) for first, second in zip(firsts, seconds, strict=True)]
    squares = np.zeros((len(sizes), max(sizes), max(sizes)))
    for first, second, size, square in zip(firsts, seconds, sizes, squares, strict=True):
        product = first.T @ second
        small = product if len(product) == size else product.T
        np.matmul(small, small.T, out=square[:size, :size])
    return np.sqrt(np.clip(np.linalg.eigvalsh(squares), 0, None))


def canonical_correlations(first: Spectrum, second: Spectrum) -> Vector:
    """The cosines between what is kept of two layers, largest first; (min(r_1, r_2),).

    They are the singular values of U'V. The singular values of U'V*, V* the directions that the second layer does not
    keep, are their sines; from these where they are fewer.
    """
    if first.rest.shape[1] < second.rest.shape[1]:
        first, second = second, first
    size = min(first.rank, second.rank)
    if second.rest.shape[1] >= size:
        cosines = singular_values([first.vectors], [second.vectors])[0, ::-1]
    else:
        sines = singular_values([first.vectors], [second.rest])[0]
        cosines = np.ones(first.rank)
        cosines[len(cosines) - len(sines) :] = np.sqrt(np.clip(1 - sines**2, 0, None))
    return np.clip(cosines[:size], 0, 1)
