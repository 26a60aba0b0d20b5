"""Representations: exact whatever the offset, and a block from its branches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.network.products import concatenate, multiply, represent
from layerwise.core.network.representation import strict_upper

widths = st.lists(st.integers(1, 9), min_size=1, max_size=4)
offsets = st.sampled_from([0.0, 1.0, -1e3, 1e6])
scales = st.sampled_from([1e-3, 1.0, 50.0])


@given(widths=widths, offset=offsets, scale=scales, seed=st.integers(0, 999))
def test_a_block_is_the_sum_of_its_branches_whatever_the_offset(widths, offset, scale, seed):
    rng = np.random.default_rng(seed)
    parts = [scale * rng.normal(size=(7, width)) + offset + scale * index for index, width in enumerate(widths)]
    parts[0][2] = parts[0][2, 0]
    whole = np.hstack(parts)
    direct, joined = represent(whole), concatenate([multiply(part) for part in parts]).represent()
    assert joined.n_features == direct.n_features == sum(widths)
    assert np.allclose(joined.mean, direct.mean, rtol=1e-12, atol=1e-12)
    if sum(widths) > 2:
        precision = 1e-7 if scale == 1e-3 and offset == 1e6 else 1e-9
        assert np.allclose(joined.norm, direct.norm, rtol=10 * precision, atol=precision * scale)
        assert np.allclose(joined.correlation, direct.correlation, atol=1e-5, equal_nan=True)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 + 0.1])
def test_a_block_of_branches_with_the_same_constant_is_constant(value):
    rows = np.random.default_rng(0).normal(size=(4, 10))
    rows[1] = value
    joined = concatenate([multiply(rows[:, :3]), multiply(rows[:, 3:])]).represent()
    assert joined.constant.tolist() == [1]
    assert np.isnan(joined.correlation[1]).all()


def test_a_block_of_branches_with_different_constants_is_not_constant():
    first, second = np.ones((3, 4)), np.full((3, 2), 2.0)
    first[0, 0] = 5
    joined = concatenate([multiply(first), multiply(second)]).represent()
    assert joined.constant.size == 0
    assert joined.correlation[1, 2] == 1


@given(offset=offsets, seed=st.integers(0, 999))
def test_the_correlation_is_numpys_and_the_gram_matrix_comes_back(offset, seed):
    rows = np.random.default_rng(seed).normal(size=(6, 40)) + offset
    representation = represent(rows)
    assert np.allclose(representation.correlation, np.corrcoef(rows), atol=1e-6)
    assert representation.correlation.dtype == np.float64
    assert np.array_equal(np.diagonal(representation.correlation), np.ones(6))
    gram = rows @ rows.T
    assert np.allclose(representation.gram(), gram, rtol=1e-6, atol=1e-5)
    centred = rows - rows.mean(axis=0)
    assert np.allclose(representation.column_centred_gram(), centred @ centred.T, atol=1e-4)


def test_a_constant_stimulus_is_nan_in_the_correlation_and_exact_in_the_gram_matrix():
    rows = np.random.default_rng(0).normal(size=(5, 30))
    rows[3] = 0.7
    representation = represent(rows)
    assert representation.constant.tolist() == [3]
    assert np.isnan(representation.correlation[3]).all()
    assert np.isnan(representation.correlation[:, 3]).all()
    assert np.isfinite(np.delete(np.delete(representation.correlation, 3, 0), 3, 1)).all()
    assert np.allclose(representation.gram(), rows @ rows.T, atol=1e-5)


def test_a_selection_of_stimuli_is_what_they_alone_would_give():
    rows = np.random.default_rng(0).normal(size=(6, 12))
    taken, alone = represent(rows).take([4, 0, 2]), represent(rows[[4, 0, 2]])
    assert np.allclose(taken.correlation, alone.correlation, atol=1e-6)
    assert np.allclose(taken.norm, alone.norm)
    assert np.array_equal(taken.mean, alone.mean)
    assert taken.n_stimuli == 3


def test_activations_of_any_shape_count_as_units():
    maps = np.random.default_rng(0).normal(size=(3, 4, 5, 6))
    assert np.array_equal(represent(maps).correlation, represent(maps.reshape(3, -1)).correlation)
    assert represent(maps).n_features == 120


@given(st.integers(0, 12))
def test_the_strict_upper_triangle_holds_each_pair_once_row_by_row(n):
    matrix = np.arange(n * n, dtype=np.float32).reshape(n, n)
    found = strict_upper(matrix)
    assert np.array_equal(found, matrix[np.triu_indices(n, 1)])
    assert found.dtype == np.float32
    assert np.array_equal(strict_upper(matrix.T), matrix.T[np.triu_indices(n, 1)])
