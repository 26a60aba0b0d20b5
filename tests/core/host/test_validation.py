"""What plugins return is checked; the error names plugin, hook, what came and what was expected."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from layerwise.core.base.errors import PluginError
from layerwise.core.host.kinds import StatisticValue
from layerwise.core.host.registry import Registered
from layerwise.core.host.validation import (
    check_array,
    check_comparison,
    check_metric,
    check_permutation,
    check_statistic,
)

NOTHING = np.array([], dtype=np.intp)


def offer(**attributes: Any) -> Registered[Any]:
    return Registered(SimpleNamespace(name="toy", **attributes), "mine", "dist", "1", "register_toys")


def refused(expected: str):
    return pytest.raises(PluginError, match=rf"^plugin 'mine' \(register_toys\): toy returned .*{expected}")


@pytest.mark.parametrize(
    "value", [[[1.0, 2.0]], np.array([["a", "b"]]), np.array([[1j, 2]]), np.ones((1, 3)), np.ones(2)]
)
def test_an_array_must_hold_real_numbers_in_the_right_shape(value):
    with refused(r"expected an array of real numbers with shape \(1, 2\)"):
        check_array(offer(), value, (1, 2))


def test_any_length_can_be_allowed_and_numbers_that_are_not_finite_too():
    value = np.array([1.0, np.nan])
    assert check_array(offer(), value, (None,), finite=False) is value
    with refused("1 values that are not finite"):
        check_array(offer(), value, (None,))


UNBOUNDED = {"value_range": (None, None)}


def test_a_metric_may_be_undefined_for_constant_stimuli_only():
    matrix = np.eye(3)
    matrix[1, :] = matrix[:, 1] = np.nan
    assert check_metric(offer(**UNBOUNDED), matrix, 3, np.array([1])).dtype == np.float64
    with refused("finite values for stimuli that are not constant"):
        check_metric(offer(**UNBOUNDED), matrix, 3, NOTHING)


def test_a_metric_must_be_symmetric():
    with refused("expected a symmetric matrix"):
        check_metric(offer(**UNBOUNDED), np.array([[1.0, 0.5], [0.4, 1.0]]), 2, NOTHING)


@pytest.mark.parametrize(
    ("value_range", "value"),
    [((-1.0, 1.0), 1.1), ((-1.0, 1.0), -1.1), ((0.0, None), -1e-3), ((None, 0), 5), ((0, 1), 1 + 1e-5)],
)
@pytest.mark.parametrize("constant", [NOTHING, np.array([0])])
def test_a_metric_outside_of_its_range_is_refused_also_for_constant_stimuli(value_range, value, constant):
    matrix = np.array([[0.0, value], [value, 0.0]])
    with refused(f"a matrix with the value {value}.*expected values from"):
        check_metric(offer(value_range=value_range), matrix, 2, constant)


@pytest.mark.parametrize(("largest", "value"), [(1.0, -1e-9), (1e6, -1e-3)])
def test_a_metric_may_leave_its_range_by_the_rounding_of_its_largest_values(largest, value):
    matrix = np.array([[value, largest], [largest, value]])
    assert check_metric(offer(value_range=(0.0, None)), matrix, 2, NOTHING) is not None


def test_a_metric_that_is_nowhere_defined_is_in_every_range():
    assert check_metric(offer(value_range=(0.0, 1.0)), np.full((2, 2), np.nan), 2, np.arange(2)).shape == (2, 2)


@pytest.mark.parametrize("value", [0, 1.0, np.float32(0.5), np.int64(1), 1 + 1e-9])
def test_a_comparison_within_its_range_is_a_float(value):
    assert check_comparison(offer(value_range=(0.0, 1.0)), value) == pytest.approx(float(value))


@pytest.mark.parametrize("value", [True, None, "1", np.ones(1), -0.1, 1.1, float("nan"), float("inf")])
def test_a_comparison_outside_of_its_range_or_of_another_type_is_refused(value):
    with refused("expected a finite number from 0.0 to 1.0"):
        check_comparison(offer(value_range=(0.0, 1.0)), value)


def test_a_comparison_may_be_unbounded():
    assert check_comparison(offer(value_range=(None, None)), -1e9) == -1e9
    with refused("expected a finite number from 0.0 to inf"):
        check_comparison(offer(value_range=(0.0, None)), -1)


@pytest.mark.parametrize("value", [[0, 2, 1], np.array([0, 2, 1]), (0, 2, 1)])
def test_a_permutation_comes_out_as_whole_numbers(value):
    assert check_permutation(offer(), value, 3) == (0, 2, 1)


@pytest.mark.parametrize("value", [[0, 1], [0, 1, 1], [1, 2, 3], [0.0, 1.0, 2.0], [[0], [1, 2]], None, "012"])
def test_anything_else_is_no_permutation(value):
    with refused("expected"):
        check_permutation(offer(), value, 3)


@pytest.mark.parametrize(
    "value", [StatisticValue(1.5), StatisticValue(None, "why"), StatisticValue(0, vector=np.array([1.0, np.nan]))]
)
def test_a_statistic_is_a_number_or_says_why_there_is_none(value):
    assert check_statistic(offer(), value) is value


@pytest.mark.parametrize(
    "value",
    [
        1.5,
        None,
        StatisticValue(None),
        StatisticValue(float("nan")),
        StatisticValue("1"),
        StatisticValue(True),
        StatisticValue(1.0, vector=[1.0]),
        StatisticValue(1.0, vector=np.ones((2, 2))),
    ],
)
def test_anything_else_is_no_statistic(value):
    with refused("expected"):
        check_statistic(offer(), value)
