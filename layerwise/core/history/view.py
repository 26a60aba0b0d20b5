"""A view of another history: what wraps one and changes a few of its answers starts from here.

A subclass overrides what it answers itself; everything else is passed on, method by method, so that mypy and the
test of this module see when the protocol grows and a view does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from layerwise.core.history.records import RunFilter

if TYPE_CHECKING:
    from layerwise.core.base.provider import Provider
    from layerwise.core.history.intervals import ComparisonInterval, ComparisonTest, IntervalPlan, PermutationPlan
    from layerwise.core.history.outputs import Outputs
    from layerwise.core.history.profiles import Profile, ProfileIntervals, ProfileKey
    from layerwise.core.history.protocols import HistoryProtocol
    from layerwise.core.history.records import (
        Comparison,
        LayerAddress,
        LayerStatistic,
        Ordering,
        Prediction,
        RunField,
        RunRecord,
        StimulusRecord,
        WeightResult,
    )
    from layerwise.core.network.layers import Layer
    from layerwise.core.network.matrices.pairs import Pairs
    from layerwise.core.network.representation import Representation


_EVERYTHING = RunFilter()


class HistoryView:
    """Passes every question, and everything to be kept, on to the history behind it; see `HistoryProtocol`."""

    def __init__(self, history: HistoryProtocol) -> None:
        """Stand before `history`, which stays open for as long as its owner keeps it."""
        self._history = history

    def find_run(self, run: str) -> RunRecord:
        """The run with this id, unique prefix of an id, `latest` (the newest finished one) or a reference."""
        return self._history.find_run(run)

    def list_runs(self, where: RunFilter = _EVERYTHING) -> list[RunRecord]:
        """The runs that the filter means, newest first unless it says otherwise."""
        return self._history.list_runs(where)

    def count_runs(self, where: RunFilter = _EVERYTHING) -> int:
        """How many runs the filter means, whatever its limit."""
        return self._history.count_runs(where)

    def count_values(self, field: RunField, where: RunFilter = _EVERYTHING) -> dict[str, int]:
        """How many of the runs that the filter means have each value of a field; those without one do not count."""
        return self._history.count_values(field, where)

    def find_request(self, digest: str) -> str | None:
        """The finished run that answers the request of this digest; None where none is known."""
        return self._history.find_request(digest)

    def list_layers(self, run_id: str) -> list[Layer]:
        """The layers of a run whose representation is stored, in order of computation."""
        return self._history.list_layers(run_id)

    def list_stimuli(self, run_id: str) -> list[StimulusRecord]:
        """The stimuli of a run, in order."""
        return self._history.list_stimuli(run_id)

    def read_representation(self, address: LayerAddress) -> Representation:
        """One stored representation."""
        return self._history.read_representation(address)

    def read_representations(self, addresses: Sequence[LayerAddress]) -> list[Representation]:
        """Stored representations in the order asked for, in one go: much faster than one by one."""
        return self._history.read_representations(addresses)

    def open_layers(self, addresses: Sequence[LayerAddress]) -> Sequence[Pairs]:
        """The same, for whoever needs no matrix."""
        return self._history.open_layers(addresses)

    def read_statistics(self, run_id: str) -> list[LayerStatistic]:
        """All statistics of a run's layers, in order of computation; of several revisions of one, the newest."""
        return self._history.read_statistics(run_id)

    def read_weights(self, run_id: str) -> list[WeightResult]:
        """The weight tensors of a run's model with their statistics, in order."""
        return self._history.read_weights(run_id)

    def read_predictions(self, run_id: str) -> list[Prediction]:
        """The most probable classes, by stimulus and rank."""
        return self._history.read_predictions(run_id)

    def read_outputs(self, run_id: str) -> Outputs | None:
        """The whole output of a run; None where it was not kept."""
        return self._history.read_outputs(run_id)

    def read_comparisons(self, comparator: Provider, run_ids: Sequence[str]) -> list[Comparison]:
        """Stored comparisons by this comparator, revision and settings among the layers of these runs."""
        return self._history.read_comparisons(comparator, run_ids)

    def save_comparisons(self, comparisons: Sequence[Comparison]) -> None:
        """Keep comparisons; those of the same comparator, revision, settings and pair are replaced."""
        self._history.save_comparisons(comparisons)

    def read_intervals(
        self, comparator: Provider, plan: IntervalPlan, run_ids: Sequence[str]
    ) -> list[ComparisonInterval]:
        """Stored intervals by this comparator, made in this way, among the layers of these runs."""
        return self._history.read_intervals(comparator, plan, run_ids)

    def save_intervals(self, plan: IntervalPlan, intervals: Sequence[ComparisonInterval]) -> None:
        """Keep intervals made in this way; those of the same comparator and pair are replaced."""
        self._history.save_intervals(plan, intervals)

    def read_tests(self, comparator: Provider, plan: PermutationPlan, run_ids: Sequence[str]) -> list[ComparisonTest]:
        """Stored permutation tests by this comparator, made in this way, among the layers of these runs."""
        return self._history.read_tests(comparator, plan, run_ids)

    def save_tests(self, plan: PermutationPlan, tests: Sequence[ComparisonTest]) -> None:
        """Keep permutation tests made in this way; those of the same comparator and pair are replaced."""
        self._history.save_tests(plan, tests)

    def read_profile(self, key: ProfileKey) -> Profile | None:
        """The kept profile, None where there is none of the present definition."""
        return self._history.read_profile(key)

    def save_profile(self, key: ProfileKey, profile: Profile) -> None:
        """Keep a profile; one of the same key is replaced."""
        self._history.save_profile(key, profile)

    def read_profile_intervals(self, key: ProfileKey, plan: IntervalPlan) -> ProfileIntervals | None:
        """The kept intervals of a profile, made in this way; None where there are none."""
        return self._history.read_profile_intervals(key, plan)

    def save_profile_intervals(self, key: ProfileKey, found: ProfileIntervals) -> None:
        """Keep intervals of a profile that is kept, and nothing otherwise; those made alike are replaced."""
        self._history.save_profile_intervals(key, found)

    def save_statistics(self, run_id: str, results: Sequence[LayerStatistic]) -> None:
        """Add statistics to stored layers; those of the same name, provider and revision are replaced."""
        self._history.save_statistics(run_id, results)

    def read_orderings(self, run_id: str) -> list[Ordering]:
        """Stored orderings of a run."""
        return self._history.read_orderings(run_id)

    def save_ordering(self, ordering: Ordering) -> None:
        """Keep an ordering; one of the same reorderer, revision, settings and layer is replaced."""
        self._history.save_ordering(ordering)
