"""p-values of permutations, and their correction for a family."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from layerwise.core.analysis.inference.correction import CORRECTIONS, correct_bh, correct_holm, find_correction
from layerwise.core.analysis.inference.permutation import permutation_p
from layerwise.core.base.errors import InputError

PS = st.lists(st.floats(1e-4, 1), min_size=1, max_size=30).map(np.array)


def test_the_arrangement_as_it_is_counts_as_a_permutation():
    permuted = np.linspace(-0.5, 0.5, 99)[:, None]
    assert permutation_p(np.array([0.9]), permuted, "similarity") == pytest.approx(1 / 100)
    assert permutation_p(np.array([-0.9]), permuted, "similarity") == pytest.approx(1)


def test_of_a_distance_small_values_mean_alike():
    permuted = np.linspace(1, 2, 99)[:, None]
    assert permutation_p(np.array([0.5]), permuted, "distance") == pytest.approx(1 / 100)
    assert permutation_p(np.array([2.5]), permuted, "distance") == pytest.approx(1)


def test_two_sided_doubles_the_smaller_one():
    permuted = np.linspace(0.1, 0.9, 99)[:, None]
    for estimate in (0.05, 0.95):
        assert permutation_p(np.array([estimate]), permuted, "similarity", "two-sided") == pytest.approx(2 / 100)
    assert permutation_p(np.array([0.5]), permuted, "similarity", "two-sided") == 1


def test_equal_values_count_whatever_rounding_does_to_them():
    permuted = np.full((19, 1), 0.3) - 1e-9
    assert permutation_p(np.array([0.3]), permuted, "similarity") == 1


def test_an_undefined_permutation_leaves_no_p():
    permuted = np.array([[0.1, np.nan], [0.2, 0.3]])
    found = permutation_p(np.array([0.5, 0.5]), permuted, "similarity")
    assert found[0] == pytest.approx(1 / 3)
    assert np.isnan(found[1])


@given(PS)
def test_bh_is_scipy_s(p):
    assert np.allclose(correct_bh(p), stats.false_discovery_control(p))


@given(PS)
def test_holm_is_its_definition(p):
    order = np.argsort(p, kind="stable")
    expected = np.empty(len(p))
    for rank, index in enumerate(order):
        expected[index] = min(1, max((len(p) - before) * p[order[before]] for before in range(rank + 1)))
    assert np.allclose(correct_holm(p), expected)


@given(PS)
def test_corrections_keep_the_order_and_never_help(p):
    for correct in CORRECTIONS.values():
        corrected = correct(p)
        assert (corrected >= p - 1e-12).all()
        assert (corrected <= 1).all()
        assert (np.diff(corrected[np.argsort(p, kind="stable")]) >= -1e-12).all()


def test_pairs_without_a_test_do_not_count():
    p = np.array([[np.nan, 0.01], [0.02, np.nan]])
    found = correct_holm(p)
    assert np.allclose(found[0, 1], 0.02)
    assert np.isnan(found[0, 0])
    assert correct_bh(np.full(3, np.nan)).shape == (3,)


def test_an_unknown_correction_lists_the_known_ones():
    with pytest.raises(InputError, match="no correction 'bonferroni'; known: holm, bh"):
        find_correction("bonferroni")
