"""The loops of `passes`, for Numba to compile; imported only where that is installed.

Written for what a compiler makes vector instructions of: plain loops over one row, which is in the first cache. The
smallest and the largest number are those of integers with the same order, because a compiler must not reorder
comparisons of numbers that may be NaN; so NaN, whose integer is beyond infinity's, is found as well. What
is done once for each stimulus, in float64, is put off until a panel of rows is there, and done in one loop over them.
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
    width: int,
    centred: Any,
    stride: int,
    anchor: float,
    scale: Any,
    reference: Any,
    unit_sums: Any,
    unit_squares: Any,
    sums: Any,
    keys: Any,
) -> None:
    """See `passes.gather`; `bits` are the values as integers, `at` is the block's first column.

    What is centred is written to rows that begin `stride` cells apart.
    """
    n = len(values)
    column = np.empty(_STRIPE, np.float32)
    taken = np.empty(_STRIPE, np.float32)
    about = np.empty(_STRIPE, np.float32)
    constant = np.empty(n, np.bool_)
    panel = np.empty((7, _PANEL), np.float64)
    keys[0, :] = np.int32(2147483647)
    keys[1, :] = np.int32(-2147483648)
    narrow = 1.0 / np.float64(scale)  # exact, as the scale is a power of two
    narrow2 = narrow * narrow
    before = 0
    for start in range(0, width, _STRIPE):
        count = min(_STRIPE, width - start)
        left, right = at + start, at + start + count
        for first in range(0, n, _PANEL):
            column[:] = _ZERO
            for i in range(first, min(first + _PANEL, n)):
                row = values[i, left:right]
                integers = bits[i, left:right]
                low, high = np.int32(2147483647), np.int32(-2147483648)
                negative, zeros = _ZERO, np.int32(0)
                for j in range(count):
                    value = row[j]
                    column[j] += value
                    negative += min(value, _ZERO)
                    zeros += np.int32(value == _ZERO)
                    key = integers[j]
                    key = key ^ ((key >> np.int32(31)) & np.int32(0x7FFFFFFF))
                    low = min(low, key)
                    high = max(high, key)
                keys[0, i] = min(keys[0, i], low)
                keys[1, i] = max(keys[1, i], high)
                constant[i] = low == high
                sums[_ZEROS, i] += zeros
                sums[_NEGATIVE, i] += negative
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
            about[j] = np.float32((reference[start + j] - level) * np.float64(scale))
            pattern += np.float64(about[j]) * np.float64(about[j])
            rest += about[j]
        every = before + count
        one, two, each = before / every, count / every, 1.0 / count
        for first in range(0, n, _PANEL):
            column[:] = _ZERO
            last = min(first + _PANEL, n)
            for i in range(first, last):
                row = values[i, left:right]
                out = centred[i * stride + start : i * stride + start + count]
                total = _ZERO
                for j in range(count):
                    centre = (row[j] - taken[j]) * scale
                    out[j] = centre
                    total += centre
                shift = np.float32(total * each)
                squares, along, remainder = _ZERO, _ZERO, 0.0  # the mean is known better than float32 adds up
                for j in range(count):
                    centre = out[j]
                    beside = centre - shift
                    squares += beside * beside
                    along += beside * about[j]
                    remainder += np.float64(beside)
                    column[j] += centre * centre
                mean = level + (remainder + count * np.float64(shift) + rest) * each * narrow
                near = np.float32(mean)
                three, four = _ZERO, _ZERO
                for j in range(count):
                    apart = row[j] - near
                    square = apart * apart
                    three += square * apart
                    four += square * square
                third, fourth = float(three), float(four)
                if not constant[i] and not _MOST > fourth > _LEAST:
                    third, fourth = 0.0, 0.0
                    for j in range(count):
                        far = np.float64(row[j]) - np.float64(near)
                        third += far * far * far
                        fourth += far * far * far * far
                k = i - first
                panel[0, k], panel[1, k], panel[2, k], panel[3, k] = squares, along, remainder, shift
                panel[4, k], panel[5, k], panel[6, k] = mean, third, fourth
            for j in range(count):
                unit_squares[start + j] += np.float64(column[j]) * narrow2
            for k in range(last - first):
                i = first + k
                square, beside, left_over, moved_by = panel[0, k], panel[1, k], panel[2, k], panel[3, k]
                middle, cube, quartic = panel[4, k], panel[5, k], panel[6, k]
                power2 = (square + 2 * beside + pattern - (left_over + rest) * (left_over + rest) * each) * narrow2
                off = middle - np.float64(np.float32(middle))
                cube = cube - 3 * off * power2 - count * off * off * off
                quartic = quartic - 4 * off * cube - 6 * off * off * power2 - count * off * off * off * off
                gap = middle - sums[_MEAN, i]
                product = gap * gap * before * two
                sums[_POWER4, i] += (
                    quartic
                    + gap * gap * product * (one * one - one * two + two * two)
                    + 6 * gap * gap * (one * one * power2 + two * two * sums[_POWER2, i])
                    + 4 * gap * (one * cube - two * sums[_POWER3, i])
                )
                sums[_POWER3, i] += (
                    cube + gap * product * (one - two) + 3 * gap * (one * power2 - two * sums[_POWER2, i])
                )
                sums[_POWER2, i] += power2 + product
                sums[_MEAN, i] += gap * two
                exact = left_over + count * moved_by
                # Squares about nothing from those about the mean: all are positive, but for a rest that is rounding.
                sums[_OWN, i] += (square + 2 * moved_by * left_over + count * moved_by * moved_by) * narrow2
                sums[_TOTAL, i] += exact * narrow
                sums[_ALONG, i] += (beside + moved_by * rest) * narrow2 + exact * narrow * (level - anchor)
        before = every
