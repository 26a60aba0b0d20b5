"""Profiles and added statistics: read back as they were kept, replaced rather than doubled, gone with their run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from layerwise.core.analysis.profile import measure_profile
from layerwise.core.base.errors import InputError
from layerwise.core.base.provider import Provider
from layerwise.core.history import profiles as definitions
from layerwise.core.history.intervals import Interval, IntervalPlan
from layerwise.core.history.profiles import Profile, ProfileIntervals, ProfileKey
from layerwise.core.history.records import LayerStatistic, StatisticResult
from layerwise.storage import Store

NAMES = ("input", "mixed", "output")
MATRIX = np.array([[1.0, 0.7, 0.1], [0.7, 1.0, 0.4], [0.1, 0.4, 1.0]])


def same(one: Profile, other: Profile) -> bool:
    """Whether two profiles hold the same numbers, NaN in the same places."""
    curves = ("to_input", "to_output", "steps", "shares")
    arrays = all(np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True) for name in curves)
    plain = ("layers", "kind", "smoothness", "crossings", "reason", "total", "effective_steps", "end_point")
    return arrays and all(getattr(one, name) == getattr(other, name) for name in plain)


def key_of(run_id: str, **changes: Any) -> ProfileKey:
    return replace(ProfileKey(run_id, NAMES, Provider("layerwise:rsa-pearson", "1"), end_point="output"), **changes)


@pytest.mark.parametrize("hole", [None, (0, 1), (0, 2)])
def test_a_profile_is_read_back_as_it_was_kept(store: Store, samples: Any, hole: tuple[int, int] | None) -> None:
    matrix = MATRIX.copy()
    if hole is not None:
        matrix[hole] = np.nan
    key, profile = key_of(samples.finished_run(store)), measure_profile(NAMES, matrix, "similarity")
    assert store.read_profile(key) is None
    store.save_profile(key, profile)
    found = store.read_profile(key)
    assert found is not None
    assert same(found, profile)


@pytest.mark.parametrize(
    "changes",
    [
        {"layers": ("input", "output")},
        {"comparator": Provider("layerwise:rsa-pearson", "1", '{"k": 5}')},
        {"transform": "rank"},
        {"end_point": "mixed"},
        {"comparator": Provider("layerwise:rsa-pearson", "1", revision=2)},
    ],
)
def test_a_profile_of_other_layers_or_another_measure_is_another_one(
    store: Store, samples: Any, changes: dict[str, Any]
) -> None:
    run_id = samples.finished_run(store)
    store.save_profile(key_of(run_id), measure_profile(NAMES, MATRIX, "similarity"))
    assert store.read_profile(key_of(run_id, **changes)) is None


def test_a_profile_is_replaced_and_goes_with_its_run(store: Store, samples: Any) -> None:
    run_id = samples.finished_run(store)
    store.save_profile(key_of(run_id), measure_profile(NAMES, MATRIX, "similarity"))
    newer = measure_profile(NAMES, MATRIX**2, "similarity")
    store.save_profile(key_of(run_id), newer)
    found = store.read_profile(key_of(run_id))
    assert found is not None
    assert same(found, newer)
    store.delete_run(run_id)
    assert store.read_profile(key_of(run_id)) is None


def intervals_of(plan: IntervalPlan, low: float) -> ProfileIntervals:
    ends = tuple(Interval(low, low + place) for place in range(3))
    undefined = (Interval(None, None, reason="the number itself is undefined"), *ends[1:])
    numbers = {"smoothness": Interval(low, 1.0), "crossing": undefined[0]}
    return ProfileIntervals(
        plan, numbers, {"to_input": ends, "to_output": ends, "steps": undefined, "shares": undefined}
    )


def test_intervals_of_a_profile_are_read_back_as_they_were_kept(store: Store, samples: Any) -> None:
    key, plan = key_of(samples.finished_run(store)), IntervalPlan(1000, seed=7)
    store.save_profile_intervals(key, intervals_of(plan, 0.5))
    assert store.read_profile_intervals(key, plan) is None, "kept without the profile they belong to"
    store.save_profile(key, measure_profile(NAMES, MATRIX, "similarity"))
    for low in (0.5, 0.1 + 0.2):
        store.save_profile_intervals(key, intervals_of(plan, low))
    assert store.read_profile_intervals(key, plan) == intervals_of(plan, 0.1 + 0.2)
    for change in ({"seed": 8}, {"n_resamples": 999}, {"level": 0.9}, {"method": "bca"}):
        assert store.read_profile_intervals(key, replace(plan, **change)) is None
    assert store.read_profile_intervals(replace(key, transform="rank"), plan) is None


@pytest.mark.database
def test_profiles_and_their_intervals_are_rows_that_are_replaced_and_not_doubled(store: Store, samples: Any) -> None:
    key, plan = key_of(samples.finished_run(store)), IntervalPlan(1000, seed=7)
    for _ in range(2):
        store.save_profile(key, measure_profile(NAMES, MATRIX, "similarity"))
        store.save_profile_intervals(key, intervals_of(plan, 0.5))
    assert (store.read_table("profile_list").height, store.read_table("layer_profiles").height) == (1, 3)
    table = store.read_table("profile_interval_list")
    assert table.height == 14
    shares = table.filter(table["number"] == "share").sort("position")
    assert shares["layer"].to_list() == list(NAMES)
    assert table.filter(table["number"] == "smoothness")["layer"].to_list() == [None]


def test_intervals_go_with_their_profile(store: Store, samples: Any) -> None:
    key, plan = key_of(samples.finished_run(store)), IntervalPlan(1000)
    for _ in range(2):
        store.save_profile(key, measure_profile(NAMES, MATRIX, "similarity"))
        assert store.read_profile_intervals(key, plan) is None
        store.save_profile_intervals(key, intervals_of(plan, 0.5))
    store.delete_run(key.run_id)
    assert store.read_profile_intervals(key, plan) is None


@pytest.mark.database
def test_a_profile_of_an_older_definition_does_not_count(
    store: Store, samples: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = key_of(samples.finished_run(store))
    store.save_profile(key, measure_profile(NAMES, MATRIX, "similarity"))
    monkeypatch.setattr(definitions, "DEFINITION", definitions.DEFINITION + 1)
    assert store.read_profile(key) is None


def test_statistics_are_added_behind_those_that_are_there(store: Store, samples: Any) -> None:
    run_id = samples.finished_run(store)
    before = [item.result.name for item in store.read_statistics(run_id) if item.layer == "mixed"]
    provider = samples.provider("later")
    vector = np.array([0.5, np.nan])
    for value in (1.0, 2.0):
        store.save_statistics(
            run_id,
            [
                LayerStatistic("mixed", "none", StatisticResult("spread", provider, value, "", vector)),
                LayerStatistic("mixed", "none", StatisticResult("none", provider, None, "why not")),
            ],
        )
    found = [item.result for item in store.read_statistics(run_id) if item.layer == "mixed"]
    assert [result.name for result in found] == [*before, "spread", "none"]
    assert (found[-2].value, found[-1].value, found[-1].reason) == (2.0, None, "why not")
    assert found[-2].vector is not None
    assert np.array_equal(found[-2].vector, vector, equal_nan=True)


def test_a_statistic_of_a_layer_that_is_not_stored_is_refused_and_nothing_is_added(
    store: Store, samples: Any
) -> None:
    run_id = samples.finished_run(store)
    before = len(store.read_statistics(run_id))
    result = StatisticResult("spread", samples.provider("later"), 1.0)
    with pytest.raises(InputError, match="no layer 'mixd' under 'none'; did you mean mixed"):
        store.save_statistics(
            run_id, [LayerStatistic("output", "none", result), LayerStatistic("mixd", "none", result)]
        )
    assert len(store.read_statistics(run_id)) == before
