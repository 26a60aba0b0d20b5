"""Some pairs of stimuli of one layer at a time: what a representation's matrices hold of them.

An (n, n) matrix in float64 is the largest thing there is: 200 MB for 5,000 stimuli, 3.2 GB for 20,000. Whatever can
be said of pairs one by one is computed here, in panels of a few rows that fit into a cache, and a whole matrix is
nothing but its panels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from layerwise.core.network.matrices.compact import expand, rounded_part
from layerwise.core.network.resolution import SINGLE, Resolution, deviation_of

_ROWS_AT_ONCE = 64

Number = TypeVar("Number", bound=np.generic)
Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """The same numbers, which nobody can change through it."""
    view = array.view()
    view.flags.writeable = False
    return view


def panels(n_rows: int, n_each: int | None = None) -> Iterator[slice]:
    """Some rows of a matrix at a time, for what needs temporary arrays: matrices are the largest things there are."""
    step = n_each or _ROWS_AT_ONCE
    return (slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step))


def above_diagonal(panel: NDArray[Number]) -> NDArray[Number]:
    """What a panel of the upper triangle says of pairs of different stimuli, each once, row by row; a copy.

    The order is that of `strict_upper`, panel after panel.
    """
    n_rows, n_columns = panel.shape
    return panel[np.arange(n_columns) > np.arange(n_rows)[:, None]]


def reflect_at_ends(distances: Matrix) -> Matrix:
    """What rounding has put below 0 or above 2, as far on the other side, in place.

    Cutting it off would make pairs equal that are not known to be.
    """
    np.abs(distances, out=distances)
    beyond = distances > 2
    with np.errstate(invalid="ignore"):
        np.mod(distances, 4, out=distances, where=beyond)
    return np.minimum(distances, 4 - distances, out=distances, where=beyond)


@dataclass(frozen=True, eq=False)
class Side:
    """Some stimuli: the vectors of a representation for these.

    Attributes:
        deviation: float64 (k,); distance of each from the reference.
        mean: float64 (k,); mean over units.
        norm: float64 (k,); norm of the activation vector less its mean.
    """

    deviation: Vector
    mean: Vector
    norm: Vector

    def take(self, which: slice) -> Side:
        """Some of them."""
        return Side(self.deviation[which], self.mean[which], self.norm[which])

    def length(self, n_features: int) -> Vector:
        """|x_i|, (k,)."""
        return np.asarray(np.hypot(self.norm, np.sqrt(n_features) * self.mean))


@dataclass(frozen=True, eq=False)
class Panel:
    """Pairs of some stimuli with some others. Every method gives a new (r, c) array, which may be written to.

    Attributes:
        entries: (r, c); as those of a representation: float64 dissimilarities, or float32 of `compact`.
        rows: The stimuli of its rows.
        columns: The stimuli of its columns.
        n_features: Number of units.
        resolution: How well the layer is known.
    """

    entries: NDArray[np.floating]
    rows: Side
    columns: Side
    n_features: int
    resolution: Resolution

    def dissimilarity(self) -> Matrix:
        """1 - cosine between each two stimuli as seen from the reference."""
        if self.entries.dtype == np.float64:
            return np.array(self.entries, dtype=np.float64)
        return expand(self.entries.astype(np.float32, copy=False))

    def centred_products(self) -> Matrix:
        """a_i a_j (1 - d_ij): inner products of the activations as seen from the reference."""
        found = self.dissimilarity()
        np.subtract(1, found, out=found)
        found *= np.multiply.outer(self.rows.deviation, self.columns.deviation)
        return found

    def squared_distances(self) -> Matrix:
        """|x_i - x_j|^2 = (a_i - a_j)^2 + 2 a_i a_j d_ij: two terms that are not negative, so nothing cancels."""
        found = self.dissimilarity()
        found *= np.multiply.outer(self.rows.deviation, self.columns.deviation)
        found *= 2
        found += self._squared_differences(self.rows.deviation, self.columns.deviation, 1)
        return found

    def about_means(self) -> Matrix:
        """|x_i - x_j|^2 - p (m_i - m_j)^2: squared distances of the activations less their means over units."""
        found = self.squared_distances()
        found += self._squared_differences(self.rows.mean, self.columns.mean, -self.n_features)
        return found

    def correlation_distances(self) -> Matrix:
        """1 - r, r the Pearson correlation of two activation vectors; NaN where one of them is constant.

        (|x_i - x_j|^2 - p (m_i - m_j)^2 - (s_i - s_j)^2) / (2 s_i s_j).
        """
        found = self.about_means()
        found += self._squared_differences(self.rows.norm, self.columns.norm, -1)
        with np.errstate(invalid="ignore", divide="ignore"):
            found *= np.multiply.outer(1 / self.rows.norm, 1 / self.columns.norm)
        found /= 2
        reflect_at_ends(found)
        found[self.rows.norm == 0, :] = np.nan
        found[:, self.columns.norm == 0] = np.nan
        return found

    @staticmethod
    def _squared_differences(rows: Vector, columns: Vector, weight: float) -> Matrix:
        apart = np.subtract.outer(rows, columns)
        apart *= apart
        apart *= weight
        return np.asarray(apart)

    # Errors

    def dissimilarity_errors(self, dissimilarity: Matrix | None = None) -> Matrix:
        """The standard deviation of the error of each dissimilarity, of products and storage.

        Args:
            dissimilarity: The same panel's, where it is at hand.
        """
        size = self.dissimilarity() if dissimilarity is None else dissimilarity
        known = self.resolution.dissimilarity_errors(size)
        if self._storage_error:
            known = np.sqrt(known**2 + (self._storage_error * rounded_part(np.abs(size))) ** 2)
        return known

    def squared_distance_errors(self, *, with_activations: bool = False) -> Matrix:
        """The standard deviation of the error of each squared distance.

        Args:
            with_activations: Whether the rounding of the activations themselves counts as well, noise e_i of length
                `noise` on each stimulus: |x_i + e_i - x_j - e_j|^2 differs by 2 (x_i - x_j)(e_i - e_j), whose
                deviation is 2 d |e| / sqrt(p), and by |e_i - e_j|^2.
        """
        errors = self.dissimilarity_errors()
        errors *= 2 * self.rows.deviation[:, None] * self.columns.deviation
        if not with_activations:
            return errors
        both = self.row_noise[:, None] ** 2 + self.column_noise**2
        variance = 4 * np.abs(self.squared_distances()) * both / self.n_features + both**2
        return np.asarray(np.sqrt(errors**2 + variance))

    @cached_property
    def row_noise(self) -> Vector:
        """Length of the vector of rounding errors of the activations of each stimulus of the rows, (r,)."""
        return deviation_of(self.resolution.activations) * self.rows.length(self.n_features)

    @cached_property
    def column_noise(self) -> Vector:
        """The same of the columns, (c,)."""
        return deviation_of(self.resolution.activations) * self.columns.length(self.n_features)

    @property
    def _storage_error(self) -> float:
        """Relative error of what was rounded to be stored."""
        return deviation_of(SINGLE) if self.entries.dtype == np.float32 else 0.0
