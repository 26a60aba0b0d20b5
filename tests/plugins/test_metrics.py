"""Metrics from a representation against the same measures on the activations themselves."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from layerwise.core.registry import Registered
from layerwise.core.representation import represent
from layerwise.core.validation import check_metric
from layerwise.plugins.metrics import register_metrics

METRICS = {metric.name: metric for metric in register_metrics()}
DIRECT = {
    "pearson": lambda x: 1 - cdist(x, x, "correlation"),
    "cosine": lambda x: 1 - cdist(x, x, "cosine"),
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
    assert undefined == (name in {"pearson", "correlation-distance"})


def test_euclidean_distance_and_cosine_are_exact_for_a_constant_stimulus():
    rows = activations()
    rows[4] = 2.5
    for name in ("euclidean", "cosine"):
        assert np.allclose(METRICS[name].compute(represent(rows))[4], DIRECT[name](rows)[4], atol=2e-6)
