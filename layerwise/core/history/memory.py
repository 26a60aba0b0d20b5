"""A history that may be read but not written: what is computed from it is kept in memory, beside it.

Reports compute what is not stored yet, and ask for it again section by section. Over an overlay they can be made of
a history that somebody else owns, and leave no trace in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from layerwise.core.base.provider import Provider
    from layerwise.core.history.intervals import ComparisonInterval, ComparisonTest, IntervalPlan, PermutationPlan
    from layerwise.core.history.profiles import Profile, ProfileIntervals, ProfileKey
    from layerwise.core.history.protocols import HistoryProtocol
    from layerwise.core.history.records import Comparison, LayerAddress, Ordering

Pair = tuple["Provider", "LayerAddress", "LayerAddress"]


def overlay(history: HistoryProtocol) -> HistoryProtocol:
    """The same history, in which what is saved stays in memory and is found again."""
    return cast("HistoryProtocol", _Overlay(history))


class _Overlay:
    """Answers from memory first; all that is not about kept results is the history's own."""

    def __init__(self, history: HistoryProtocol) -> None:
        self._history = history
        self._comparisons: dict[Pair, Comparison] = {}
        self._intervals: dict[tuple[IntervalPlan, Pair], ComparisonInterval] = {}
        self._tests: dict[tuple[PermutationPlan, Pair], ComparisonTest] = {}
        self._profiles: dict[ProfileKey, Profile] = {}
        self._profile_intervals: dict[tuple[ProfileKey, IntervalPlan], ProfileIntervals] = {}
        self._orderings: list[Ordering] = []

    def __getattr__(self, name: str) -> Any:
        """Whatever only reads."""
        if name.startswith("save_"):
            raise AttributeError(f"an overlay cannot {name}")
        return getattr(self._history, name)

    def read_comparisons(self, comparator: Provider, run_ids: Sequence[str]) -> list[Comparison]:
        """Stored comparisons, and those in memory."""
        stored = self._history.read_comparisons(comparator, run_ids)
        kept = [found for key, found in self._comparisons.items() if _concerns(key, comparator, run_ids)]
        return [*stored, *kept]

    def save_comparisons(self, comparisons: Sequence[Comparison]) -> None:
        """Keep comparisons in memory."""
        self._comparisons |= {_pair(found): found for found in comparisons}

    def read_intervals(
        self, comparator: Provider, plan: IntervalPlan, run_ids: Sequence[str]
    ) -> list[ComparisonInterval]:
        """Stored intervals, and those in memory."""
        kept = [
            found
            for (made, key), found in self._intervals.items()
            if made == plan and _concerns(key, comparator, run_ids)
        ]
        return [*self._history.read_intervals(comparator, plan, run_ids), *kept]

    def save_intervals(self, plan: IntervalPlan, intervals: Sequence[ComparisonInterval]) -> None:
        """Keep intervals in memory."""
        self._intervals |= {(plan, _pair(found)): found for found in intervals}

    def read_tests(self, comparator: Provider, plan: PermutationPlan, run_ids: Sequence[str]) -> list[ComparisonTest]:
        """Stored tests, and those in memory."""
        kept = [
            found
            for (made, key), found in self._tests.items()
            if made == plan and _concerns(key, comparator, run_ids)
        ]
        return [*self._history.read_tests(comparator, plan, run_ids), *kept]

    def save_tests(self, plan: PermutationPlan, tests: Sequence[ComparisonTest]) -> None:
        """Keep tests in memory."""
        self._tests |= {(plan, _pair(found)): found for found in tests}

    def read_profile(self, key: ProfileKey) -> Profile | None:
        """The profile in memory, or the stored one."""
        return self._profiles.get(key) or self._history.read_profile(key)

    def save_profile(self, key: ProfileKey, profile: Profile) -> None:
        """Keep a profile in memory."""
        self._profiles[key] = profile

    def read_profile_intervals(self, key: ProfileKey, plan: IntervalPlan) -> ProfileIntervals | None:
        """The intervals in memory, or the stored ones."""
        return self._profile_intervals.get((key, plan)) or self._history.read_profile_intervals(key, plan)

    def save_profile_intervals(self, key: ProfileKey, found: ProfileIntervals) -> None:
        """Keep intervals of a profile in memory."""
        self._profile_intervals[key, found.plan] = found

    def read_orderings(self, run_id: str) -> list[Ordering]:
        """Stored orderings, and those in memory."""
        return [*self._history.read_orderings(run_id), *(o for o in self._orderings if o.address.run_id == run_id)]

    def save_ordering(self, ordering: Ordering) -> None:
        """Keep an ordering in memory."""
        self._orderings.append(ordering)


def _pair(found: Comparison | ComparisonInterval | ComparisonTest) -> Pair:
    return found.comparator, found.first, found.second


def _concerns(key: Pair, comparator: Provider, run_ids: Sequence[str]) -> bool:
    made_by, first, second = key
    return made_by == comparator and first.run_id in run_ids and second.run_id in run_ids
