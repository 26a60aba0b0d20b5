"""From activations to a representation: products of stimuli about the mean stimulus, and what follows.

What distinguishes stimuli is what their activations differ by. So the mean stimulus is taken out of all of them
before anything is multiplied: a bias of a unit, however large, costs no digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.network.matrices.compact import compact
from layerwise.core.network.matrices.panels import panels
from layerwise.core.network.representation import Representation
from layerwise.core.network.resolution import EXACT, Resolution, tell_rounding

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

FEW_STIMULI, FEW_UNITS = 128, 2048
"""Up to so many, products are taken in float64."""

CLOSE = 1e-3
"""A share of squared lengths below which float32 loses it: a thousand times its error."""

_MANY = 1 / 8
_ROWS_AT_ONCE = 256  # of a sum of matrices, which are the largest things that a run holds
_ROWS_LOOKED_AT = 16  # to tell how activations were rounded
_LARGEST, _SMALLEST = 1e150, 1e-150  # whose squares float64 still holds


@dataclass(frozen=True, eq=False)
class Products:
    """Sums that a representation is made of, in float64 and before any rounding. Provisional until 1.0.

    Attributes:
        centred: float64 (n, n); Gram matrix of the activations with each unit centred on its mean over stimuli.
        mean: float64 (n,); mean over units.
        norm: float64 (n,); Euclidean norm of each activation vector less its mean; 0 exactly where it is constant.
        n_features: Number of units.
        resolution: How well they are known.
        is_hard: Whether float32 would lose what distinguishes most of the stimuli (`find_close`).
    """

    centred: Matrix
    mean: Vector
    norm: Vector
    n_features: int
    resolution: Resolution = EXACT
    is_hard: bool = False

    def represent(self, *, in_double: bool | None = None) -> Representation:
        """Divide by the lengths.

        Args:
            in_double: Whether to keep float64; None where the layer is hard, and by the numbers of stimuli and units
                (`keeps_double`).
        """
        if in_double is None:
            in_double = self.is_hard or keeps_double(len(self.mean), self.n_features)
        deviation = np.sqrt(np.clip(np.diagonal(self.centred), 0, None))
        entries = np.empty(self.centred.shape, dtype=np.float64 if in_double else np.float32)
        for rows in panels(len(deviation)):
            apart = self._dissimilarity(rows, deviation)
            found = apart if in_double else compact(apart)
            entries[rows, rows.start :] = found
            entries[rows.stop :, rows] = found[:, len(found) :].T
        return Representation(entries, deviation, self.mean, self.norm, self.n_features, self.resolution)

    def _dissimilarity(self, rows: slice, deviation: Vector) -> Matrix:
        """1 - cosine of some stimuli with those from the first of them on: of both halves of products, the mean."""
        own, others = deviation[rows, None], deviation[rows.start :]
        with np.errstate(invalid="ignore", divide="ignore"):
            apart = 1 - self.centred[rows, rows.start :] / own / others
            apart += 1 - self.centred[rows.start :, rows].T / others / own
        apart /= 2
        at_mean = others == 0  # such a stimulus has no direction: any will do
        apart[at_mean[: len(apart)], :] = apart[:, at_mean] = 1
        np.clip(apart, 0, 2, out=apart)
        np.fill_diagonal(apart, 0)
        return apart


def keeps_double(n_stimuli: int, n_features: int) -> bool:
    """Whether such a layer is kept in float64.

    Fewer units than stimuli leave directions that are nothing, which only float64 tells from those that are small;
    and of few stimuli it takes a few pages.
    """
    return n_stimuli <= FEW_STIMULI or n_features < n_stimuli


def find_close(gram: Matrix, total: Vector, along: Vector, pattern: float, n_features: int) -> NDArray[np.intp]:
    """Stimuli that are nearly the same as another one, or nearly the mean stimulus but for their level and gain.

    Correlations are what is left of distances without these two: little, where units answer alike to how bright a
    stimulus is, or all in proportion to its contrast. Float32 would lose it.

    Args:
        gram: (n, n); products of the stimuli less the mean stimulus.
        total: (n,); sum over units of each of these.
        along: (n,); its product with the mean stimulus less the mean of that over units.
        pattern: Sum over units of the square of the latter.
        n_features: Number of units.
    """
    squares = np.diagonal(gram)
    is_close = find_shared(squares, total, along, pattern, n_features)
    with np.errstate(invalid="ignore"):
        for rows in panels(len(gram)):
            near = 2 * gram[rows] > (1 - CLOSE) * np.add.outer(squares[rows], squares)
            is_close[rows] |= near.sum(axis=1) > 1  # each is near itself
    found: NDArray[np.intp] = np.flatnonzero(is_close)
    return found


def find_shared(squares: Vector, total: Vector, along: Vector, pattern: float, n_features: int) -> NDArray[np.bool_]:
    """Which stimuli are nearly the mean stimulus but for their level and gain, (n,).

    Args:
        squares: (n,); squared lengths of the stimuli less the mean stimulus.
        total: As in `find_close`.
        along: Likewise.
        pattern: Likewise.
        n_features: Likewise.
    """
    with np.errstate(invalid="ignore"):
        shared = total**2 / n_features + (along**2 / pattern if pattern > 0 else 0)
        return np.asarray(shared > (1 - CLOSE) * squares)


def are_many(close: NDArray[np.intp], n_stimuli: int) -> bool:
    """Whether so many stimuli are close that the whole layer is better taken in float64: not for a few copies."""
    return len(close) > _MANY * n_stimuli


def multiplies_double(n_stimuli: int, n_features: int) -> bool:
    """Whether such a layer is multiplied in float64: where it is kept so, and where that costs next to nothing.

    A function of both numbers alone, so that results do not depend on the machine.
    """
    return keeps_double(n_stimuli, n_features) or n_features <= FEW_UNITS


def concatenate(parts: Sequence[Products]) -> Products:
    """The products of layers laid side by side: a block from its branches.

    Gram matrices about the mean stimulus simply add up. Norms are moved from each part's own mean m_b to the common
    one m: s^2 = sum_b s_b^2 + p_b (m_b - m)^2, in which nothing cancels either.
    """
    mean, norm, n_features = add_norms(parts)
    centred = np.zeros_like(parts[0].centred)
    for part in parts:
        for start in range(0, len(mean), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            centred[rows] += part.centred[rows]
    resolution = reduce(Resolution.widen, (part.resolution for part in parts))
    return Products(centred, mean, norm, n_features, resolution, all(part.is_hard for part in parts))


class _Normed(Protocol):
    """What is known of a layer's vectors, whatever form its products have."""

    @property
    def mean(self) -> Vector: ...
    @property
    def norm(self) -> Vector: ...
    @property
    def n_features(self) -> int: ...


def add_norms(parts: Sequence[_Normed]) -> tuple[Vector, Vector, int]:
    """Mean over units, norm and number of units of layers laid side by side; see `concatenate`."""
    n_features = sum(part.n_features for part in parts)
    mean = sum((part.n_features * part.mean for part in parts), np.zeros(len(parts[0].mean))) / n_features
    squares = np.zeros(len(mean))
    for part in parts:
        shift = part.mean - mean
        shift[np.abs(shift) <= 1e-13 * np.abs(mean)] = 0  # rounding, which must not make a constant row vary
        squares += part.norm**2 + part.n_features * shift**2
    return mean, np.sqrt(squares), n_features


def represent(activations: ArrayLike) -> Representation:
    """The representation of activations held in memory, computed and kept in float64.

    Args:
        activations: (n_stimuli, ...); everything after the first axis counts as units. How well each number is
            known is told from themselves (`resolution.tell_rounding`).

    Raises:
        InputError: If squares of them are too large or too small for float64.
    """
    return multiply(activations).represent(in_double=True)


def multiply(activations: ArrayLike) -> Products:
    """Products of activations held in memory, in float64; see `represent`."""
    given = np.asarray(activations)
    rows = given.reshape(len(given), -1).astype(np.float64)
    check_range(rows)
    finite = np.isfinite(rows).all(axis=1)  # others spoil themselves, and not the mean stimulus
    with np.errstate(invalid="ignore"):
        first = rows[finite][0] if finite.any() else np.zeros(rows.shape[1])
        centred = rows - first  # so that means need not hold what is common
        reference = first + centred[finite].mean(axis=0)
        centred = centred - centred[finite].mean(axis=0)
        mean = rows.mean(axis=1)
        about = rows - mean[:, None]
        mean = mean + about.mean(axis=1)
        norm = np.sqrt(np.einsum("ij,ij->i", about, about))
        products = centred @ centred.T
    constant = rows.max(axis=1) == rows.min(axis=1)
    norm[constant], mean[constant] = 0, rows[constant, 0]
    resolution = Resolution(tell_rounding(rows[finite][:: max(1, len(rows) // _ROWS_LOOKED_AT)]))
    with np.errstate(invalid="ignore"):
        pattern = reference - reference.mean()
        close = find_close(products, centred.sum(axis=1), centred @ pattern, float(pattern @ pattern), len(pattern))
    return Products(products, mean, norm, len(pattern), resolution, are_many(close, len(rows)))


def check_range(rows: Matrix) -> None:
    """Refuse activations whose squares float64 cannot hold.

    Raises:
        InputError: If there are some; says which stimulus, and what to do.
    """
    with np.errstate(invalid="ignore"):
        size = np.abs(rows).max(axis=1, initial=0)
    too_large = np.flatnonzero((size > _LARGEST) & np.isfinite(size))
    if len(too_large):
        at = int(too_large[0])
        raise InputError(
            f"activations of stimulus {at} reach {size[at]:.3g}, too large: their squares overflow; divide the layer"
        )
    if 0 < size.max(initial=0) < _SMALLEST:
        raise InputError(
            f"all activations are too small: of {size.max():.3g} at most squares underflow; multiply the layer"
        )
