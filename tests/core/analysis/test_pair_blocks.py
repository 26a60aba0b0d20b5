"""Pairs as rectangles: all of them, none besides, and no piece larger than asked."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.analysis.pair_blocks import cover_pairs, cut_rectangle, rank_items

some_pairs = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=60, unique=True)


def either_way(pairs):
    return {frozenset(pair) for pair in pairs}


@given(some_pairs)
def test_rectangles_hold_each_pair_once_and_no_others(pairs):
    covered = [pair for rows, columns in cover_pairs(pairs, symmetric=False) for pair in product(rows, columns)]
    assert sorted(covered) == sorted(pairs)


@given(some_pairs)
def test_where_the_order_is_the_same_each_pair_is_covered_in_one_of_them(pairs):
    covered = [set(product(*rectangle)) for rectangle in cover_pairs(pairs, symmetric=True)]
    assert either_way(set().union(*covered)) == either_way(pairs)
    assert sum(len(either_way(found)) for found in covered) == len(either_way(pairs))


@pytest.mark.parametrize("symmetric", [True, False])
def test_a_whole_matrix_is_one_rectangle_with_the_same_rows_and_columns(symmetric):
    ((rows, columns),) = cover_pairs(product("abc", "abc"), symmetric=symmetric)
    assert rows == columns == ["a", "b", "c"]


def test_rows_against_other_columns_are_one_rectangle_in_the_order_asked_for():
    assert list(cover_pairs(product("ab", "cde"), symmetric=True)) == [(["a", "b"], ["c", "d", "e"])]


def test_one_new_layer_in_the_middle_is_one_row_against_all():
    names = "abcde"
    missing = [pair for pair in product(names, names) if "c" in pair]
    assert list(cover_pairs(missing, symmetric=True)) == [(["c"], list(names))]


def test_what_has_most_partners_comes_first_and_otherwise_what_was_asked_for_first():
    assert rank_items(product("xy", "abc")) == ["x", "y", "a", "b", "c"]
    assert rank_items(product("abc", "z")) == ["z", "a", "b", "c"]
    assert rank_items(product("abc", "abc")) == ["a", "b", "c"]


@given(st.integers(1, 20), st.integers(1, 20), st.integers(2, 30), st.booleans())
def test_pieces_of_a_rectangle_hold_each_pair_once_and_are_no_larger_than_asked(n_rows, n_columns, n_most, same):
    rows = list(range(n_rows))
    columns = rows if same else list(range(100, 100 + n_columns))
    pieces = list(cut_rectangle(rows, columns, n_most))
    assert sorted(pair for piece in pieces for pair in product(*piece)) == sorted(product(rows, columns))
    assert all(len({*some_rows, *some_columns}) <= n_most for some_rows, some_columns in pieces)


def test_a_rectangle_that_is_small_enough_stays_whole():
    assert list(cut_rectangle("abc", "abc", 3)) == [("abc", "abc")]
    assert list(cut_rectangle("abc", "de", 5)) == [("abc", "de")]
