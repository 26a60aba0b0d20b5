"""The best order of a tree's leaves, held against all that turning its branches round allows."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import ClusterNode, linkage, to_tree
from scipy.spatial.distance import squareform

from layerwise.plugins.leaf_order import find_leaf_order
from layerwise.plugins.reorderers import AverageLinkageReorderer


def list_orders(node: ClusterNode) -> list[list[int]]:
    """Every order of the leaves that turning branches round allows."""
    if node.is_leaf():
        return [[node.id]]
    halves = itertools.product(list_orders(node.left), list_orders(node.right))
    return [joined for one, other in halves for joined in (one + other, other + one)]


def measure(distances: np.ndarray, order: list[int] | np.ndarray) -> float:
    """The sum of the distances of neighbours."""
    return float(distances[order[:-1], order[1:]].sum())


def draw(n: int, seed: int) -> np.ndarray:
    """Random distances that no points need to have."""
    return squareform(np.random.default_rng(seed).random(n * (n - 1) // 2))


def tree_of(distances: np.ndarray) -> np.ndarray:
    return linkage(squareform(distances, checks=False), "average")


def chain_of(n: int) -> np.ndarray:
    """A tree that takes in one leaf after the other: as deep as it has leaves."""
    joins = [(0, 1)] + [(n + step - 1, step + 1) for step in range(1, n - 1)]
    return np.array([(one, other, step + 1.0, step + 2) for step, (one, other) in enumerate(joins)])


def check_best(distances: np.ndarray, tree: np.ndarray) -> None:
    """The order that is found is among all that the tree allows, and none of them is shorter."""
    found = find_leaf_order(distances, tree).tolist()
    orders = list_orders(to_tree(tree))
    assert found in orders
    best = min(measure(distances, order) for order in orders)
    assert measure(distances, found) == pytest.approx(best, rel=1e-12, abs=0)


def sizes(most: int) -> st.SearchStrategy[int]:
    return st.integers(2, most)


@given(sizes(9), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_no_order_that_an_average_linkage_tree_allows_is_shorter(n, seed):
    distances = draw(n, seed)
    check_best(distances, tree_of(distances))


@given(sizes(8), st.integers(1, 4), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_nor_where_many_distances_are_equal_and_stimuli_are_copies_of_each_other(n, n_values, seed):
    distances = np.floor(draw(n, seed) * n_values)
    check_best(distances, tree_of(distances))


@given(sizes(9), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_nor_in_a_tree_that_is_a_chain(n, seed):
    check_best(draw(n, seed), chain_of(n))


@given(sizes(8), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_nor_in_a_tree_that_the_distances_had_no_part_in(n, seed):
    check_best(draw(n, seed), tree_of(draw(n, seed + 1)))


@pytest.mark.parametrize("seed", range(40))
def test_the_reorderer_s_order_is_the_best_of_its_tree(seed):
    distances = draw(4 + seed % 5, seed)
    order = AverageLinkageReorderer().order(1 - distances, [None] * len(distances))
    best = min(measure(distances, one) for one in list_orders(to_tree(tree_of(distances))))
    assert measure(distances, order) == pytest.approx(best, rel=1e-9)


@pytest.mark.parametrize("factor", [1e-200, 1e-20, 1e20, 1e200])
def test_the_scale_of_the_distances_does_not_matter(factor):
    distances = draw(30, 3)
    order = find_leaf_order(distances, tree_of(distances))
    assert order.tolist() == find_leaf_order(distances * factor, tree_of(distances)).tolist()


def test_a_chain_of_two_thousand_leaves_is_ordered():
    places = np.random.default_rng(0).permutation(2000)
    distances = np.abs(np.subtract.outer(places, places)).astype(float)
    assert measure(distances, find_leaf_order(distances, chain_of(2000))) >= 1999
    in_turn = np.abs(np.subtract.outer(np.arange(2000.0), np.arange(2000.0)))
    assert find_leaf_order(in_turn, chain_of(2000)).tolist() == list(range(2000))


def test_two_thousand_stimuli_that_are_all_equally_far_are_ordered():
    order = AverageLinkageReorderer().order(np.eye(2000), [None] * 2000)
    assert sorted(order) == list(range(2000))


@given(sizes(8), st.integers(1, 3), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_which_child_a_tree_names_first_does_not_matter(n, n_values, seed):
    distances, rng = np.floor(draw(n, seed) * n_values), np.random.default_rng(seed)
    tree = tree_of(distances)
    turned = tree.copy()
    flipped = rng.random(len(tree)) < 0.5
    turned[flipped, 0], turned[flipped, 1] = tree[flipped, 1], tree[flipped, 0]
    assert find_leaf_order(distances, tree).tolist() == find_leaf_order(distances, turned).tolist()


def test_of_equally_short_orders_the_one_is_taken_whose_ends_come_first_in_the_set():
    distances = 1 - np.eye(4)
    pairs = np.array([[2, 3, 1.0, 2], [0, 1, 1.0, 2], [4, 5, 1.0, 4]])
    assert find_leaf_order(distances, pairs).tolist() == [0, 1, 3, 2]


@pytest.mark.parametrize("seed", range(20))
def test_the_same_distances_summed_in_another_order_are_as_long(seed):
    """Sums of sevenths are rounded; which of the shortest orders is taken must not depend on their last digit."""
    whole = np.floor(1000 ** np.floor(draw(9, seed) * 3))
    np.fill_diagonal(whole, 0)
    tree = tree_of(whole)
    assert find_leaf_order(whole / 7, tree).tolist() == find_leaf_order(whole, tree).tolist()


@given(sizes(12), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_the_end_that_comes_first_in_the_set_is_where_an_order_begins(n, seed):
    order = find_leaf_order(draw(n, seed), tree_of(draw(n, seed)))
    assert order[0] < order[-1]


def test_stimuli_in_another_order_are_put_into_the_same_order():
    distances, shuffled = draw(40, 5), np.random.default_rng(6).permutation(40)
    moved = distances[np.ix_(shuffled, shuffled)]
    one = find_leaf_order(distances, tree_of(distances)).tolist()
    other = shuffled[find_leaf_order(moved, tree_of(moved))].tolist()
    assert other in (one, one[::-1])
