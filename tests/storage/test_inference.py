"""Intervals and permutation tests: kept with all that decides them, read back as they were, replaced, not doubled."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from layerwise.core.base.errors import InputError
from layerwise.core.base.provider import Provider
from layerwise.core.history.intervals import ComparisonInterval, ComparisonTest, IntervalPlan, PermutationPlan
from layerwise.core.history.records import LayerAddress
from layerwise.storage import Store

RSA = Provider("layerwise:rsa-pearson", "1")
INTERVALS = IntervalPlan(1000, seed=7)
TESTS = PermutationPlan(999, seed=7)


def ends_of(run_id: str) -> tuple[LayerAddress, LayerAddress]:
    return LayerAddress(run_id, "input"), LayerAddress(run_id, "output")


def test_intervals_are_read_back_as_they_were_kept(store: Store, samples: Any) -> None:
    run_id = samples.finished_run(store)
    first, second = ends_of(run_id)
    kept = [
        ComparisonInterval(RSA, first, second, 0.1 + 0.2, 1.0),
        ComparisonInterval(RSA, second, first, None, None, "undefined on 7 of 20 resamples of the stimuli"),
    ]
    store.save_intervals(INTERVALS, kept)
    assert sorted(store.read_intervals(RSA, INTERVALS, [run_id]), key=kept.index) == kept


def test_tests_are_read_back_as_they_were_kept(store: Store, samples: Any) -> None:
    run_id = samples.finished_run(store)
    first, second = ends_of(run_id)
    kept = [
        ComparisonTest(RSA, first, second, 0.001),
        ComparisonTest(RSA, first, first, None, "a layer is not tested against itself"),
    ]
    store.save_tests(TESTS, kept)
    assert sorted(store.read_tests(RSA, TESTS, [run_id]), key=kept.index) == kept


@pytest.mark.parametrize("changes", [{"n_resamples": 999}, {"seed": 8}, {"method": "bca"}, {"level": 0.9}])
def test_an_interval_made_in_another_way_is_another_one(store: Store, samples: Any, changes: dict[str, Any]) -> None:
    run_id = samples.finished_run(store)
    store.save_intervals(INTERVALS, [ComparisonInterval(RSA, *ends_of(run_id), 0.1, 0.2)])
    assert store.read_intervals(RSA, replace(INTERVALS, **changes), [run_id]) == []


@pytest.mark.parametrize("changes", [{"n_permutations": 99}, {"seed": 8}, {"alternative": "two-sided"}])
def test_a_test_made_in_another_way_is_another_one(store: Store, samples: Any, changes: dict[str, Any]) -> None:
    run_id = samples.finished_run(store)
    store.save_tests(TESTS, [ComparisonTest(RSA, *ends_of(run_id), 0.1)])
    assert store.read_tests(RSA, replace(TESTS, **changes), [run_id]) == []


def test_another_measure_s_interval_does_not_count(store: Store, samples: Any) -> None:
    run_id = samples.finished_run(store)
    store.save_intervals(INTERVALS, [ComparisonInterval(RSA, *ends_of(run_id), 0.1, 0.2)])
    others = [replace(RSA, revision=2), replace(RSA, parameters='{"k":5}'), replace(RSA, name="layerwise:cka")]
    assert all(store.read_intervals(other, INTERVALS, [run_id]) == [] for other in others)


def test_what_is_kept_again_replaces_what_was_there(store: Store, samples: Any) -> None:
    run_id = samples.finished_run(store)
    for low in (0.1, 0.2):
        store.save_intervals(INTERVALS, [ComparisonInterval(RSA, *ends_of(run_id), low, 0.5)])
        store.save_tests(TESTS, [ComparisonTest(RSA, *ends_of(run_id), low)])
    assert [item.low for item in store.read_intervals(RSA, INTERVALS, [run_id])] == [0.2]
    assert [item.p for item in store.read_tests(RSA, TESTS, [run_id])] == [0.2]


def test_nothing_is_kept_of_layers_that_are_not_stored(store: Store, samples: Any) -> None:
    run_id = samples.finished_run(store)
    nowhere = LayerAddress(run_id, "nowhere")
    with pytest.raises(InputError, match="no stored layer 'nowhere'"):
        store.save_intervals(INTERVALS, [ComparisonInterval(RSA, nowhere, nowhere, 0.1, 0.5)])
    store.save_intervals(INTERVALS, [])
    assert store.read_intervals(RSA, INTERVALS, [run_id]) == []
