"""What float32 products would lose of a layer is found, and taken in float64."""

from __future__ import annotations

import numpy as np
import pytest
from exact_pairs import find_values
from given_network import stream_given
from hard_layers import KINDS

N, WIDTH = 140, 3000  # more than is taken in float64 without being hard


def stream_kind(kind: str):
    rng = np.random.default_rng(3)
    rows = KINDS[kind](rng, rng.normal(size=(N, 6)), WIDTH).activations
    return rows.astype(np.float64), stream_given({"x": rows})["x"].products


@pytest.mark.parametrize("kind", ["bright 1e3", "bright 1e5", "gains 1e-3", "scenes 1e-4", "near 1e-4", "offset 1e5"])
@pytest.mark.parametrize("metric", ["correlation-distance", "squared-euclidean"])
def test_stimuli_that_differ_by_little_keep_their_digits(kind, metric):
    rows, products = stream_kind(kind)
    found = products.represent()
    matrix = found.correlation_distances() if metric == "correlation-distance" else found.squared_distances()
    assert matrix[np.triu_indices(N, 1)] == pytest.approx(find_values(rows, metric), rel=1e-4)


@pytest.mark.parametrize(("kind", "is_hard"), [("ordinary", False), ("binary", False), ("bright 1e3", True)])
def test_only_where_most_stimuli_are_close_a_layer_is_hard(kind, is_hard):
    assert stream_kind(kind)[1].is_hard is is_hard


def test_a_few_copies_among_many_stimuli_do_not_make_a_layer_hard():
    rng = np.random.default_rng(3)
    rows = KINDS["ordinary"](rng, rng.normal(size=(N, 6)), WIDTH).activations
    rows[7] = rows[3]
    products = stream_given({"x": rows})["x"].products
    assert not products.is_hard
    assert products.represent().squared_distances()[3, 7] <= 1e-9 * products.represent().squared_distances()[3, 4]


@pytest.mark.parametrize("kind", ["scaled 1e-30", "scaled 1e-15", "scaled 1e15", "scaled 1e30"])
def test_a_scale_that_float32_cannot_square_changes_nothing(kind):
    rows, products = stream_kind(kind)
    found = products.represent()
    right = find_values(rows, "correlation-distance")
    assert found.correlation_distances()[np.triu_indices(N, 1)] == pytest.approx(right, rel=1e-5)
    assert found.norm == pytest.approx(np.linalg.norm(rows - rows.mean(axis=1, keepdims=True), axis=1), rel=1e-5)
    assert found.mean == pytest.approx(rows.mean(axis=1), rel=1e-5, abs=1e-9 * np.abs(rows).max())
