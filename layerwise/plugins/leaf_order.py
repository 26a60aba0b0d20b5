"""The best order of a tree's leaves: of all that turning its branches allows, one with the most alike neighbours.

SciPy's `optimal_leaf_ordering` does not find it: it computes the right length and returns another order (its issue
11227). The dynamic programme of Bar-Joseph, Gifford and Jaakkola (2001, Bioinformatics 17 Suppl 1:S22) does, here in
at most n^3 steps and with two (n, n) matrices. For any two leaves it finds how long the shortest path is from the one
to the other, over all leaves of the smallest branch that holds both. Where that branch parts into L and R, a path
from u in L to w in R goes over L to a leaf m, on to a leaf k of R, and over R to w. Where L parts again, u and m are
in different parts of it; so are k and w in R.

**Ties.** Distances are first rounded to a grid, at most n 2^-51 of the largest one wide, on which every sum of n of
them is exact: the same distances summed in another order are as long, on every machine. Of equally short paths the
one is taken whose ends come first in the set; then, from the root down, the one whose neighbours across each fork do.
It begins with that end which comes first in the set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Positions = NDArray[np.intp]

_N_AT_ONCE = 16_384  # numbers of a sum that stay in the processor's cache until the smallest is taken


@dataclass(frozen=True, eq=False)
class _Tree:
    """A binary tree whose leaves lie side by side, so that every node is a range of positions.

    Nodes have SciPy's numbers: leaves are 0 to n - 1, then come forks, each after its children, the root last. The
    left child is the one with the leaf that comes first in the set.

    Attributes:
        leaves: (n,); the leaf at each position.
        children: For each node its left and right child; a leaf has itself twice.
        starts: For each node its first position, and `stops` the one after its last.
    """

    leaves: Positions
    children: list[tuple[int, int]]
    starts: list[int]
    stops: list[int]

    def span(self, node: int) -> slice:
        """The positions of a node's leaves."""
        return slice(self.starts[node], self.stops[node])

    def halves(self, node: int) -> list[tuple[slice, slice]]:
        """Where a path over a node may begin, and where it then ends: in its other child."""
        left, right = (self.span(child) for child in self.children[node])
        return [(left, right), (right, left)] if left != right else [(left, left)]

    def opposite(self, node: int, position: int) -> Positions:
        """Where a path over a node that begins at this position may end; in the order of the set."""
        ends = next(last for first, last in self.halves(node) if first.start <= position < first.stop)
        return self.in_order_of_set(ends)

    def in_order_of_set(self, span: slice) -> Positions:
        """These positions, those of leaves that come first in the set first."""
        order: Positions = span.start + np.argsort(self.leaves[span])
        return order


def find_leaf_order(distances: Floats, linkage: Floats) -> Positions:
    """The leaves of a tree from left to right, so that the sum of the distances of neighbours is the least possible.

    Args:
        distances: (n, n), symmetric, finite; at least two leaves.
        linkage: (n - 1, 4); the tree, as `scipy.cluster.hierarchy.linkage` gives it.

    Returns:
        (n,); each of 0 to n - 1 once.
    """
    tree = _lay_out(linkage)
    laid = _round_for_sums(distances[np.ix_(tree.leaves, tree.leaves)])
    return tree.leaves[_walk(tree, laid, _find_paths(tree, laid))]


def _lay_out(linkage: Floats) -> _Tree:
    """Every node's range of positions. Nothing here recurses: a tree may be as deep as it has leaves."""
    n_leaves = len(linkage) + 1
    children = [(leaf, leaf) for leaf in range(n_leaves)]
    sizes, first = [1] * n_leaves, list(range(n_leaves))
    for one, other in linkage[:, :2].astype(np.intp).tolist():
        left, right = (one, other) if first[one] < first[other] else (other, one)
        children.append((left, right))
        sizes.append(sizes[left] + sizes[right])
        first.append(first[left])
    starts = [0] * len(children)
    for node in range(len(children) - 1, n_leaves - 1, -1):
        left, right = children[node]
        starts[left], starts[right] = starts[node], starts[node] + sizes[left]
    leaves = np.argsort(np.array(starts[:n_leaves], dtype=np.intp))
    return _Tree(leaves, children, starts, [start + size for start, size in zip(starts, sizes, strict=True)])


def _round_for_sums(distances: Floats) -> Floats:
    """Whole numbers in proportion to the distances, so small that the sum of as many as there are leaves is exact."""
    _, exponent = np.frexp(np.abs(distances).max())
    whole: Floats = np.rint(np.ldexp(distances, 53 - len(distances).bit_length() - int(exponent)))
    return whole


def _find_paths(tree: _Tree, distances: Floats) -> Floats:
    """For every two leaves how long the shortest path is over the smallest node that holds both; (n, n)."""
    paths = np.zeros_like(distances)
    for node in range(len(tree.leaves), len(tree.children)):
        left, right = tree.children[node]
        before, after = tree.span(left), tree.span(right)
        across = np.empty((before.stop - before.start, after.stop - after.start))  # over the left child, one step on
        for first, last in tree.halves(left):
            rows = slice(first.start - before.start, first.stop - before.start)
            across[rows] = _min_plus(paths[first, last], distances[last, after])
        for first, last in tree.halves(right):
            columns = slice(first.start - after.start, first.stop - after.start)
            paths[before, last] = _min_plus(across[:, columns], paths[first, last])
        paths[after, before] = paths[before, after].T
    return paths


def _min_plus(first: Floats, second: Floats) -> Floats:
    """For (a, m) and (m, b) the (a, b) least sums over the middle: a product with + for * and min for +."""
    n_rows, n_middle = first.shape
    n_columns = second.shape[1]
    if n_columns < min(n_rows, n_middle):
        return _min_plus(second.T, first.T).T
    least = np.empty((n_rows, n_columns))
    if n_rows < n_middle:
        for row in range(n_rows):
            np.min(second + first[row, :, None], axis=0, out=least[row])
        return least
    n_at_once = max(1, _N_AT_ONCE // n_columns)
    for start in range(0, n_rows, n_at_once):
        rows = slice(start, start + n_at_once)
        some = least[rows]
        np.add(first[rows, :1], second[:1], out=some)
        sums = np.empty_like(some)
        for middle in range(1, n_middle):
            np.add(first[rows, middle, None], second[middle], out=sums)
            np.minimum(some, sums, out=some)
    return least


def _walk(tree: _Tree, distances: Floats, paths: Floats) -> Positions:
    """The positions along the shortest path over the whole tree, found from the lengths of its parts."""
    root = len(tree.children) - 1
    left, right = (tree.in_order_of_set(tree.span(child)) for child in tree.children[root])
    begin, end = _find_least(paths[np.ix_(left, right)], left, right)
    if tree.leaves[end] < tree.leaves[begin]:
        begin, end = end, begin
    order, ahead = [], [(root, begin, end)]
    while ahead:
        node, begin, end = ahead.pop()
        if begin == end:
            order.append(begin)
            continue
        near, far = tree.children[node]
        if not tree.starts[near] <= begin < tree.stops[near]:
            near, far = far, near
        leaving, arriving = tree.opposite(near, begin), tree.opposite(far, end)
        lengths = paths[begin, leaving][:, None] + distances[np.ix_(leaving, arriving)] + paths[arriving, end]
        leave, arrive = _find_least(lengths, leaving, arriving)
        ahead += [(far, arrive, end), (near, begin, leave)]
    return np.array(order, dtype=np.intp)


def _find_least(lengths: Floats, rows: Positions, columns: Positions) -> tuple[int, int]:
    """The row and column of the smallest length, of equal ones the first."""
    row, column = divmod(int(lengths.argmin()), len(columns))
    return int(rows[row]), int(columns[column])
