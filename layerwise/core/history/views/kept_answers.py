"""A history that answers with what it has kept, and computes and keeps nothing: for looks that must be quick."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from layerwise.core.base.errors import InputError
from layerwise.core.history.view import HistoryView

if TYPE_CHECKING:
    from layerwise.core.history.intervals import ComparisonInterval, ComparisonTest, IntervalPlan, PermutationPlan
    from layerwise.core.history.profiles import Profile, ProfileIntervals, ProfileKey
    from layerwise.core.history.records import Comparison, LayerAddress, LayerStatistic, Ordering


class KeptAnswers(HistoryView):
    """Whoever asks for a representation, to compute from, is told that the answer was not kept."""

    def read_representation(self, address: LayerAddress) -> NoReturn:
        """None is given.

        Raises:
            InputError: Always.
        """
        raise InputError(f"what is asked of {address.layer} is not kept")

    def read_representations(self, addresses: Sequence[LayerAddress]) -> NoReturn:
        """None is given, as above."""
        self.read_representation(addresses[0])

    def open_layers(self, addresses: Sequence[LayerAddress]) -> NoReturn:
        """None is given, as above."""
        self.read_representation(addresses[0])

    def read_outputs(self, run_id: str) -> None:  # noqa: ARG002
        """None is given: what follows from outputs is resampled each time."""
        return

    def save_comparisons(self, comparisons: Sequence[Comparison]) -> None:
        """Nothing is kept, here and below."""

    def save_intervals(self, plan: IntervalPlan, intervals: Sequence[ComparisonInterval]) -> None:
        """Nothing."""

    def save_tests(self, plan: PermutationPlan, tests: Sequence[ComparisonTest]) -> None:
        """Nothing."""

    def save_profile(self, key: ProfileKey, profile: Profile) -> None:
        """Nothing."""

    def save_profile_intervals(self, key: ProfileKey, found: ProfileIntervals) -> None:
        """Nothing."""

    def save_statistics(self, run_id: str, results: Sequence[LayerStatistic]) -> None:
        """Nothing."""

    def save_ordering(self, ordering: Ordering) -> None:
        """Nothing."""
