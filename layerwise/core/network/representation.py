"""What a layer makes of a stimulus set, boiled down to its Gram matrix.

Every measure this field asks of a layer *as a representation* is a function of the n x n Gram matrix of its
activations. It is kept in a form in which nothing cancels: the Pearson correlations people look at, and
the mean and norm of each activation vector, which give the Gram matrix back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from layerwise.core.base.errors import InputError

_ROWS_AT_ONCE = 256  # of a sum of matrices, which are the largest things that a run holds

Number = TypeVar("Number", bound=np.generic)
NO_TRANSFORM = "none"
"""What plain activations are called where a transform is named."""


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """The same numbers, which nobody can change through it."""
    view = array.view()
    view.flags.writeable = False
    return view


def strict_upper(matrix: NDArray[Number]) -> NDArray[Number]:
    """The values above the diagonal of an (n, n) matrix, row by row; a copy of n (n - 1) / 2 of them.

    The one order in which pairs of stimuli are stored, compared and shown.
    """
    n = len(matrix)
    values = np.empty(n * (n - 1) // 2, dtype=matrix.dtype)
    start = 0
    for row in range(n - 1):  # faster than a mask, which would be a second matrix
        stop = start + n - 1 - row
        values[start:stop] = matrix[row, row + 1 :]
        start = stop
    return values


@dataclass(frozen=True, eq=False)
class Representation:
    """A layer's activations for n stimuli, as far as a Gram matrix knows them. Its arrays cannot be written to.

    Attributes:
        correlation: float32 (n, n); Pearson correlation between the activation vectors of each pair of
            stimuli. Rows and columns of stimuli with constant activations are NaN.
        mean: float64 (n,); mean over units.
        norm: float64 (n,); Euclidean norm of the mean-centred activation vector.
        n_features: Number of units.
    """

    correlation: NDArray[np.float32]
    mean: NDArray[np.float64]
    norm: NDArray[np.float64]
    n_features: int

    def __post_init__(self) -> None:
        for name in ("correlation", "mean", "norm"):  # many measures share them: none may change them
            object.__setattr__(self, name, read_only(getattr(self, name)))

    @property
    def n_stimuli(self) -> int:
        """Number of stimuli."""
        return len(self.mean)

    @property
    def constant(self) -> NDArray[np.intp]:
        """Indices of the stimuli with constant activations, whose correlations are undefined."""
        return np.flatnonzero(self.norm == 0)

    def require_finite(self) -> None:
        """Make sure that all activations were finite numbers, as those of a run are.

        Raises:
            InputError: If some were not; says how many stimuli.
        """
        n_spoilt = int((~np.isfinite(self.norm) | ~np.isfinite(self.mean)).sum())
        if n_spoilt:
            raise InputError(f"{n_spoilt} of {self.n_stimuli} stimuli have activations that are not finite")

    def centred_gram(self) -> NDArray[np.float64]:
        """Inner products of the activation vectors, each centred on its own mean over units; (n, n).

        A stimulus with constant activations has a centred vector of zeros, so zeros here rather than NaN.

        Raises:
            InputError: If some activations are not finite.
        """
        self.require_finite()
        gram = np.nan_to_num(self.correlation.astype(np.float64)) * np.outer(self.norm, self.norm)
        np.fill_diagonal(gram, self.norm**2)
        return gram

    def gram(self) -> NDArray[np.float64]:
        """Inner products of the raw activation vectors, K = X X'; (n, n)."""
        return self.centred_gram() + self.n_features * np.outer(self.mean, self.mean)

    def column_centred_gram(self) -> NDArray[np.float64]:
        """Inner products of the activations with each unit centred on its mean over stimuli, H K H; (n, n)."""
        gram = self.centred_gram()
        across = gram.mean(axis=0)
        gram += across.mean() - across[:, None] - across[None, :]
        shift = self.mean - self.mean.mean()  # centred before it is squared, so that a common offset cancels first
        gram += self.n_features * np.outer(shift, shift)
        return gram

    @cached_property
    def spectrum(self) -> NDArray[np.float64]:
        """Eigenvalues of the column-centred Gram matrix, largest first; found once, when first asked for.

        At most min(n - 1, n_features) of them, without those that are nothing but the rounding of correlations to
        float32: that changes no eigenvalue by more than 2^-24 times the norm of the Gram matrix (Weyl's inequality).
        """
        floor = 2.0**-24 * float(np.linalg.norm(self.centred_gram()))
        values = np.linalg.eigvalsh(self.column_centred_gram())[::-1]
        values = values[: max(min(self.n_stimuli - 1, self.n_features), 0)]
        return read_only(np.ascontiguousarray(values[values > floor]))

    def take(self, indices: ArrayLike) -> Representation:
        """The representation of a selection (or reordering) of the stimuli."""
        chosen = np.asarray(indices, dtype=np.intp)
        return Representation(
            self.correlation[np.ix_(chosen, chosen)], self.mean[chosen], self.norm[chosen], self.n_features
        )


@dataclass(frozen=True, eq=False)
class Products:
    """Sums that a representation is made of, in float64 and before any rounding. Provisional until 1.0.

    Attributes:
        centred: float64 (n, n); Gram matrix of the activation vectors, each centred on its mean over units.
        mean: float64 (n,); mean over units.
        n_features: Number of units.
    """

    centred: NDArray[np.float64]
    mean: NDArray[np.float64]
    n_features: int

    def represent(self) -> Representation:
        """Divide by the norms; constant activation vectors give NaN, never a silent number."""
        norm = np.sqrt(np.clip(np.diagonal(self.centred), 0, None))
        with np.errstate(invalid="ignore", divide="ignore"):
            correlation = self.centred / norm[:, None] / norm[None, :]
        correlation = np.clip((correlation + correlation.T) / 2, -1, 1)
        live = norm > 0
        correlation[live, live] = 1.0
        correlation[~live, :] = np.nan
        correlation[:, ~live] = np.nan
        return Representation(correlation.astype(np.float32), self.mean, norm, self.n_features)


def concatenate(parts: Sequence[Products]) -> Products:
    """The products of layers laid side by side: a block from its branches.

    Raw Gram matrices simply add up. In the centred form each part is moved from its own mean m_b to the
    common one m: K = sum_b K_b + p_b (m_b - m)(m_b - m)', in which nothing cancels either.
    """
    n_features = sum(part.n_features for part in parts)
    mean = sum((part.n_features * part.mean for part in parts), np.zeros(len(parts[0].mean))) / n_features
    centred = np.zeros_like(parts[0].centred)
    for part in parts:
        shift = part.mean - mean
        shift[np.abs(shift) <= 1e-13 * np.abs(mean)] = 0  # rounding, which must not make a constant row vary
        for start in range(0, len(shift), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            centred[rows] += part.centred[rows] + part.n_features * np.outer(shift[rows], shift)
    return Products(centred, mean, n_features)


def represent(activations: ArrayLike) -> Representation:
    """The representation of activations held in memory, computed in float64.

    Args:
        activations: (n_stimuli, ...); everything after the first axis counts as units.
    """
    rows = np.asarray(activations, dtype=np.float64)
    rows = rows.reshape(len(rows), -1)
    mean = rows.mean(axis=1)
    centred = rows - mean[:, None]
    constant = rows.max(axis=1) == rows.min(axis=1)
    centred[constant] = 0
    return Products(centred @ centred.T, mean, rows.shape[1]).represent()
