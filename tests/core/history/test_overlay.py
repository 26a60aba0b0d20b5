"""An overlay keeps what is computed from a history in memory, and leaves the history as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from layerwise.core.analysis.profile import measure_profile
from layerwise.core.base.provider import Provider
from layerwise.core.history.intervals import ComparisonInterval, ComparisonTest, IntervalPlan, PermutationPlan
from layerwise.core.history.memory import OverlayHistory
from layerwise.core.history.profiles import ProfileIntervals, ProfileKey
from layerwise.core.history.records import Comparison, LayerAddress, LayerStatistic, Ordering, StatisticResult

CKA = Provider("layerwise:cka", "1")
FIRST, SECOND, ELSEWHERE = LayerAddress("run1", "a"), LayerAddress("run2", "b"), LayerAddress("run3", "c")
STORED = Comparison(CKA, FIRST, FIRST, 1.0)


@pytest.fixture
def stored(fake: Any) -> Any:
    """A history of three runs that holds one comparison."""
    history = fake.MadeHistory()
    for number, name in enumerate("abc", start=1):
        fake.add_rows(history, f"run{number}", {name: np.eye(4)})
    history.save_comparisons([STORED])
    return history


@pytest.fixture
def history(stored: Any) -> Any:
    """The overlay; afterwards what lies beneath is as it was."""
    yield OverlayHistory(stored)
    assert stored.comparisons == [STORED]
    assert stored.n_kept == 1
    assert stored.read_statistics("run1") == []


def test_what_is_saved_is_found_beside_what_was_stored(history: OverlayHistory) -> None:
    fresh = Comparison(CKA, FIRST, SECOND, 0.5)
    history.save_comparisons([fresh, Comparison(CKA, FIRST, ELSEWHERE, 0.1)])
    assert history.read_comparisons(CKA, ["run1", "run2"]) == [STORED, fresh]
    assert history.read_comparisons(Provider("layerwise:cka", "1", '{"k":5}'), ["run1", "run2"]) == []


def test_a_later_value_takes_the_place_of_an_earlier_one(history: OverlayHistory) -> None:
    for value in (0.5, 0.7):
        history.save_comparisons([Comparison(CKA, SECOND, SECOND, value)])
    assert [found.value for found in history.read_comparisons(CKA, ["run2"])] == [0.7]


def test_intervals_and_tests_are_kept_by_how_they_were_made(history: OverlayHistory) -> None:
    interval, tested = ComparisonInterval(CKA, FIRST, SECOND, 0.1, 0.2), ComparisonTest(CKA, FIRST, SECOND, 0.04)
    history.save_intervals(IntervalPlan(100), [interval])
    history.save_tests(PermutationPlan(100), [tested])
    assert history.read_intervals(CKA, IntervalPlan(100), ["run1", "run2"]) == [interval]
    assert history.read_intervals(CKA, IntervalPlan(200), ["run1", "run2"]) == []
    assert history.read_tests(CKA, PermutationPlan(100), ["run1", "run2"]) == [tested]
    assert history.read_tests(CKA, PermutationPlan(100, seed=1), ["run1", "run2"]) == []


def test_profiles_orderings_and_statistics_are_kept_too(history: OverlayHistory) -> None:
    key = ProfileKey("run1", ("a", "b"), CKA)
    profile, intervals = (
        measure_profile(key.layers, np.eye(2), "similarity"),
        ProfileIntervals(IntervalPlan(9), {}, {}),
    )
    assert history.read_profile(key) is None
    history.save_profile(key, profile)
    history.save_profile_intervals(key, intervals)
    found = history.read_profile(key)
    assert found is not None
    assert (found.layers, found.total) == (profile.layers, profile.total)
    assert history.read_profile_intervals(key, IntervalPlan(9)) == intervals
    assert history.read_profile_intervals(key, IntervalPlan(200)) is None
    ordering = Ordering(Provider("layerwise:label", "1"), FIRST, (1, 0))
    history.save_ordering(ordering)
    assert (history.read_orderings("run1"), history.read_orderings("run2")) == ([ordering], [])
    for value in (1.0, 2.0):
        late = LayerStatistic("a", "none", StatisticResult("late", CKA, value))
        history.save_statistics("run1", [late])
    assert (history.read_statistics("run1"), history.read_statistics("run2")) == ([late], [])


def test_everything_else_is_the_history_s_own(history: OverlayHistory, stored: Any) -> None:
    assert history.find_run("run1") == stored.find_run("run1")
    assert not hasattr(history, "save_layer")
