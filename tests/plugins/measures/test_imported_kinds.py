"""What `docs/interchange.md` says of each kind of imported matrix: which measures it gives as the activations do."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from layerwise.core.host.kinds import Comparator, Metric
from layerwise.core.host.registry import Registry
from layerwise.core.network.products import represent
from layerwise.core.network.representation import Representation
from layerwise.interchange.arrange import Arranged
from layerwise.interchange.checks import check_matrix
from layerwise.interchange.conversion import convert
from layerwise.plugins import load_plugins

N_STIMULI = 40
ORIGIN = ("mutual-knn", "cycle-knn", "cknna", "jaccard", "rank-similarity", "second-order-cosine")
"""Measures that by default ask for the angle between two activation vectors, seen from the origin."""
UNCENTRED = ("eigenspace-overlap", "concentricity-difference", "magnitude-difference")
"""Measures that need the origin, whatever their parameters."""
RSA = ("rsa-pearson", "rsa-spearman", "rsa-kendall", "rsa-rho-a", "rsa-cosine")
DISTANCES_SUFFICE = (
    *("cka", "cka-debiased", "cka-rbf", "rv2", "svcca", "pwcca", "pwcca-symmetric", "cca-mean"),
    *("procrustes", "angular-procrustes", "bures", "linear-predictivity", "gulp", "distance-correlation"),
    *("rsm-norm-difference", "imd", "uniformity-difference"),
)


@cache
def registry() -> Registry:
    return load_plugins(())


def layers() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    common = rng.normal(size=(N_STIMULI, 8))
    first = common @ rng.normal(size=(8, 30)) + 0.5 * rng.normal(size=(N_STIMULI, 30)) + 0.7
    return first, common @ rng.normal(size=(8, 50)) + rng.normal(size=(N_STIMULI, 50)) + 0.3


def imported(matrix: np.ndarray, kind: str) -> Representation:
    return convert(Arranged("V1", kind, check_matrix(matrix))).representation


def measure(name: str, first: Representation, second: Representation, metric: str | None = None) -> float:
    comparator = registry().get(Comparator, name).offer
    if metric is not None:
        comparator = comparator.with_metric(registry().get(Metric, metric).offer)
    return comparator.compare(comparator.prepare(first), comparator.prepare(second))


FIRST, SECOND = layers()
SQUARED = ((FIRST[:, None] - FIRST[None]) ** 2).sum(axis=-1)
STANDARD = FIRST - FIRST.mean(axis=1, keepdims=True)
STANDARD = STANDARD / np.linalg.norm(STANDARD, axis=1, keepdims=True)


def close(value: float, expected: float) -> bool:
    return value == pytest.approx(expected, rel=1e-3, abs=1e-6)


def test_every_comparator_is_in_one_of_the_groups():
    assert {*ORIGIN, *UNCENTRED, *RSA, *DISTANCES_SUFFICE} == {offer.name for offer in registry().all(Comparator)}


@pytest.mark.parametrize("name", [*DISTANCES_SUFFICE, *ORIGIN, *UNCENTRED])
def test_a_gram_matrix_gives_what_the_activations_give(name):
    gram = imported(FIRST @ FIRST.T, "gram")
    assert close(measure(name, gram, represent(SECOND)), measure(name, represent(FIRST), represent(SECOND)))


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "dot"])
def test_a_gram_matrix_gives_rsa_of_every_metric_of_inner_products(metric):
    gram = imported(FIRST @ FIRST.T, "gram")
    value = measure("rsa-pearson", gram, represent(SECOND), metric=metric)
    assert close(value, measure("rsa-pearson", represent(FIRST), represent(SECOND), metric=metric))


@pytest.mark.parametrize("name", DISTANCES_SUFFICE)
@pytest.mark.parametrize("kind", ["euclidean", "squared-euclidean"])
def test_euclidean_distances_give_what_the_activations_give_where_no_origin_is_needed(name, kind):
    distances = imported(np.sqrt(SQUARED) if kind == "euclidean" else SQUARED, kind)
    assert close(measure(name, distances, represent(SECOND)), measure(name, represent(FIRST), represent(SECOND)))


@pytest.mark.parametrize("name", [*RSA, *(name for name in ORIGIN if name != "cknna")])  # cknna takes no distance
def test_with_the_metric_euclidean_that_holds_for_rsa_and_neighbours_too(name):
    distances = imported(np.sqrt(SQUARED), "euclidean")
    expected = measure(name, represent(FIRST), represent(SECOND), metric="euclidean")
    assert close(measure(name, distances, represent(SECOND), metric="euclidean"), expected)


@pytest.mark.parametrize("name", RSA)
def test_correlations_give_the_rsa_of_the_activations(name):
    for kind, matrix in (("similarity", np.corrcoef(FIRST)), ("correlation-distance", 1 - np.corrcoef(FIRST))):
        value = measure(name, imported(matrix, kind), represent(SECOND))
        assert close(value, measure(name, represent(FIRST), represent(SECOND)))


@pytest.mark.parametrize("name", [*DISTANCES_SUFFICE, *ORIGIN, *UNCENTRED])
def test_correlations_give_what_standardised_activations_give(name):
    value = measure(name, imported(np.corrcoef(FIRST), "similarity"), represent(SECOND))
    assert close(value, measure(name, represent(STANDARD), represent(SECOND)))
