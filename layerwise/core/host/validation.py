"""Checks of what plugins return: type, shape, finiteness, symmetry, range, a real permutation.

Every check takes the registered offer, so that the error names the plugin, the hook, what came and what was
expected.
"""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import PluginError
from layerwise.core.host.kinds import Comparator, Metric, Reorderer, StatisticValue, Transform
from layerwise.core.host.registry import Registered
from layerwise.core.network.matrices.panels import panels

Range = tuple[float | None, float | None]
_SLACK = 1e-6


def describe(value: object) -> str:
    """A short description of what came: type, and shape or value."""
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} with shape {value.shape}"
    if isinstance(value, int | float | str | bool) or value is None:
        return f"{type(value).__name__} {value!r}"
    return f"a {type(value).__name__}"


def _fail(offer: Registered[Any], came: str, expected: str) -> PluginError:
    return PluginError(offer.plugin, offer.hook, f"{offer.name} returned {came}", expected)


def check_array(
    offer: Registered[Any], value: object, shape: tuple[int | None, ...], *, finite: bool = True
) -> NDArray[Any]:
    """An array of real numbers with this shape (None: any length)."""
    wanted = f"an array of real numbers with shape {tuple('any' if s is None else s for s in shape)}"
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiub":
        raise _fail(offer, describe(value), wanted)
    fits = value.ndim == len(shape) and all(s is None or s == got for s, got in zip(shape, value.shape, strict=True))
    if not fits:
        raise _fail(offer, describe(value), wanted)
    if finite and value.dtype.kind == "f" and not np.isfinite(value).all():
        raise _fail(offer, f"{np.size(value) - np.isfinite(value).sum()} values that are not finite", wanted)
    return value


def check_transformed(
    offer: Registered[Transform], value: object, n_stimuli: int, n_features: int | None = None
) -> NDArray[np.float32]:
    """What a transform makes of a batch: one row of finite numbers a stimulus, as many of them every time.

    Args:
        offer: The transform.
        value: What it returned; anything after the first axis counts as features.
        n_stimuli: Rows that it was given.
        n_features: Numbers a row that it gave before; None the first time.
    """
    n_columns = "n_features" if n_features is None else str(n_features)
    wanted = f"an array of real numbers with shape ({n_stimuli}, {n_columns})"
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiub" or value.ndim < 1:
        raise _fail(offer, describe(value), wanted)
    if len(value) != n_stimuli or not value.size or n_features not in (None, value[0].size):
        raise _fail(offer, describe(value), wanted)
    if not np.isfinite(value).all():
        raise _fail(offer, f"{np.size(value) - np.isfinite(value).sum()} values that are not finite", wanted)
    return value.reshape(n_stimuli, -1).astype(np.float32, copy=False)


def check_metric(
    offer: Registered[Metric], value: object, n_stimuli: int, constant: NDArray[np.intp]
) -> NDArray[np.float64]:
    """A metric's (n, n) matrix: symmetric, within its range, finite except for stimuli with constant activations."""
    matrix = check_array(offer, value, (n_stimuli, n_stimuli), finite=False).astype(np.float64, copy=False)
    is_live = np.ones(n_stimuli, dtype=np.bool_)
    is_live[constant] = False
    ends: list[float] = []
    for rows in panels(n_stimuli):  # temporary arrays of this size would be as large as all the rest
        some = matrix[rows]
        inner = some[np.ix_(is_live[rows], is_live)]
        if not np.isfinite(inner).all():
            raise _fail(offer, "values that are not finite", "finite values for stimuli that are not constant")
        if not np.allclose(inner, matrix[:, rows][np.ix_(is_live, is_live[rows])].T, rtol=1e-5, atol=1e-8):
            raise _fail(offer, "a matrix that is not symmetric", "a symmetric matrix")
        finite = some[np.isfinite(some)]
        if finite.size:
            ends = [min([*ends, float(finite.min())]), max([*ends, float(finite.max())])]
    for end in ends:
        if not _is_within(end, offer.offer.value_range, max(map(abs, ends))):
            raise _fail(offer, f"a matrix with the value {end}", f"values {_in_words(offer.offer.value_range)}")
    return matrix


def check_comparison(offer: Registered[Comparator], value: object) -> float:
    """A comparator's number: real, finite, within the range that it declares."""
    wanted = f"a finite number {_in_words(offer.offer.value_range)}"
    if not _is_number(value):
        raise _fail(offer, describe(value), wanted)
    number = float(cast("float", value))
    if not math.isfinite(number) or not _is_within(number, offer.offer.value_range, abs(number)):
        raise _fail(offer, str(number), wanted)
    return number


def check_permutation(offer: Registered[Reorderer], value: object, n_stimuli: int) -> tuple[int, ...]:
    """A reorderer's permutation: every index from 0 to n - 1 once."""
    array: object
    try:
        array = np.asarray(value)
    except ValueError:  # lists of different lengths
        array = value
    order = check_array(offer, array, (n_stimuli,))
    if order.dtype.kind not in "iu" or not np.array_equal(np.sort(order), np.arange(n_stimuli)):
        raise _fail(offer, "something that is no permutation", f"each of 0 to {n_stimuli - 1} exactly once")
    return tuple(int(index) for index in order)


def check_statistic(offer: Registered[Any], value: object) -> StatisticValue:
    """A statistic's value: a finite number, or None with a reason; and where it has one, a vector of numbers."""
    if not isinstance(value, StatisticValue):
        raise _fail(offer, describe(value), "a StatisticValue")
    if value.value is None and not value.reason:
        raise _fail(offer, "no number and no reason", "a reason where there is no number")
    if value.value is not None and not (_is_number(value.value) and math.isfinite(value.value)):
        raise _fail(offer, describe(value.value), "a finite number, or None with a reason")
    if value.vector is not None:
        check_array(offer, value.vector, (None,), finite=False)
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.floating | np.integer) and not isinstance(value, bool)


def _is_within(number: float, value_range: Range, scale: float) -> bool:
    """Whether a number is in a declared range, up to rounding of numbers as large as `scale`."""
    low, high = value_range
    slack = _SLACK * max(1.0, scale)
    return (low is None or number >= low - slack) and (high is None or number <= high + slack)


def _in_words(value_range: Range) -> str:
    low, high = value_range
    return f"from {'-inf' if low is None else low} to {'inf' if high is None else high}"
