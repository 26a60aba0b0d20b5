"""What is computed from representations, kept in memory by who computed it, how, and from what.

Both histories in memory build on it: the full one, and the one that lies over another.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Generic, TypeVar

from layerwise.core.history.records import Comparison, LayerAddress, Ordering

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from layerwise.core.base.provider import Provider
    from layerwise.core.history.intervals import ComparisonInterval, ComparisonTest, IntervalPlan, PermutationPlan
    from layerwise.core.history.profiles import Profile, ProfileIntervals, ProfileKey

    Pairwise = TypeVar("Pairwise", Comparison, ComparisonInterval, ComparisonTest)
    Plan = IntervalPlan | PermutationPlan | None
    Concerns = Callable[[LayerAddress], bool]
    Array = TypeVar("Array", bound=np.generic)
else:
    Pairwise = TypeVar("Pairwise")


def keep(array: NDArray[Array]) -> NDArray[Array]:
    """A copy that nobody can change, whatever becomes of the original."""
    kept = array.copy()
    kept.flags.writeable = False
    return kept.view()  # of an array of its own, NumPy lets anybody take that back


class PairTable(Generic[Pairwise]):
    """Results for pairs of layers, by how they were made and by whom; a later one replaces an earlier one."""

    def __init__(self) -> None:
        self._rows: dict[tuple[Plan, Provider], dict[tuple[LayerAddress, LayerAddress], Pairwise]] = {}

    def save(self, plan: Plan, rows: Sequence[Pairwise]) -> None:
        """Keep results made in this way."""
        for row in rows:
            self._rows.setdefault((plan, row.comparator), {})[row.first, row.second] = row

    def read(self, plan: Plan, comparator: Provider, run_ids: Sequence[str]) -> list[Pairwise]:
        """Results made in this way by this comparator, among the layers of these runs."""
        rows, wanted = self._rows.get((plan, comparator), {}), set(run_ids)
        return [row for ends, row in rows.items() if all(end.run_id in wanted for end in ends)]

    def forget(self, concerns: Concerns) -> None:
        """Drop what was computed from a layer that `concerns` picks."""
        for how, rows in self._rows.items():
            self._rows[how] = {ends: row for ends, row in rows.items() if not any(map(concerns, ends))}


class KeptResults:
    """The part of `HistoryProtocol` that keeps what is computed from representations.

    Any thread may call any method; one lock guards everything, and subclasses that hold more share it.
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self._lock = threading.RLock()
        self._comparisons: PairTable[Comparison] = PairTable()
        self._intervals: PairTable[ComparisonInterval] = PairTable()
        self._tests: PairTable[ComparisonTest] = PairTable()
        self._profiles: dict[ProfileKey, Profile] = {}
        self._profile_intervals: dict[ProfileKey, dict[IntervalPlan, ProfileIntervals]] = {}
        self._orderings: dict[tuple[Provider, LayerAddress], Ordering] = {}

    def read_comparisons(self, comparator: Provider, run_ids: Sequence[str]) -> list[Comparison]:
        """Kept comparisons by this comparator and settings among the layers of these runs."""
        with self._lock:
            return self._comparisons.read(None, comparator, run_ids)

    def save_comparisons(self, comparisons: Sequence[Comparison]) -> None:
        """Keep comparisons; those of the same comparator, settings and pair are replaced."""
        plain = [row if row.value is None else replace(row, value=float(row.value)) for row in comparisons]
        with self._lock:
            self._comparisons.save(None, plain)

    def read_intervals(
        self, comparator: Provider, plan: IntervalPlan, run_ids: Sequence[str]
    ) -> list[ComparisonInterval]:
        """Kept intervals by this comparator, made in this way, among the layers of these runs."""
        with self._lock:
            return self._intervals.read(plan, comparator, run_ids)

    def save_intervals(self, plan: IntervalPlan, intervals: Sequence[ComparisonInterval]) -> None:
        """Keep intervals made in this way; those of the same comparator and pair are replaced."""
        with self._lock:
            self._intervals.save(plan, intervals)

    def read_tests(self, comparator: Provider, plan: PermutationPlan, run_ids: Sequence[str]) -> list[ComparisonTest]:
        """Kept permutation tests by this comparator, made in this way, among the layers of these runs."""
        with self._lock:
            return self._tests.read(plan, comparator, run_ids)

    def save_tests(self, plan: PermutationPlan, tests: Sequence[ComparisonTest]) -> None:
        """Keep permutation tests made in this way; those of the same comparator and pair are replaced."""
        with self._lock:
            self._tests.save(plan, tests)

    def read_profile(self, key: ProfileKey) -> Profile | None:
        """The kept profile, None where there is none."""
        with self._lock:
            return self._profiles.get(key)

    def save_profile(self, key: ProfileKey, profile: Profile) -> None:
        """Keep a profile; one of the same key is replaced, and its intervals go."""
        kept = replace(
            profile,
            to_input=keep(profile.to_input),
            to_output=keep(profile.to_output),
            steps=keep(profile.steps),
            shares=keep(profile.shares),
        )
        with self._lock:
            self._profiles[key] = kept
            self._profile_intervals.pop(key, None)

    def read_profile_intervals(self, key: ProfileKey, plan: IntervalPlan) -> ProfileIntervals | None:
        """The kept intervals of a profile, made in this way; None where there are none."""
        with self._lock:
            return self._profile_intervals.get(key, {}).get(plan)

    def save_profile_intervals(self, key: ProfileKey, found: ProfileIntervals) -> None:
        """Keep intervals of a profile; those made alike are replaced."""
        copied = replace(found, numbers=dict(found.numbers), curves=dict(found.curves))
        with self._lock:
            self._profile_intervals.setdefault(key, {})[found.plan] = copied

    def read_orderings(self, run_id: str) -> list[Ordering]:
        """Kept orderings of a run."""
        with self._lock:
            return [ordering for (_, address), ordering in self._orderings.items() if address.run_id == run_id]

    def save_ordering(self, ordering: Ordering) -> None:
        """Keep an ordering; one of the same reorderer, settings and layer is replaced."""
        plain = replace(ordering, permutation=tuple(int(index) for index in ordering.permutation))
        with self._lock:
            self._orderings[ordering.reorderer, ordering.address] = plain

    def _forget(self, concerns: Concerns) -> None:
        """Drop what was computed from the representations that `concerns` picks; a profile goes with its run."""
        self._comparisons.forget(concerns)
        self._intervals.forget(concerns)
        self._tests.forget(concerns)
        self._orderings = {key: kept for key, kept in self._orderings.items() if not concerns(key[1])}

    def _forget_profiles(self, run_id: str) -> None:
        self._profiles = {key: kept for key, kept in self._profiles.items() if key.run_id != run_id}
        self._profile_intervals = {k: kept for k, kept in self._profile_intervals.items() if k.run_id != run_id}
