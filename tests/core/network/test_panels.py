"""Matrices a few rows at a time: panels say what whole matrices say, and sums need no matrix."""

from __future__ import annotations

import numpy as np
import pytest

from layerwise.core.network.matrices.panels import Panel, above_diagonal
from layerwise.core.network.products import multiply
from layerwise.core.network.representation import Representation, strict_upper

N = 150  # more than two panels, and no whole number of them


@pytest.fixture(params=[False, True], ids=["float32", "float64"])
def layer(request: pytest.FixtureRequest) -> Representation:
    rows = np.random.default_rng(3).normal(size=(N, 200)).astype(np.float32) + 2
    rows[7], rows[80] = 0.5, rows[12]  # a constant stimulus, and the same one twice
    return multiply(rows).represent(in_double=request.param)


@pytest.mark.parametrize(
    ("read", "whole"),
    [
        (Panel.squared_distances, Representation.squared_distances),
        (Panel.correlation_distances, Representation.correlation_distances),
        (Panel.squared_distance_errors, Representation.squared_distance_errors),
    ],
)
def test_the_upper_panels_are_the_upper_triangle_in_its_order(layer: Representation, read, whole) -> None:
    found = np.concatenate([above_diagonal(read(panel)) for _, panel in layer.upper_panels()])
    np.testing.assert_array_equal(found, strict_upper(whole(layer)))


def test_what_is_read_of_a_panel_may_be_written_to(layer: Representation) -> None:
    panel = layer.panel(slice(0, 3))
    panel.dissimilarity()[:] = 5
    assert layer.dissimilarity.max() <= 2


def test_sums_over_all_pairs_are_those_of_the_matrices(layer: Representation) -> None:
    gram = layer.column_centred_gram()
    trace, squares = layer.centred_sums
    assert trace == pytest.approx(np.trace(gram), rel=1e-12)
    assert squares == pytest.approx((gram**2).sum(), rel=1e-12)
    pairs = strict_upper(layer.correlation_distances())
    known = pairs[np.isfinite(pairs)]
    n_pairs, mean, spread = layer.correlation_moments
    assert (n_pairs, mean, spread) == (len(known), pytest.approx(known.mean()), pytest.approx(known.std()))


def test_the_spread_of_pairs_that_are_all_the_same_is_nothing() -> None:
    layer = multiply(np.eye(N)).represent(in_double=True)
    assert layer.blur == 1
    assert layer.correlation_moments[2] == pytest.approx(0, abs=1e-15)


def test_a_representation_is_symmetric_to_the_last_bit_whatever_its_products_are() -> None:
    products = multiply(np.random.default_rng(1).normal(size=(N, 30)))
    products.centred[3, 90] *= 1 + 1e-12
    for in_double in (False, True):
        entries = products.represent(in_double=in_double).entries
        np.testing.assert_array_equal(entries, entries.T)
