"""An overlay keeps what is computed from a history in memory, and leaves the history as it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from layerwise.core.base.provider import Provider
from layerwise.core.history.intervals import ComparisonInterval, ComparisonTest, IntervalPlan, PermutationPlan
from layerwise.core.history.memory import overlay
from layerwise.core.history.profiles import ProfileIntervals
from layerwise.core.history.records import Comparison, LayerAddress, Ordering

CKA = Provider("layerwise:cka", "1")
FIRST, SECOND, ELSEWHERE = LayerAddress("a", "x"), LayerAddress("b", "y"), LayerAddress("c", "z")


@dataclass
class Stored:
    """A history that holds one comparison and one ordering, and can only be read."""

    kept: list[Any] = field(default_factory=lambda: [Comparison(CKA, FIRST, FIRST, 1.0)])

    def read_comparisons(self, comparator: Provider, run_ids: Any) -> list[Any]:
        return [found for found in self.kept if found.comparator == comparator]

    def read_intervals(self, *asked: Any) -> list[Any]:
        return []

    read_tests = read_intervals

    def read_profile(self, key: Any) -> Any:
        return "stored" if key == "known" else None

    def read_profile_intervals(self, *asked: Any) -> None:
        return None

    def read_orderings(self, run_id: str) -> list[Any]:
        return []

    def find_run(self, run: str) -> str:
        return f"run {run}"


def test_what_is_saved_is_found_beside_what_was_stored() -> None:
    history: Any = overlay(Stored())  # type: ignore[arg-type]
    fresh = Comparison(CKA, FIRST, SECOND, 0.5)
    history.save_comparisons([fresh, Comparison(CKA, FIRST, ELSEWHERE, 0.1)])
    assert history.read_comparisons(CKA, ["a", "b"]) == [Comparison(CKA, FIRST, FIRST, 1.0), fresh]
    assert history.read_comparisons(Provider("layerwise:cka", revision=2), ["a", "b"]) == []


def test_a_later_value_takes_the_place_of_an_earlier_one() -> None:
    history: Any = overlay(Stored(kept=[]))  # type: ignore[arg-type]
    for value in (0.5, 0.7):
        history.save_comparisons([Comparison(CKA, FIRST, SECOND, value)])
    assert [found.value for found in history.read_comparisons(CKA, ["a", "b"])] == [0.7]


def test_intervals_and_tests_are_kept_by_how_they_were_made() -> None:
    history: Any = overlay(Stored())  # type: ignore[arg-type]
    interval, tested = ComparisonInterval(CKA, FIRST, SECOND, 0.1, 0.2), ComparisonTest(CKA, FIRST, SECOND, 0.04)
    history.save_intervals(IntervalPlan(100), [interval])
    history.save_tests(PermutationPlan(100), [tested])
    assert history.read_intervals(CKA, IntervalPlan(100), ["a", "b"]) == [interval]
    assert history.read_intervals(CKA, IntervalPlan(200), ["a", "b"]) == []
    assert history.read_tests(CKA, PermutationPlan(100), ["a", "b"]) == [tested]
    assert history.read_tests(CKA, PermutationPlan(100, seed=1), ["a", "b"]) == []


def test_profiles_and_orderings_are_kept_too() -> None:
    history: Any = overlay(Stored())  # type: ignore[arg-type]
    history.save_profile("new", "made")
    assert [history.read_profile(key) for key in ("new", "known", "other")] == ["made", "stored", None]
    intervals = ProfileIntervals(IntervalPlan(100), {}, {})
    history.save_profile_intervals("new", intervals)
    assert history.read_profile_intervals("new", IntervalPlan(100)) == intervals
    assert history.read_profile_intervals("new", IntervalPlan(200)) is None
    ordering = Ordering(Provider("layerwise:label", "1"), FIRST, (1, 0))
    history.save_ordering(ordering)
    assert history.read_orderings("a") == [ordering]
    assert history.read_orderings("b") == []


def test_everything_else_is_the_history_s_own_but_nothing_is_written_to_it() -> None:
    history: Any = overlay(Stored())  # type: ignore[arg-type]
    assert history.find_run("a") == "run a"
    with pytest.raises(AttributeError, match="an overlay cannot save_layer"):
        history.save_layer("a", None)
