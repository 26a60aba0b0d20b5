"""Metrics from a representation against the same measures on the activations themselves."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from layerwise.core.host.registry import Registered
from layerwise.core.host.validation import check_metric
from layerwise.core.network.products import represent
from layerwise.plugins.metrics import register_metrics

METRICS = {metric.name: metric for metric in register_metrics()}
DIRECT = {
    "pearson": lambda x: 1 - cdist(x, x, "correlation"),
    "spearman": lambda x: 1 - cdist(x, x, "correlation"),  # of what the rank transform has made of the activations
    "cosine": lambda x: 1 - cdist(x, x, "cosine"),
    "dot": lambda x: x @ x.T,
    "squared-euclidean": lambda x: cdist(x, x, "sqeuclidean"),
    "angular": lambda x: np.arccos(np.clip(1 - cdist(x, x, "cosine"), -1, 1)),
    "correlation-distance": lambda x: cdist(x, x, "correlation"),
    "euclidean": lambda x: cdist(x, x, "euclidean"),
}


def activations(offset: float = 0.0) -> np.ndarray:
    return np.random.default_rng(3).normal(size=(12, 30)) + offset


@pytest.mark.parametrize("name", sorted(METRICS))
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_a_metric_is_what_scipy_computes_from_the_activations(name, offset):
    rows = activations(offset)
    assert np.allclose(METRICS[name].compute(represent(rows)), DIRECT[name](rows), rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_a_metric_passes_the_check_with_a_constant_stimulus(name):
    rows = activations()
    rows[4] = 2.5
    representation = represent(rows)
    offer = Registered(METRICS[name], "metrics", "layerwise", "1", "register_metrics")
    matrix = check_metric(offer, METRICS[name].compute(representation), 12, representation.constant)
    undefined = np.isnan(matrix).any()
    assert undefined == (name in {"pearson", "spearman", "correlation-distance"})


def test_angles_of_nearly_parallel_activations_keep_their_digits():
    direction = np.random.default_rng(0).normal(size=50)
    aside = np.linalg.qr(np.stack([direction, np.arange(50.0)], axis=1))[0][:, 1] * np.linalg.norm(direction)
    rows = np.stack([direction, 3 * (np.cos(1e-2) * direction + np.sin(1e-2) * aside)])
    assert METRICS["angular"].compute(represent(rows))[0, 1] == pytest.approx(1e-2, rel=2e-3)


def test_a_stimulus_of_zeros_has_no_angle_to_any():
    rows = activations()
    rows[4] = 0
    assert np.isnan(METRICS["angular"].compute(represent(rows))[4]).all()


def test_euclidean_distance_and_cosine_are_exact_for_a_constant_stimulus():
    rows = activations()
    rows[4] = 2.5
    for name in ("euclidean", "cosine"):
        assert np.allclose(METRICS[name].compute(represent(rows))[4], DIRECT[name](rows)[4], atol=2e-6)
