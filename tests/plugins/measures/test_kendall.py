"""Kendall's tau-a: counted exactly, with and without ties, whichever counter SciPy has."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.plugins.comparators import kendall


def count_by_hand(x, y):
    pairs = itertools.combinations(range(len(x)), 2)
    return sum(int(np.sign(x[i] - x[j]) * np.sign(y[i] - y[j])) for i, j in pairs)


def count(x, y):
    return kendall.count_agreement(kendall.rank_densely(np.array(x)), kendall.rank_densely(np.array(y)))


def ranked(values):
    return st.lists(st.tuples(values, values), min_size=3, max_size=40).filter(
        lambda found: all(len(set(column)) > 1 for column in zip(*found, strict=True))
    )


FEW = st.integers(-2, 2).map(float)
MANY = st.floats(-1, 1, allow_nan=False, width=32)


@settings(max_examples=150)
@given(ranked(FEW) | ranked(MANY))
def test_concordant_minus_discordant_is_what_comparing_every_pair_gives(found):
    x, y = zip(*found, strict=True)
    assert count(x, y) == count_by_hand(x, y)


@settings(max_examples=50)
@given(ranked(FEW) | ranked(MANY))
def test_the_public_function_of_scipy_gives_the_same(found):
    x, y = (kendall.rank_densely(np.array(column)) for column in zip(*found, strict=True))
    assert kendall._ask_kendalltau(x, y) == kendall.count_agreement(x, y)


def test_without_the_counter_of_scipy_the_public_function_is_asked(monkeypatch):
    rng = np.random.default_rng(0)
    x, y = rng.integers(20, size=(2, 300)).astype(float)
    expected = count(x, y)
    monkeypatch.setattr(kendall, "_find_counter", lambda: None)
    assert count(x, y) == expected == count_by_hand(x, y)


def test_scipy_still_has_the_counter():
    assert kendall._find_counter() is not None


@pytest.mark.parametrize("n_values", [3, 1000, 10**9])
def test_many_ranks_are_counted_exactly(n_values):
    rng = np.random.default_rng(1)
    x, y = rng.integers(n_values, size=(2, 5000)).astype(float)
    signs = np.sign(x[:, None] - x[None, :]) * np.sign(y[:, None] - y[None, :])
    assert count(x, y) == int(signs.sum()) // 2
