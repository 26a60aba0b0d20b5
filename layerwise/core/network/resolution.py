"""How well the entries of a representation are known, and what follows: what is zero, tied, flat, or rank.

The one place that decides these. Errors are standard deviations: rounding is as often up as down, and bounds that no
rounding can exceed would be so wide that nothing could be told from anything.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

SURE = 6.0
"""A difference of so many standard deviations is no rounding."""

CLOSE = 1e-3
"""A share of the largest: pairs that differ by more than this are not all the same, whatever the errors."""

NOT_DETERMINED = "resolution does not determine this number to two digits"
"""What every warning says that is about how well layers are known: by these words it is told from others."""

BRAIN, HALF, SINGLE, DOUBLE = 2.0**-8, 2.0**-11, 2.0**-24, 2.0**-53
"""Largest relative rounding error of bfloat16, float16, float32 and float64."""

_SHARED = 12.0  # times the error of products of stimuli that share nothing: `benchmarks/product_error.py`
_DOUBLE_PRODUCTS = 2.0**-40
_REACH = 2.5e-4  # of float32 products, stimuli this near are taken again in float64, in whatever chunk
_COUNTS = 2.0**18  # larger numbers of 32 bits have hardly a place for anything behind the point
_OFTEN = 16  # times, on average: no accident
_APART = 2.0**-16  # of the largest: many times what single precision rounds to
_LAST_BIT_USED = 0.25  # of the numbers: about half, where they were rounded to this type
_TYPICAL = 0.4  # of the largest rounding error: its standard deviation, averaged over where in a binade numbers lie


@dataclass(frozen=True)
class Resolution:
    """Where the error of a representation comes from.

    Attributes:
        activations: Relative error of each activation: rounding of the numbers that the network hands over.
        products: Error of an inner product of two stimuli that have nothing in common, both less the mean stimulus,
            over the product of their lengths: rounding of products and sums.
        near: Relative error of the squared distance of two stimuli that are far nearer to each other than to the
            mean stimulus, where that is less than `products` makes it.
        least: Error that is left between stimuli that are the same, in the unit of `products`.
    """

    activations: float = DOUBLE
    products: float = 2.0**-50
    near: float = 2.0**-40
    least: float = 2.0**-50

    def dissimilarity_errors(self, dissimilarity: Values) -> Values:
        """The standard deviation of the error of 1 - cosines, of any shape, that rounding of products makes.

        What two stimuli share makes the partial sums larger, and their rounding with them.
        """
        size = np.abs(dissimilarity)
        known: Values = np.abs(1 - size)
        known *= _SHARED * self.products
        known += self.products
        reach = np.inf if self.products < _DOUBLE_PRODUCTS else _REACH
        np.minimum(known, self.near * size + self.least, out=known, where=size < reach)
        return known

    def widen(self, other: Resolution) -> Resolution:
        """The coarser of two, each error by itself: of a block, whose branches may be known differently well."""
        return Resolution(
            max(self.activations, other.activations),
            max(self.products, other.products),
            max(self.near, other.near),
            max(self.least, other.least),
        )


EXACT = Resolution()
"""Of what was computed in float64 from numbers of float64."""

GIVEN = Resolution(near=2.0**-50, least=0.0)
"""Of distances that were given as such: each is known to its own last bits, however far others are."""


def tell_rounding(values: NDArray[np.floating]) -> float:
    """Largest relative error of numbers, told from themselves: how they were rounded last, whatever type they have.

    A network that computes with half precision hands over numbers of 32 bits whose last bits are all 0. Whole numbers
    are exact; so are numbers that come again and again (steps, levels of grey), since all of them were rounded alike:
    stimuli that have the same are as far apart as it seems. Where few of the bits are used that the shorter type has,
    nothing says that it was that type.

    Args:
        values: Of any shape; some of a layer's activations are enough.
    """
    values = values[values != 0]
    if not len(values):
        return SINGLE
    if np.abs(values).max() < _COUNTS and np.array_equal(values, np.rint(values)):
        return 0.0
    if _are_steps(values):
        return 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        single = values.astype(np.float32, copy=False)
    if single.dtype != values.dtype and not np.array_equal(single, values):
        return DOUBLE
    bits = single.view(np.uint32)
    for n_lost, rounding in ((16, BRAIN), (13, HALF)):
        is_short = not (bits & ((1 << n_lost) - 1)).any()
        if is_short and np.mean((bits >> n_lost) & 1) > _LAST_BIT_USED:
            return rounding
    return SINGLE


def _are_steps(values: NDArray[np.floating]) -> bool:
    """Whether few numbers come again and again, far enough from each other that no rounding has made them few."""
    steps = np.unique(values)
    if len(steps) * _OFTEN > len(values):
        return False
    return len(steps) == 1 or bool(np.diff(steps).min() > _APART * np.abs(values).max())


def deviation_of(rounding: float) -> float:
    """The standard deviation of a relative rounding error that is `rounding` at most."""
    return _TYPICAL * rounding


def is_flat(values: Values, errors: Values) -> bool:
    """Whether numbers are all the same as far as they are known.

    Args:
        values: (m,); finite.
        errors: (m,); their standard deviations.
    """
    if len(values) < 2:
        return True
    low, high = int(np.argmin(values)), int(np.argmax(values))
    return float(values[high] - values[low]) <= SURE * math.hypot(float(errors[low]), float(errors[high]))


def settle(matrix: Values, errors: Callable[[], Values], *, ties: bool) -> Values:
    """A symmetric matrix whose pairs are exactly equal where they are equal as far as they are known.

    Pairs that do not differ at all become one value, those that may be 0 become 0, and with `ties` those that may be
    the same become the same; so nobody who reads the matrix has to ask what is equal. NaN stays.

    Args:
        matrix: (n, n); symmetric. The diagonal is left alone.
        errors: Gives the standard deviations of its entries, (n, n); asked only where they may matter.
        ties: Whether values that may be the same become the same, where they are not all so.
    """
    upper = np.triu_indices(len(matrix), 1)
    pairs = matrix[upper]
    defined = np.isfinite(pairs)
    values = pairs[defined]
    if len(values) < 2 or not (ties or np.ptp(values) <= CLOSE * np.nanmax(np.abs(matrix))):
        return matrix
    error = errors()[upper][defined]
    if is_flat(values, error):
        middle = float(np.median(values))
        settled = np.full_like(values, middle if abs(middle) > SURE * np.median(error) else 0.0)
    elif ties:
        settled = settle_ties(np.where(np.abs(values) <= SURE * error, 0.0, values), error)
    else:
        return matrix
    result = matrix.copy()
    pairs[defined] = settled
    result[upper] = pairs
    result.T[upper] = pairs
    return result


def count_settled(values: Values, settled: Values, errors: Values) -> int:
    """How many numbers were made equal to the next smaller one from which they differ by more than half an error.

    What is equal in truth differs by less: so many ties are none that is known.

    Args:
        values: (m,); finite.
        settled: (m,); the same, settled.
        errors: (m,); their standard deviations.
    """
    order = np.lexsort((values, settled))
    tied = np.diff(settled[order]) == 0
    apart = np.abs(np.diff(values[order]))
    return int((tied & (apart > errors[order][1:] / 2)).sum())


def settle_ties(values: Values, errors: Values) -> Values:
    """The same numbers, with those equal to the last bit that are equal as far as they are known.

    From the smallest on, whatever lies within the resolution of the first of a group belongs to it, and gets the
    group's median; what does not begins the next group. So no group is wider than the resolution, however dense the
    numbers lie.

    Args:
        values: (m,); finite.
        errors: (m,); their standard deviations.
    """
    order = np.argsort(values, kind="stable")
    ordered, error = values[order], errors[order]
    near = np.diff(ordered) <= SURE * np.hypot(error[1:], error[:-1])
    if not near.any():
        return values
    starts = _group(ordered, error, near)
    sizes = np.diff(np.append(starts, len(ordered)))
    settled = np.empty_like(values)
    settled[order] = np.repeat(ordered[starts + (sizes - 1) // 2], sizes)
    return settled


def _group(ordered: Values, errors: Values, near: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Where groups begin among ascending numbers; `near` says which lie within the resolution of the one before."""
    breaks = np.flatnonzero(~near) + 1
    firsts = np.concatenate([[0], breaks])
    lasts = np.append(breaks, len(ordered)) - 1
    widths = ordered[lasts] - ordered[firsts]
    wide = widths > SURE * np.hypot(errors[firsts], errors[lasts])
    starts = [firsts[~wide]]
    for first, last in zip(firsts[wide], lasts[wide], strict=True):
        starts.append(_split(ordered, errors, int(first), int(last)))
    return np.sort(np.concatenate(starts))


def _split(ordered: Values, errors: Values, first: int, last: int) -> NDArray[np.intp]:
    """The same within a chain of near numbers that is wider than the resolution: cut wherever it is exceeded."""
    starts = [first]
    stop = last + 1
    while True:
        reach = ordered[starts[-1]] + SURE * math.sqrt(2) * errors[starts[-1]]
        following = int(np.searchsorted(ordered[:stop], reach, side="right"))
        following = max(following, starts[-1] + 1)
        if following >= stop:
            return np.array(starts, dtype=np.intp)
        starts.append(following)
