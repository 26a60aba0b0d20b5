"""The loops of `passes`, for Numba to compile; imported only where that is installed.

Written for what a compiler makes vector instructions of: plain loops over one row, which is in the first cache. The
smallest and the largest number are those of integers with the same order, because a compiler must not reorder
comparisons of numbers that may be NaN; so NaN, whose integer is beyond infinity's, is found as well.
"""

from __future__ import annotations

# mypy: disable-error-code="untyped-decorator"
from typing import Any

import numba
import numpy as np

_STRIPE, _PANEL = 256, 32
_MOST, _LEAST = 2.0**120, 2.0**-100  # sums of fourth powers that float32 holds with all of its digits
_ZERO = np.float32(0)
_MEAN, _POWER2, _POWER3, _POWER4, _ZEROS, _NEGATIVE, _OWN, _TOTAL, _ALONG = range(9)
# Sums may be taken in any order, and no branch is kept for NaN: who reads them asks the integers first.
_FAST = {"reassoc", "contract", "nsz", "nnan"}


@numba.njit(fastmath=_FAST, nogil=True, cache=True, error_model="numpy")
def sum_block(  # noqa: C901, PLR0912, PLR0913, PLR0915, PLR0917 - compiled as one loop
    values: Any,
    bits: Any,
    at: int,
    centred: Any,
    anchor: float,
    scale: Any,
    reference: Any,
    unit_sums: Any,
    unit_squares: Any,
    sums: Any,
    keys: Any,
) -> None:
    """See `passes.gather`; `bits` are the values as integers, and `at` is the block's first column."""
    n, width = centred.shape
    column = np.empty(_STRIPE, np.float32)
    taken = np.empty(_STRIPE, np.float32)
    about = np.empty(_STRIPE, np.float32)
    keys[:, 0] = np.int32(2147483647)
    keys[:, 1] = np.int32(-2147483648)
    wide = np.float64(scale)
    before = 0
    for start in range(0, width, _STRIPE):
        count = min(_STRIPE, width - start)
        left, right = at + start, at + start + count
        for first in range(0, n, _PANEL):
            column[:] = _ZERO
            for i in range(first, min(first + _PANEL, n)):
                row = values[i, left:right]
                for j in range(count):
                    column[j] += row[j]
            for j in range(count):
                unit_sums[start + j] += column[j]
        level = 0.0
        for j in range(count):
            taken[j] = np.float32(unit_sums[start + j] / n)
            reference[start + j] = taken[j]
            level += taken[j]
        level /= count
        pattern, rest = 0.0, 0.0
        for j in range(count):
            about[j] = np.float32((reference[start + j] - level) * wide)
            pattern += np.float64(about[j]) * np.float64(about[j])
            rest += about[j]
        every = before + count
        one, two = before / every, count / every
        for first in range(0, n, _PANEL):
            column[:] = _ZERO
            for i in range(first, min(first + _PANEL, n)):
                row = values[i, left:right]
                integers = bits[i, left:right]
                out = centred[i, start : start + count]
                low, high = np.int32(2147483647), np.int32(-2147483648)
                for j in range(count):
                    key = integers[j]
                    key = key ^ ((key >> np.int32(31)) & np.int32(0x7FFFFFFF))
                    low = min(low, key)
                    high = max(high, key)
                keys[i, 0] = min(keys[i, 0], low)
                keys[i, 1] = max(keys[i, 1], high)
                negative, total, zeros = _ZERO, _ZERO, np.int32(0)
                for j in range(count):
                    value = row[j]
                    negative += min(value, _ZERO)
                    zeros += np.int32(value == _ZERO)
                    centre = (value - taken[j]) * scale
                    out[j] = centre
                    total += centre
                shift = np.float32(total / count)
                squares, along, remainder, own = _ZERO, _ZERO, _ZERO, _ZERO
                for j in range(count):
                    centre = out[j]
                    beside = centre - shift
                    squares += beside * beside
                    along += beside * about[j]
                    remainder += beside
                    square = centre * centre
                    own += square
                    column[j] += square
                exact = np.float64(remainder) + count * np.float64(shift)
                mean = level + (exact + rest) / count / wide
                power2 = (
                    np.float64(squares)
                    + 2 * np.float64(along)
                    + pattern
                    - (np.float64(remainder) + rest) * (np.float64(remainder) + rest) / count
                ) / (wide * wide)
                near = np.float32(mean)
                three, four = _ZERO, _ZERO
                for j in range(count):
                    apart = row[j] - near
                    square = apart * apart
                    three += square * apart
                    four += square * square
                third, fourth = float(three), float(four)
                if low != high and not _MOST > fourth > _LEAST:
                    third, fourth = 0.0, 0.0
                    for j in range(count):
                        far = np.float64(row[j]) - np.float64(near)
                        third += far * far * far
                        fourth += far * far * far * far
                moved = mean - np.float64(near)
                third = third - 3 * moved * power2 - count * moved * moved * moved
                fourth = (
                    fourth - 4 * moved * third - 6 * moved * moved * power2 - count * moved * moved * moved * moved
                )
                line = sums[i]
                gap = mean - line[_MEAN]
                product = gap * gap * before * two
                line[_POWER4] += (
                    fourth
                    + gap * gap * product * (one * one - one * two + two * two)
                    + 6 * gap * gap * (one * one * power2 + two * two * line[_POWER2])
                    + 4 * gap * (one * third - two * line[_POWER3])
                )
                line[_POWER3] += third + gap * product * (one - two) + 3 * gap * (one * power2 - two * line[_POWER2])
                line[_POWER2] += power2 + product
                line[_MEAN] += gap * two
                line[_ZEROS] += zeros
                line[_NEGATIVE] += negative
                line[_OWN] += np.float64(own) / (wide * wide)
                line[_TOTAL] += exact / wide
                line[_ALONG] += (np.float64(along) + np.float64(shift) * rest) / (wide * wide) + exact / wide * (
                    level - anchor
                )
            for j in range(count):
                unit_squares[start + j] += np.float64(column[j]) / (wide * wide)
        before = every
