"""Several histories that are asked as one: a run in memory can be compared with one in a database.

What is asked of one run goes to the history that has it. What is computed from runs of two histories belongs to
neither and is kept in memory, for as long as somebody holds the joint history.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from layerwise.core.history.memory.overlay import OverlayHistory
from layerwise.core.history.view import HistoryView

if TYPE_CHECKING:
    from layerwise.core.base.provider import Provider
    from layerwise.core.history.profiles import Profile, ProfileKey
    from layerwise.core.history.protocols import HistoryProtocol
    from layerwise.core.history.records import (
        Comparison,
        LayerAddress,
        LayerStatistic,
        Ordering,
        Prediction,
        RunRecord,
        StimulusRecord,
        WeightResult,
    )
    from layerwise.core.network.layers import Layer
    from layerwise.core.network.matrices.pairs import Pairs
    from layerwise.core.network.representation import Representation


class JoinedHistory(OverlayHistory):
    """One history, with runs of others in it; nothing is written to any of them.

    What is not about a run (lists, counts) is the first one's. As safe to share between threads as they are; they
    stay open for as long as their owners keep them.
    """

    def __init__(self, history: HistoryProtocol, others: Sequence[tuple[str, HistoryProtocol]]) -> None:
        """Put runs beside those of a history.

        Args:
            history: The history.
            others: Ids of runs that it has not, each with the history that has it.
        """
        super().__init__(_RoutedHistory(history, others))


class _RoutedHistory(HistoryView):
    """Sends what is asked of a run to the history that has it; an overlay keeps what is saved from reaching it."""

    def __init__(self, history: HistoryProtocol, others: Sequence[tuple[str, HistoryProtocol]]) -> None:
        super().__init__(history)
        self._others = dict(others)

    def _owner(self, run_id: str) -> HistoryProtocol:
        return self._others.get(run_id, self._history)

    def find_run(self, run: str) -> RunRecord:
        """The run with this id; what else names a run is the first history's."""
        return self._owner(run).find_run(run)

    def list_layers(self, run_id: str) -> list[Layer]:
        """The layers of a run whose representation is stored, in order of computation."""
        return self._owner(run_id).list_layers(run_id)

    def list_stimuli(self, run_id: str) -> list[StimulusRecord]:
        """The stimuli of a run, in order."""
        return self._owner(run_id).list_stimuli(run_id)

    def read_representation(self, address: LayerAddress) -> Representation:
        """One stored representation."""
        return self._owner(address.run_id).read_representation(address)

    def read_representations(self, addresses: Sequence[LayerAddress]) -> list[Representation]:
        """Stored representations in the order asked for."""
        return [self.read_representation(address) for address in addresses]

    def open_layers(self, addresses: Sequence[LayerAddress]) -> Sequence[Pairs]:
        """The same, for whoever needs no matrix."""
        return [self._owner(address.run_id).open_layers([address])[0] for address in addresses]

    def read_statistics(self, run_id: str) -> list[LayerStatistic]:
        """All statistics of a run's layers."""
        return self._owner(run_id).read_statistics(run_id)

    def read_weights(self, run_id: str) -> list[WeightResult]:
        """The weight tensors of a run's model with their statistics, in order."""
        return self._owner(run_id).read_weights(run_id)

    def read_predictions(self, run_id: str) -> list[Prediction]:
        """The most probable classes, by stimulus and rank."""
        return self._owner(run_id).read_predictions(run_id)

    def read_comparisons(self, comparator: Provider, run_ids: Sequence[str]) -> list[Comparison]:
        """Comparisons that one of the histories has stored."""
        distinct = {id(self._owner(run_id)): self._owner(run_id) for run_id in run_ids}.values()
        found: list[Comparison] = []
        for owner in distinct:
            own = [run_id for run_id in dict.fromkeys(run_ids) if self._owner(run_id) is owner]
            found += owner.read_comparisons(comparator, own)
        return found

    def read_profile(self, key: ProfileKey) -> Profile | None:
        """The kept profile."""
        return self._owner(key.run_id).read_profile(key)

    def read_orderings(self, run_id: str) -> list[Ordering]:
        """Stored orderings of a run."""
        return self._owner(run_id).read_orderings(run_id)
