"""What is zero, tied, flat, or rounded: decided in one place, by how well numbers are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.network.matrices.compact import compact, expand
from layerwise.core.network.products import represent
from layerwise.core.network.resolution import SURE, is_flat, settle, settle_ties, tell_rounding


@pytest.mark.parametrize(
    ("dtype", "rounding"), [(np.float64, 2.0**-53), (np.float32, 2.0**-24), (np.float16, 2.0**-11)]
)
def test_how_activations_were_rounded_is_told_from_themselves(dtype, rounding):
    values = np.random.default_rng(0).normal(size=500).astype(dtype)
    assert tell_rounding(values.astype(np.float64)) == rounding
    if dtype != np.float64:
        assert tell_rounding(values.astype(np.float32)) == rounding


def test_brain_floats_are_told_from_other_numbers():
    values = np.random.default_rng(0).normal(size=500).astype(np.float32)
    assert tell_rounding((values.view(np.uint32) & 0xFFFF0000).view(np.float32)) == 2.0**-8


def test_whole_numbers_are_exact_and_quarters_of_them_are_not_taken_for_half_precision():
    numbers = np.random.default_rng(0).integers(0, 1000, 500).astype(np.float32)
    assert tell_rounding(numbers) == 0
    assert tell_rounding(numbers / 4) == 2.0**-24
    assert tell_rounding(np.zeros(5, np.float32)) == 2.0**-24


@given(st.integers(0, 999), st.sampled_from([1e-9, 1e-7]))
def test_ties_are_exact_and_nothing_else_is_moved_by_more_than_the_resolution(seed, error):
    rng = np.random.default_rng(seed)
    exact = rng.integers(0, 9, 200).astype(np.float64)
    noisy = exact + error * rng.normal(size=200)
    settled = settle_ties(noisy, np.full(200, error))
    assert np.array_equal(np.unique(exact, return_inverse=True)[1], np.unique(settled, return_inverse=True)[1])
    assert np.abs(settled - noisy).max() <= SURE * 1.5 * error


def test_numbers_that_lie_as_dense_as_their_errors_are_not_all_taken_for_one():
    values = np.linspace(0, 1, 10_001)
    settled = settle_ties(values, np.full(len(values), 1e-4))
    assert len(np.unique(settled)) > 500
    assert np.abs(settled - values).max() <= SURE * 1.5 * 1e-4


def test_equal_numbers_of_different_errors_are_told_by_the_larger():
    assert is_flat(np.array([1.0, 1.1]), np.array([0.0, 0.1]))
    assert not is_flat(np.array([1.0, 1.1]), np.array([1e-3, 1e-3]))


def test_a_flat_matrix_becomes_one_value_and_undefined_entries_stay():
    matrix = np.full((4, 4), 0.3) + 1e-12 * np.random.default_rng(0).normal(size=(4, 4))
    matrix = (matrix + matrix.T) / 2
    matrix[1, :] = matrix[:, 1] = np.nan
    settled = settle(matrix, lambda: np.full((4, 4), 1e-11), ties=False)
    left = settled[np.ix_([0, 2, 3], [0, 2, 3])]
    assert len(np.unique(left[~np.eye(3, dtype=bool)])) == 1
    assert np.isnan(settled[1]).all()


@pytest.mark.parametrize("n_stimuli", [30, 200])
def test_errors_are_what_rounding_of_stored_numbers_does(n_stimuli):
    rows = np.random.default_rng(1).normal(size=(n_stimuli, 400))
    exact = represent(rows)
    stored = compact(exact.dissimilarity)
    rounded = replace(exact, entries=stored)
    off = np.abs(rounded.squared_distances() - exact.squared_distances())
    expected = rounded.squared_distance_errors()
    pairs = ~np.eye(n_stimuli, dtype=bool)
    assert 0.5 < np.sqrt(np.mean(off[pairs] ** 2) / np.mean(expected[pairs] ** 2)) < 2


def test_an_ordinary_layer_is_sharp_and_one_that_hardly_differs_is_not():
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(40, 100))
    assert represent(rows.astype(np.float32)).blur < 1e-6
    assert represent((rows + 1e7).astype(np.float32)).blur > 0.1
    assert represent(np.ones((5, 4), np.float32)).blur == 1


@given(st.floats(-1, 1, allow_nan=False))
def test_a_compact_cosine_keeps_its_digits_near_0_and_near_1(cosine):
    dissimilarity = np.array([1 - cosine])
    exact = float(dissimilarity[0])
    (again,) = expand(compact(dissimilarity))
    assert abs(again - exact) <= 2.0**-23 * min(exact, abs(1 - exact)) + 2.0**-52


def test_what_is_the_same_and_what_is_unknown_stay_so():
    entries = compact(np.random.default_rng(0).uniform(0, 2, 10_000) ** 3 / 4)
    again = compact(expand(entries))
    assert np.allclose(entries, again, rtol=1e-6)
    assert np.array_equal(compact(np.array([0.0, np.nan])), [np.inf, np.nan], equal_nan=True)
    assert np.array_equal(expand(np.array([np.inf, np.nan], np.float32)), [0, np.nan], equal_nan=True)
