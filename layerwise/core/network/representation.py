"""What a layer makes of a stimulus set, boiled down to how far apart it puts the stimuli.

Every measure this field asks of a layer *as a representation* is a function of the n x n Gram matrix of its
activations. It is kept in a form in which nothing cancels: distances between stimuli as they are seen from the mean
stimulus, and the mean and norm of each activation vector, which together give correlations and Gram matrices back.
`docs/architecture.md` says why this form; `products` makes it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from layerwise.core.network.matrices.compact import expand
from layerwise.core.network.matrices.pairs import Pairs
from layerwise.core.network.matrices.panels import Panel, panels
from layerwise.core.network.matrices.panels import read_only as read_only  # noqa: PLC0414 - where everybody looks for it
from layerwise.core.network.resolution import EXACT, SURE, Resolution

Number = TypeVar("Number", bound=np.generic)
Matrix = NDArray[np.float64]
NO_TRANSFORM = "none"
"""What plain activations are called where a transform is named."""


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


def double_centre(matrix: Matrix) -> Matrix:
    """H M H of a symmetric matrix M, in place: the mean of each row and column taken out."""
    across = matrix.mean(axis=0)
    matrix -= across - across.mean()
    matrix -= across[:, None]
    return matrix


@dataclass(frozen=True, eq=False)
class Representation(Pairs):
    """A layer's activations x_i for n stimuli, as far as a Gram matrix knows them. Its arrays cannot be written to.

    Made by `represent` from activations, and by `interchange` from matrices. Ask its methods for what a measure
    needs; the fields are the form in which it is stored.

    Attributes:
        entries: (n, n), symmetric; float64 dissimilarities, or float32 numbers that `compact` makes of them.
        deviation: float64 (n,); a_i, distance of each stimulus from a reference, of runs the mean stimulus.
        mean: float64 (n,); mean over units.
        norm: float64 (n,); Euclidean norm of the activation vector less its mean over units, 0 where constant.
        n_features: Number of units.
        resolution: How well it is known.
        has_zero: Whether similarities have a zero that means something; not where only distances are known, of which
            `correlation` is then a linear function.
    """

    entries: NDArray[np.floating]
    deviation: NDArray[np.float64]
    mean: NDArray[np.float64]
    norm: NDArray[np.float64]
    n_features: int
    resolution: Resolution = EXACT
    has_zero: bool = True

    def __post_init__(self) -> None:
        for name in ("entries", "deviation", "mean", "norm"):  # many measures share them: none may change them
            object.__setattr__(self, name, read_only(getattr(self, name)))

    @property
    def entry_type(self) -> np.dtype[np.floating]:
        """The type in which pairs are stored."""
        return self.entries.dtype

    @property
    def undefined(self) -> NDArray[np.intp]:
        """Indices of the stimuli of which an imported matrix says nothing."""
        return self._count_unknown() if np.isnan(self.entries).any() else np.empty(0, dtype=np.intp)

    # Distances

    @property
    def dissimilarity(self) -> Matrix:
        """1 - cosine between each two stimuli as seen from the reference, (n, n) with a diagonal of 0.

        (|x_i - x_j|^2 - (a_i - a_j)^2) / (2 a_i a_j), a the deviations. NaN for undefined stimuli.
        """
        if self.entries.dtype == np.float64:
            return np.asarray(self.entries, dtype=np.float64)
        return expand(self.entries.astype(np.float32, copy=False))

    def panel(self, rows: slice, columns: slice = slice(None)) -> Panel:
        """What is known of some stimuli with some others: matrices are made of these, a few rows at a time."""
        side = self._side
        return Panel(
            self.entries[rows, columns], side.take(rows), side.take(columns), self.n_features, self.resolution
        )

    def upper_panels(self, n_rows: int | None = None) -> Iterator[tuple[slice, Panel]]:
        """All pairs of different stimuli once; see `Pairs`."""
        for rows in panels(self.n_stimuli, n_rows):
            yield rows, self.panel(rows, slice(rows.start, None))

    def _fill(self, read: Callable[[Panel], Matrix]) -> Matrix:
        """The (n, n) matrix that consists of these panels."""
        matrix = np.empty((self.n_stimuli, self.n_stimuli))
        for rows in panels(self.n_stimuli):
            matrix[rows] = read(self.panel(rows))
        return matrix

    def squared_distances(self) -> Matrix:
        """|x_i - x_j|^2, (n, n); defined for constant vectors too, NaN for undefined stimuli.

        Negative only where it was imported so.

        (a_i - a_j)^2 + 2 a_i a_j d_ij: two terms that are not negative, so nothing cancels.

        Raises:
            InputError: If some activations are not finite.
        """
        self.require_finite()
        return self._squared_distances()

    def _squared_distances(self) -> Matrix:
        return self._fill(Panel.squared_distances)

    def squared_distance_errors(self, *, with_activations: bool = False) -> Matrix:
        """The standard deviation of the error of each squared distance, (n, n).

        Args:
            with_activations: Whether the rounding of the activations themselves counts as well, or only what was
                done with them.
        """
        return self._fill(lambda panel: panel.squared_distance_errors(with_activations=with_activations))

    # Correlations

    def correlation_distances(self) -> Matrix:
        """1 - r, r the Pearson correlation of two activation vectors, (n, n); NaN where one of them is constant.

        (|x_i - x_j|^2 - p (m_i - m_j)^2 - (s_i - s_j)^2) / (2 s_i s_j), m the means, s the norms and p the number of
        units: what is left of a distance once means and norms are the same, however small it is.
        """
        if not self.has_zero:
            return self._scale_distances()
        return self._fill(Panel.correlation_distances)

    def _scale_distances(self) -> Matrix:
        """Squared distances moved and scaled to lie between 0 and 1: all that RSA needs of them as similarities."""
        apart = self._squared_distances()
        lowest = min(float(np.nanmin(apart)), 0.0)
        apart -= lowest
        highest = float(np.nanmax(apart))
        apart /= highest if highest > 0 else 1.0
        np.fill_diagonal(apart, 0)
        apart[self.constant, :] = apart[:, self.constant] = np.nan
        return apart

    @property
    def correlation(self) -> Matrix:
        """Pearson correlation of each two activation vectors, (n, n); NaN where one of them is constant.

        Near 1 it has few digits left: `correlation_distances` has all.
        """
        apart = self.correlation_distances()
        return np.subtract(1, apart, out=apart)

    # Gram matrices

    def gram(self) -> Matrix:
        """Inner products of the raw activation vectors, K = X X'; (n, n).

        Raises:
            InputError: If some activations are not finite, or nothing is known of some stimuli.
        """
        gram = self.centred_gram()
        for rows in panels(self.n_stimuli):
            gram[rows] += self.n_features * self.mean[rows, None] * self.mean
        return gram

    def centred_gram(self) -> Matrix:
        """Inner products of the activation vectors, each centred on its own mean over units; (n, n).

        Raises:
            InputError: If some activations are not finite, or nothing is known of some stimuli.
        """
        self.require_all()
        gram = self._fill(_products_about_means)
        np.fill_diagonal(gram, self.norm**2)
        return gram

    def column_centred_gram(self) -> Matrix:
        """Inner products of the activations with each unit centred on its mean over stimuli, H K H; (n, n).

        From a_i a_j (1 - d_ij), which is that already where the reference is the mean of these stimuli.

        Raises:
            InputError: If some activations are not finite, or nothing is known of some stimuli.
        """
        self.require_all()
        return double_centre(self._fill(Panel.centred_products))

    @property
    def eigenvalue_floor(self) -> float:
        """Up to here eigenvalues of a Gram matrix of these activations may be nothing but error.

        Errors of the entries are a random symmetric matrix, whose eigenvalues reach to 2 sqrt(n) standard deviations
        (Wigner). Rounding errors e of the activations add E E', whose eigenvalues reach to |e|^2 (1 + sqrt(n / p))^2
        (Marchenko and Pastur).
        """
        squares = self.deviation**2
        entry = self._entry_error * np.sqrt(squares.max(initial=0) * squares.mean())
        noise = float(np.mean(self.activation_noise**2)) * (1 + np.sqrt(self.n_stimuli / self.n_features)) ** 2
        return float(2 * np.sqrt(self.n_stimuli) * entry * _EDGE + SURE * noise)

    def direction_variances(self, directions: Matrix) -> Matrix:
        """Variance of the error v'Ew of the column-centred Gram matrix between each two directions, (r, r).

        sum_ij v_i^2 w_j^2 s_ij^2: errors count as far as directions are made of the stimuli that have them.

        Args:
            directions: (n, r); columns of length 1.
        """
        weights = directions**2
        return np.asarray(weights.T @ (self.squared_distance_errors() / 2) ** 2 @ weights)

    def eigenvalue_floors(self, directions: Matrix, variances: Matrix) -> NDArray[np.float64]:
        """`eigenvalue_floor` of directions that are known, where stimuli are known differently well, (r,).

        Args:
            directions: (n, r); columns of length 1.
            variances: (r, r); their `direction_variances`.
        """
        entry = np.sqrt(np.diagonal(variances))
        noise = (self.activation_noise**2 @ directions**2) * (1 + np.sqrt(self.n_stimuli / self.n_features)) ** 2
        return np.asarray(2 * np.sqrt(self.n_stimuli) * entry * _EDGE + SURE * noise)

    @cached_property
    def spectrum(self) -> NDArray[np.float64]:
        """Eigenvalues of the column-centred Gram matrix, largest first; found once, when first asked for.

        At most min(n - 1, n_features) of them, without those that may be nothing but error (`eigenvalue_floor`).
        """
        values = np.linalg.eigvalsh(self.column_centred_gram())[::-1]
        values = values[: max(min(self.n_stimuli - 1, self.n_features), 0)]
        return read_only(np.ascontiguousarray(values[values > self.eigenvalue_floor]))

    # Other stimuli, other errors

    def take(self, indices: ArrayLike) -> Representation:
        """The representation of a selection (or reordering) of the stimuli; the reference stays where it was."""
        chosen = np.asarray(indices, dtype=np.intp)
        return replace(
            self,
            entries=self.entries[np.ix_(chosen, chosen)],
            deviation=self.deviation[chosen],
            mean=self.mean[chosen],
            norm=self.norm[chosen],
        )

    def perturb(self, seed: int = 0, *, with_activations: bool = True) -> Representation:
        """The same layer as it might as well be known: every squared distance changed by a draw of its error.

        Stimuli that are the same stay the same.

        Args:
            seed: Of the draw.
            with_activations: As in `squared_distance_errors`.
        """
        own = zlib.crc32(self.deviation.tobytes())  # layers are off by other errors each
        draw = np.random.default_rng([seed, own]).normal(size=self.entries.shape)
        draw = np.triu(draw, 1)
        change = (draw + draw.T) * self.squared_distance_errors(with_activations=with_activations)
        with np.errstate(invalid="ignore", divide="ignore"):
            change /= 2 * np.outer(self.deviation, self.deviation)
        change[~np.isfinite(change)] = 0
        entries = self.dissimilarity
        alike = np.argmax(entries <= self.resolution.least / 2, axis=1)  # the first that is the same, or itself
        return replace(self, entries=(entries + change)[np.ix_(alike, alike)])

    def take_for_exact(self) -> Representation:
        """The same, with all that was done with activations taken for exact: what is not equal is not the same.

        But for activations that are exact themselves, of which rounding alone makes what is not equal.
        """
        if not self.resolution.activations:
            return self
        return replace(self, resolution=replace(self.resolution, products=0.0, near=0.0, least=0.0))


def _products_about_means(panel: Panel) -> Matrix:
    """Inner products of the activations less their means over units: half of what squares and distances differ by."""
    squares = np.add.outer(panel.rows.norm**2, panel.columns.norm**2)
    squares -= panel.about_means()
    squares /= 2
    return np.asarray(squares)


_EDGE = 1.25  # of the largest eigenvalue of a random matrix, which single draws exceed by a few per cent
