"""Reorderers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from layerwise.core.base.errors import InputError
from layerwise.core.host.registry import Registered
from layerwise.core.host.validation import check_permutation
from layerwise.core.network.products import represent
from layerwise.plugins.reorderers import register_reorderers

REORDERERS = {reorderer.name: reorderer for reorderer in register_reorderers()}


def order(name: str, similarity: np.ndarray, labels: list[str | None] | None = None) -> list[int]:
    offer = REORDERERS[name]
    registered = Registered(offer, "reorderers", "layerwise", "1", "register_reorderers")
    result = offer.order(similarity, labels or [None] * len(similarity))
    return list(check_permutation(registered, result, len(similarity)))


def chain(places: np.ndarray) -> np.ndarray:
    """Similarities of points on a line."""
    return 1 - np.abs(np.subtract.outer(places, places)) / 100


def test_linkage_finds_points_on_a_line_in_their_order():
    places = np.random.default_rng(2).permutation(30).astype(float)
    found = [places[index] for index in order("average-linkage", chain(places))]
    assert found in (sorted(found), sorted(found, reverse=True))


def test_optimal_leaves_bring_alike_stimuli_together():
    rng = np.random.default_rng(0)
    similarity = np.corrcoef(np.repeat(rng.normal(size=(5, 30)), 6, axis=0) + 0.5 * rng.normal(size=(30, 30)))
    shuffled = rng.permutation(30)
    similarity = similarity[np.ix_(shuffled, shuffled)]
    groups = [shuffled[index] // 6 for index in order("average-linkage", similarity)]
    assert sum(a != b for a, b in itertools.pairwise(groups)) == 4


def test_stimuli_with_constant_activations_come_last():
    rows = np.random.default_rng(1).normal(size=(8, 20))
    rows[[1, 4]] = 3.0
    found = order("average-linkage", represent(rows).correlation.astype(float))
    assert found[-2:] == [1, 4]


@pytest.mark.parametrize("n_live", [0, 1, 2, 3])
def test_few_defined_stimuli_can_still_be_ordered(n_live):
    rows = np.ones((5, 9))
    rows[:n_live] = np.random.default_rng(1).normal(size=(n_live, 9))
    found = order("average-linkage", represent(rows).correlation.astype(float))
    assert sorted(found[:n_live]) == list(range(n_live))


def test_labels_order_alphabetically_and_keep_the_order_within():
    labels = ["b", None, "a", "b", "a"]
    assert order("label", np.eye(5), labels) == [2, 4, 0, 3, 1]


def test_without_labels_there_is_no_order_by_label():
    with pytest.raises(InputError, match="no labels"):
        order("label", np.eye(3))


def test_none_keeps_the_order():
    assert order("none", np.eye(4)) == [0, 1, 2, 3]
