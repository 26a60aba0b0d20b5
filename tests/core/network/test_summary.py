"""Summaries add up: a block's from its branches'."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.network.summary import LayerSummary, concatenate_summaries


def summarise(rows: np.ndarray) -> LayerSummary:
    """The summary of activations held in memory, straight from its definition."""
    mean = rows.mean(axis=1)
    apart = rows - mean[:, None]
    live = rows[:, (rows != 0).any(axis=0)]
    density = live.mean(axis=0) ** 2 / (live**2).mean(axis=0)
    lifetime = float(((1 - density) / (1 - 1 / len(rows))).sum())
    return LayerSummary(
        n_features=rows.shape[1],
        mean=mean,
        power2=(apart**2).sum(axis=1),
        power3=(apart**3).sum(axis=1),
        power4=(apart**4).sum(axis=1),
        minimum=rows.min(axis=1),
        maximum=rows.max(axis=1),
        n_zeros=(rows == 0).sum(axis=1).astype(float),
        absolute=np.abs(rows).sum(axis=1),
        n_dead=rows.shape[1] - live.shape[1],
        lifetime_sum=float("nan") if (rows < 0).any() else lifetime,
        unit_variance2=float((rows.var(axis=0) ** 2).sum()),
    )


@given(
    widths=st.lists(st.integers(1, 8), min_size=1, max_size=4),
    offset=st.sampled_from([0.0, 3.0, 1e6]),
    seed=st.integers(0, 999),
)
def test_the_summary_of_a_block_is_that_of_its_branches(widths, offset, seed):
    rng = np.random.default_rng(seed)
    parts = [np.maximum(rng.normal(size=(5, width)) + index, 0) + offset for index, width in enumerate(widths)]
    direct, joined = summarise(np.hstack(parts)), concatenate_summaries([summarise(part) for part in parts])
    for field in dataclasses.fields(LayerSummary):
        ours, expected = getattr(joined, field.name), getattr(direct, field.name)
        assert np.allclose(ours, expected, rtol=1e-6, atol=1e-6), field.name


def test_one_branch_with_negative_activations_leaves_the_block_without_lifetime_sparseness():
    rows = np.random.default_rng(0).normal(size=(4, 5))
    joined = concatenate_summaries([summarise(np.abs(rows)), summarise(rows)])
    assert np.isnan(joined.lifetime_sum)


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_central_moments_are_those_of_all_activations_together(offset):
    rows = np.random.default_rng(0).gamma(2.0, size=(6, 50)) + np.arange(6)[:, None] + offset
    found = summarise(rows).central_moments()
    expected = [scipy.stats.moment(rows, order, axis=None) for order in (2, 3, 4)]
    assert found[0] == pytest.approx(rows.mean())
    assert found[1:] == pytest.approx(expected, rel=1e-8)
