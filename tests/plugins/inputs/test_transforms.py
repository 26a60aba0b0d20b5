"""Transforms, on their own and through the representations they lead to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import spearmanr, zscore

from layerwise.core.network.products import represent
from layerwise.plugins.transforms import register_transforms

TRANSFORMS = {transform.name: transform for transform in register_transforms()}
ACTIVATIONS = arrays.arrays(np.float32, (3, 2, 2, 4), elements=st.floats(-4, 4, width=16))


@pytest.mark.parametrize("name", sorted(TRANSFORMS))
@given(activations=ACTIVATIONS)
def test_a_transform_gives_float32_and_leaves_its_input_alone(name, activations):
    before = activations.copy()
    changed = TRANSFORMS[name].apply(activations)
    assert changed.dtype == np.float32
    assert len(changed) == 3
    assert np.array_equal(activations, before)


@pytest.mark.parametrize("name", sorted(name for name, t in TRANSFORMS.items() if t.additive))
@given(first=ACTIVATIONS, second=ACTIVATIONS)
def test_an_additive_transform_of_a_block_is_that_of_its_branches_side_by_side(name, first, second):
    apply = TRANSFORMS[name].apply
    whole = apply(np.concatenate([first, second], axis=-1)).reshape(3, -1)
    parts = np.concatenate([apply(first).reshape(3, -1), apply(second).reshape(3, -1)], axis=-1)
    assert np.allclose(np.sort(whole), np.sort(parts))


def test_pearson_of_ranks_is_spearman_with_ties():
    activations = np.maximum(np.random.default_rng(0).normal(size=(5, 40)), 0).astype(np.float32)
    ours = represent(TRANSFORMS["rank"].apply(activations)).correlation
    assert np.allclose(ours, spearmanr(activations, axis=1).statistic, atol=1e-6)


def test_a_pool_over_positions_keeps_one_value_a_channel():
    activations = np.arange(2 * 3 * 3 * 2, dtype=np.float32).reshape(2, 3, 3, 2)
    assert np.array_equal(TRANSFORMS["spatial-max"].apply(activations)[0], [16, 17])
    assert np.array_equal(TRANSFORMS["spatial-mean"].apply(activations)[0], [8, 9])
    flat = activations.reshape(2, -1)
    assert np.array_equal(TRANSFORMS["spatial-mean"].apply(flat), flat)


def test_tokens_become_one_vector():
    activations = np.arange(2 * 4 * 3, dtype=np.float32).reshape(2, 4, 3)
    assert np.array_equal(TRANSFORMS["cls-token"].apply(activations)[0], [0, 1, 2])
    assert np.array_equal(TRANSFORMS["last-token"].apply(activations)[0], [9, 10, 11])
    assert np.array_equal(TRANSFORMS["mean-tokens"].apply(activations)[0], [4.5, 5.5, 6.5])
    for name in ("cls-token", "last-token", "mean-tokens"):
        assert np.array_equal(TRANSFORMS[name].apply(activations[:, 0]), activations[:, 0])


def test_binarize_tells_active_units_from_the_others():
    values = np.array([[-1, 0, 0.5]], dtype=np.float32)
    assert np.array_equal(TRANSFORMS["binarize"].apply(values), [[0, 0, 1]])


def test_z_scores_of_units_agree_with_scipy_and_constant_units_are_zero():
    rng = np.random.default_rng(0)
    units = (rng.normal(size=(50, 30)) * np.logspace(-20, 15, 30) + np.linspace(-9, 9, 30)).astype(np.float32)
    units = units[:, units.std(axis=0) > 1e-5 * np.abs(units.mean(axis=0))]
    ours = TRANSFORMS["zscore-units"].apply_units(units)
    assert ours.dtype == np.float32
    assert np.allclose(ours, zscore(units.astype(np.float64)), atol=1e-5)
    rounding = np.float32(0.3) * (1 + np.float32(1e-7) * rng.integers(-1, 2, size=(50, 1)).astype(np.float32))
    for constant in (np.zeros((50, 1)), np.full((50, 1), 2.5), rounding):
        assert not TRANSFORMS["zscore-units"].apply_units(constant.astype(np.float32)).any()
