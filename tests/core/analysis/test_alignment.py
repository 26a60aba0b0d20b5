"""The best path through a layer x layer matrix between two networks, against all paths that there are."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from layerwise.core.analysis.alignment import align_layers, find_best_path, measure_path

shapes = st.tuples(st.integers(1, 5), st.integers(1, 5))
values = st.floats(-1, 1, allow_subnormal=False)
matrices = shapes.flatmap(lambda shape: arrays(np.float64, shape, elements=values))


def all_paths(n_rows: int, n_columns: int) -> Iterator[tuple[tuple[int, int], ...]]:
    """Every monotone path from corner to corner, each step by one row, one column, or both."""

    def go_on(path):
        row, column = path[-1]
        if (row, column) == (n_rows - 1, n_columns - 1):
            yield path
        for down, right in ((0, 1), (1, 0), (1, 1)):
            if row + down < n_rows and column + right < n_columns:
                yield from go_on((*path, (row + down, column + right)))

    yield from go_on(((0, 0),))


def weighted_sum(matrix: np.ndarray, path) -> float:
    """Each cell once for each row and each column that it moves on; the first one twice."""
    total = 2 * matrix[path[0]]
    for (row, column), (next_row, next_column) in itertools.pairwise(path):
        total += (next_row - row + next_column - column) * matrix[next_row, next_column]
    return total


@given(matrices)
def test_no_other_path_has_a_larger_weighted_sum(matrix):
    path = find_best_path(matrix)
    paths = list(all_paths(*matrix.shape))
    assert path in paths
    best = max(weighted_sum(matrix, other) for other in paths)
    assert weighted_sum(matrix, path) == pytest.approx(best, abs=1e-9)
    assert measure_path(matrix, path) == pytest.approx(best / sum(matrix.shape), abs=1e-9)


@given(matrices)
def test_of_distances_the_path_has_the_smallest_sum(matrix):
    path = find_best_path(matrix, "distance")
    assert weighted_sum(matrix, path) == pytest.approx(
        min(weighted_sum(matrix, other) for other in all_paths(*matrix.shape)), abs=1e-9
    )


@given(matrices)
def test_the_best_path_is_never_worse_than_that_of_equal_depth(matrix):
    found = align_layers(matrix)
    assert found.mean >= found.even_mean - 1e-12
    assert 0 <= found.bend <= 1


@given(matrices)
def test_swapping_the_networks_swaps_the_path_s_value_for_the_same(matrix):
    assert align_layers(matrix.T).mean == pytest.approx(align_layers(matrix).mean, abs=1e-9)


def test_a_network_is_aligned_with_itself_along_the_diagonal():
    place = np.linspace(0, 1, 7)
    found = align_layers(1 - np.abs(place[:, None] - place))
    assert found.path == found.even == tuple((i, i) for i in range(7))
    assert (found.mean, found.even_mean, found.bend) == (1.0, 1.0, 0.0)


def test_a_network_with_every_layer_twice_is_aligned_pair_by_pair():
    place = np.repeat(np.linspace(0, 1, 4), 2)
    found = align_layers(1 - np.abs(place[:, None] - np.linspace(0, 1, 4)))
    assert found.path == tuple((i, i // 2) for i in range(8))
    assert found.mean == 1.0


def test_a_network_that_does_it_all_at_the_end_bends_the_path_there():
    early = np.array([0.0, 0.9, 0.95, 1.0])
    late = np.array([0.0, 0.02, 0.05, 1.0])
    found = align_layers(np.abs(early[:, None] - late), "distance")
    assert found.path == ((0, 0), (0, 1), (0, 2), (1, 3), (2, 3), (3, 3))
    assert found.bend == pytest.approx(2 / 3)
    assert found.bend_at in {(0, 2), (1, 3)}


def test_a_detour_does_not_win_by_being_long():
    assert find_best_path(np.full((3, 3), 0.9)) == ((0, 0), (1, 1), (2, 2))


def test_undefined_cells_are_avoided_and_left_out_of_the_mean():
    matrix = np.array([[1.0, 0.5, 0.5], [np.nan, np.nan, 0.5], [0.5, 0.5, 0.25]])
    found = align_layers(matrix)
    assert found.path == ((0, 0), (0, 1), (1, 2), (2, 2))
    assert found.mean == pytest.approx((2 * 1.0 + 0.5 + 2 * 0.5 + 0.25) / 6)
    everything = align_layers(np.full((2, 3), np.nan))
    assert everything.mean is None
    assert everything.path[0] == (0, 0)
    assert everything.path[-1] == (1, 2)


def test_there_is_no_path_through_nothing():
    with pytest.raises(ValueError, match="no path"):
        align_layers(np.empty((0, 3)))
