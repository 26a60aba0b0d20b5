"""Canonical correlations and nuclear norms: the ways that save work give what the definitions give."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.core.network.products import represent
from layerwise.plugins.comparators.cca import Pwcca, Svcca
from layerwise.plugins.comparators.shapes import Procrustes
from layerwise.plugins.comparators.spectra import canonical_correlations, find_spectrum, singular_values
from layerwise.plugins.comparators.subspaces import Gulp

N_STIMULI = 24


def layers(seed, n_units=40):
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(N_STIMULI, 6))
    return [
        represent(common @ rng.normal(size=(6, n_units)) + rng.normal(size=(N_STIMULI, n_units))) for _ in range(2)
    ]


RANKS = st.integers(1, N_STIMULI - 2)


@settings(max_examples=60)
@given(st.integers(0, 20), RANKS, RANKS)
def test_canonical_correlations_are_the_cosines_of_the_angles_between_subspaces(seed, rank_of_first, rank_of_second):
    first, second = layers(seed)
    one, other = find_spectrum(first, "x", rank=rank_of_first), find_spectrum(second, "x", rank=rank_of_second)
    expected = np.sort(np.cos(scipy.linalg.subspace_angles(one.vectors, other.vectors)))[::-1]
    np.testing.assert_allclose(canonical_correlations(one, other), expected, atol=1e-7)
    asked = Svcca().compare(one, other)
    assert asked == pytest.approx(expected.mean(), abs=1e-7)
    assert asked == pytest.approx(Svcca().compare(other, one), abs=1e-9)


@settings(max_examples=60)
@given(st.integers(0, 20), RANKS, RANKS)
def test_pwcca_weighs_each_canonical_direction_by_the_variance_it_carries(seed, rank_of_first, rank_of_second):
    first, second = layers(seed)
    one, other = find_spectrum(first, "x", rank=rank_of_first), find_spectrum(second, "x", rank=rank_of_second)
    directions, correlations, _ = np.linalg.svd(one.vectors.T @ other.vectors)
    weights = one.values @ directions[:, : len(correlations)] ** 2
    assert Pwcca().compare(one, other) == pytest.approx(weights @ correlations / weights.sum(), abs=1e-6)


def test_a_layer_correlates_with_itself_perfectly_whatever_is_kept():
    first, _ = layers(0)
    for rank in (1, 12, 22):
        spectrum = find_spectrum(first, "x", rank=rank)
        assert Svcca().compare(spectrum, spectrum) == pytest.approx(1, abs=1e-7)
        assert Pwcca().compare(spectrum, spectrum) == pytest.approx(1, abs=1e-7)


def test_singular_values_of_products_of_different_sizes_are_found_together():
    rng = np.random.default_rng(3)
    firsts = [rng.normal(size=(10, size)) for size in (3, 8, 5)]
    seconds = [rng.normal(size=(10, size)) for size in (6, 4, 5)]
    found = singular_values(firsts, seconds)
    assert found.shape == (3, 5)
    for row, first, second in zip(found, firsts, seconds, strict=True):
        expected = np.zeros(5)
        values = np.linalg.svd(first.T @ second, compute_uv=False)[::-1]
        expected[5 - len(values) :] = values
        np.testing.assert_allclose(row, expected, atol=1e-7)


def test_pairs_asked_together_get_what_they_get_alone():
    procrustes = Procrustes()
    shapes = [procrustes.prepare(layer) for seed in range(3) for layer in layers(seed)]
    firsts, seconds = [shapes[0], shapes[1], shapes[2]], [shapes[3], shapes[1], shapes[5]]
    together = procrustes.compare_pairs(firsts, seconds)
    alone = [procrustes.compare(*pair) for pair in zip(firsts, seconds, strict=True)]
    np.testing.assert_allclose(together, alone, rtol=1e-12, atol=1e-12)
    assert together[1] == 0


def test_gulp_without_a_penalty_asks_for_directions_alone():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(40, 8))
    turned = rows @ np.diag(np.geomspace(1, 1e-4, 8)) @ rng.normal(size=(8, 8))
    gulp = Gulp().configured(penalty=0.0)
    states = [gulp.prepare(represent(each.astype(np.float32))) for each in (rows, turned)]
    assert gulp.compare(*states) == pytest.approx(0, abs=1e-2)
