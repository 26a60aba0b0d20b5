"""What a layer makes of a stimulus set, boiled down to how far apart it puts the stimuli.

Every measure this field asks of a layer *as a representation* is a function of the n x n Gram matrix of its
activations. It is kept in a form in which nothing cancels: distances between stimuli as they are seen from the mean
stimulus, and the mean and norm of each activation vector, which together give correlations and Gram matrices back.
`docs/architecture.md` says why this form; `products` makes it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.network.compact import expand
from layerwise.core.network.panels import Panel, Side, above_diagonal, panels
from layerwise.core.network.resolution import EXACT, SURE, Resolution, deviation_of

Number = TypeVar("Number", bound=np.generic)
Matrix = NDArray[np.float64]
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


def double_centre(matrix: Matrix) -> Matrix:
    """H M H of a symmetric matrix M, in place: the mean of each row and column taken out."""
    across = matrix.mean(axis=0)
    matrix -= across - across.mean()
    matrix -= across[:, None]
    return matrix


@dataclass(frozen=True, eq=False)
class Representation:
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
    def n_stimuli(self) -> int:
        """Number of stimuli."""
        return len(self.mean)

    @property
    def constant(self) -> NDArray[np.intp]:
        """Indices of the stimuli with constant activations, whose correlations are undefined."""
        return np.flatnonzero(self.norm == 0)

    @property
    def undefined(self) -> NDArray[np.intp]:
        """Indices of the stimuli of which an imported matrix says nothing."""
        n_unknown = np.zeros(self.n_stimuli, dtype=np.intp)
        for rows in panels(self.n_stimuli):
            n_unknown += np.isnan(self.entries[rows]).sum(axis=0)
        return np.flatnonzero(n_unknown >= max(self.n_stimuli - 1, 1))

    def require_finite(self) -> None:
        """Make sure that all activations were finite numbers, as those of a run are.

        Raises:
            InputError: If some were not; says how many stimuli.
        """
        n_spoilt = int((~np.isfinite(self.norm) | ~np.isfinite(self.mean)).sum())
        if n_spoilt:
            raise InputError(f"{n_spoilt} of {self.n_stimuli} stimuli have activations that are not finite")

    def _require_all(self) -> None:
        """Gram matrices need every stimulus."""
        self.require_finite()
        if n_undefined := len(self.undefined):
            raise InputError(f"nothing is known of {n_undefined} of {self.n_stimuli} stimuli")

    # Distances

    @property
    def dissimilarity(self) -> Matrix:
        """1 - cosine between each two stimuli as seen from the reference, (n, n) with a diagonal of 0.

        (|x_i - x_j|^2 - (a_i - a_j)^2) / (2 a_i a_j), a the deviations. NaN for undefined stimuli.
        """
        if self.entries.dtype == np.float64:
            return np.asarray(self.entries, dtype=np.float64)
        return expand(self.entries.astype(np.float32, copy=False))

    @cached_property
    def _side(self) -> Side:
        return Side(self.deviation, self.mean, self.norm)

    def panel(self, rows: slice, columns: slice = slice(None)) -> Panel:
        """What is known of some stimuli with some others: matrices are made of these, a few rows at a time."""
        side = self._side
        return Panel(
            self.entries[rows, columns], side.take(rows), side.take(columns), self.n_features, self.resolution
        )

    def upper_panels(self) -> Iterator[tuple[slice, Panel]]:
        """All pairs of different stimuli once: some rows at a time, each with the columns from its first row on.

        The first columns of a panel, as many as it has rows, are pairs among the rows themselves: each twice, and the
        stimuli with themselves. `above_diagonal` leaves these out.
        """
        for rows in panels(self.n_stimuli):
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

    @property
    def length(self) -> NDArray[np.float64]:
        """|x_i|, (n,)."""
        return self._side.length(self.n_features)

    @property
    def length_errors(self) -> NDArray[np.float64]:
        """The standard deviation of the error of |x_i|, (n,): what is left of sums over what distinguishes it."""
        known = self.resolution.dissimilarity_errors(np.ones(1))[0] * 4
        return np.asarray(np.maximum(known * self.deviation, 2.0**-52 * self.length))

    @property
    def activation_noise(self) -> NDArray[np.float64]:
        """Length of the vector of rounding errors of each stimulus's activations, (n,)."""
        return deviation_of(self.resolution.activations) * self.length

    # Correlations

    def correlation_distances(self) -> Matrix:
        """1 - r, r the Pearson correlation of two activation vectors, (n, n); NaN where one of them is constant.

        (|x_i - x_j|^2 - p (m_i - m_j)^2 - (s_i - s_j)^2) / (2 s_i s_j), m the means, s the norms and p the number of
        units: what is left of a distance once means and norms are the same, however small it is.
        """
        if not self.has_zero:
            return self._scaled_distances()
        return self._fill(Panel.correlation_distances)

    def _scaled_distances(self) -> Matrix:
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
        self._require_all()
        gram = self._fill(_products_about_means)
        np.fill_diagonal(gram, self.norm**2)
        return gram

    def column_centred_gram(self) -> Matrix:
        """Inner products of the activations with each unit centred on its mean over stimuli, H K H; (n, n).

        From a_i a_j (1 - d_ij), which is that already where the reference is the mean of these stimuli.

        Raises:
            InputError: If some activations are not finite, or nothing is known of some stimuli.
        """
        self._require_all()
        return double_centre(self._fill(Panel.centred_products))

    @cached_property
    def centred_sums(self) -> tuple[float, float]:
        """Trace and squared Frobenius norm of `column_centred_gram`, without that matrix: sums over panels.

        The sum of its eigenvalues, and of their squares.

        Raises:
            InputError: If some activations are not finite, or nothing is known of some stimuli.
        """
        self._require_all()
        across = self.centred_means
        trace, squares = 0.0, 0.0
        for rows, panel in self.upper_panels():
            centred = panel.centred_products()
            centred -= across[rows.start :] - across.mean()
            centred -= across[rows, None]
            own, other = centred[:, : len(centred)], centred[:, len(centred) :]
            trace += float(np.einsum("ii", own))
            squares += float(np.einsum("ij,ij", own, own)) + 2 * float(np.einsum("ij,ij", other, other))
        return trace, squares

    @cached_property
    def centred_means(self) -> NDArray[np.float64]:
        """Mean over stimuli of each row of a_i a_j (1 - d_ij), (n,): 0 where the reference is their mean.

        What is taken out of rows and columns to make `column_centred_gram` of it, and their mean put back.
        """
        across = np.zeros(self.n_stimuli)
        for rows, panel in self.upper_panels():
            found = panel.centred_products()
            across[rows] += found.sum(axis=1)
            across[rows.stop :] += found[:, len(found) :].sum(axis=0)
        return read_only(across / max(self.n_stimuli, 1))

    @property
    def gram_error(self) -> float:
        """Frobenius norm of the error of `column_centred_gram`.

        Without knowledge of single entries: those of products and storage go with a_i a_j, those of activations with
        (a_i |e_j| + a_j |e_i|) / sqrt(p).
        """
        squares, noise = self.deviation @ self.deviation, self.activation_noise @ self.activation_noise
        return float(np.hypot(self._entry_error * squares, np.sqrt(2 * squares * noise / self.n_features) + noise))

    @cached_property
    def _entry_error(self) -> float:
        """Of an entry of a Gram matrix over both deviations: the mean square's root, of products and storage."""
        itself = float(self.resolution.dissimilarity_errors(np.zeros(1))[0])
        total, n_known = self.n_stimuli * itself**2, self.n_stimuli
        for _, panel in self.upper_panels():
            errors = above_diagonal(panel.dissimilarity_errors())
            known = errors[np.isfinite(errors)]
            total, n_known = total + 2 * float(known @ known), n_known + 2 * len(known)
        return float(np.sqrt(total / n_known)) if n_known else float("nan")

    @cached_property
    def _dissimilarity_spread(self) -> float:
        """The standard deviation of the dissimilarities of different stimuli that are known."""
        return _find_moments(panel.dissimilarity() for _, panel in self.upper_panels())[2]

    @cached_property
    def correlation_moments(self) -> tuple[int, float, float]:
        """Of 1 - correlation over all pairs of different stimuli that have one: number, mean, standard deviation."""
        if not self.has_zero:
            return _find_moments([self.correlation_distances()])
        return _find_moments(panel.correlation_distances() for _, panel in self.upper_panels())

    @cached_property
    def blur(self) -> float:
        """What share of the differences between pairs of stimuli is nothing but error: 0 is sharp, 1 is noise.

        The larger of that of distances and of what is left of them once means and norms are taken out.
        """
        size = float(self.deviation @ self.deviation)
        spread = self._dissimilarity_spread
        if not size * spread > 0:
            return 1.0
        outside = self.n_stimuli * (self.n_features * np.var(self.mean) + np.var(self.norm)) / size
        inside = max(1 - float(outside), _LEAST_INSIDE)
        return min(self.gram_error / (size * spread * inside), 1.0)

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


def _find_moments(upper: Iterable[Matrix]) -> tuple[int, float, float]:
    """Number, mean and standard deviation of what is finite above the diagonals of panels."""
    total, squares, n_known, origin = 0.0, 0.0, 0, None
    for panel in upper:
        values = above_diagonal(panel)
        known = values[np.isfinite(values)]
        if not len(known):
            continue
        origin = float(known.mean()) if origin is None else origin  # so that nothing cancels
        known -= origin
        total, squares, n_known = total + float(known.sum()), squares + float(known @ known), n_known + len(known)
    if origin is None:
        return 0, float("nan"), 0.0
    mean = total / n_known
    return n_known, origin + mean, float(np.sqrt(max(squares / n_known - mean**2, 0.0)))


def _products_about_means(panel: Panel) -> Matrix:
    """Inner products of the activations less their means over units: half of what squares and distances differ by."""
    squares = np.add.outer(panel.rows.norm**2, panel.columns.norm**2)
    squares -= panel.about_means()
    squares /= 2
    return np.asarray(squares)


_LEAST_INSIDE = 1e-6
_EDGE = 1.25  # of the largest eigenvalue of a random matrix, which single draws exceed by a few per cent
