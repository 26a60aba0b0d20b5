"""An overlay: a history that is only read, and what is computed from it kept in memory beside it.

Reports compute what is not stored yet, and ask for it again section by section. Over an overlay they can be made of
a history that somebody else owns, and leave no trace in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from layerwise.core.history.memory.kept import KeptResults
from layerwise.core.history.view import HistoryView

if TYPE_CHECKING:
    from layerwise.core.base.provider import Provider
    from layerwise.core.history.intervals import ComparisonInterval, ComparisonTest, IntervalPlan, PermutationPlan
    from layerwise.core.history.profiles import Profile, ProfileIntervals, ProfileKey
    from layerwise.core.history.protocols import HistoryProtocol
    from layerwise.core.history.records import Comparison, LayerStatistic, Ordering


class OverlayHistory(KeptResults, HistoryView):  # in this order: what is saved must never reach the view's history
    """The same history, in which what is saved stays in memory and is found beside what is stored.

    As safe to share between threads as the history beneath; what was kept is gone when the overlay is.
    """

    def __init__(self, history: HistoryProtocol) -> None:
        """Lie over `history`, to which nothing is written."""
        KeptResults.__init__(self)
        HistoryView.__init__(self, history)
        self._statistics: dict[tuple[object, ...], tuple[str, LayerStatistic]] = {}

    def read_statistics(self, run_id: str) -> list[LayerStatistic]:
        """Stored statistics, and those in memory."""
        with self._lock:
            kept = [item for owner, item in self._statistics.values() if owner == run_id]
        return [*self._history.read_statistics(run_id), *kept]

    def save_statistics(self, run_id: str, results: Sequence[LayerStatistic]) -> None:
        """Keep statistics in memory; those of the same name and provider are replaced."""
        with self._lock:
            for item in results:
                key = (run_id, item.layer, item.transform, item.result.name, item.result.provider)
                self._statistics[key] = (run_id, item)

    def read_comparisons(self, comparator: Provider, run_ids: Sequence[str]) -> list[Comparison]:
        """Stored comparisons, and those in memory."""
        stored = self._history.read_comparisons(comparator, run_ids)
        return [*stored, *super().read_comparisons(comparator, run_ids)]

    def read_intervals(
        self, comparator: Provider, plan: IntervalPlan, run_ids: Sequence[str]
    ) -> list[ComparisonInterval]:
        """Stored intervals, and those in memory."""
        stored = self._history.read_intervals(comparator, plan, run_ids)
        return [*stored, *super().read_intervals(comparator, plan, run_ids)]

    def read_tests(self, comparator: Provider, plan: PermutationPlan, run_ids: Sequence[str]) -> list[ComparisonTest]:
        """Stored tests, and those in memory."""
        stored = self._history.read_tests(comparator, plan, run_ids)
        return [*stored, *super().read_tests(comparator, plan, run_ids)]

    def read_profile(self, key: ProfileKey) -> Profile | None:
        """The profile in memory, or the stored one."""
        return super().read_profile(key) or self._history.read_profile(key)

    def read_profile_intervals(self, key: ProfileKey, plan: IntervalPlan) -> ProfileIntervals | None:
        """The intervals in memory, or the stored ones."""
        return super().read_profile_intervals(key, plan) or self._history.read_profile_intervals(key, plan)

    def read_orderings(self, run_id: str) -> list[Ordering]:
        """Stored orderings, and those in memory."""
        return [*self._history.read_orderings(run_id), *super().read_orderings(run_id)]
