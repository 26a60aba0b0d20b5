"""A full history in memory: for notebooks, and for tests that want a real history without a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from layerwise.core.base.errors import InputError
from layerwise.core.base.words import near_names
from layerwise.core.history.checks import describe_missing
from layerwise.core.history.listing import choose_runs, count_runs, count_values
from layerwise.core.history.memory.runs import keep_statistics
from layerwise.core.history.memory.writing import RunsInMemory, end_of
from layerwise.core.history.records import LayerAddress, RunFilter
from layerwise.core.history.references import (
    explain_missing,
    find_named,
    find_referenced,
    is_reference,
    only_named,
)
from layerwise.core.history.run_ids import LATEST, check_only, is_id_prefix

if TYPE_CHECKING:
    from layerwise.core.base.provider import Provider
    from layerwise.core.history.intervals import ComparisonInterval, ComparisonTest, IntervalPlan, PermutationPlan
    from layerwise.core.history.outputs import Outputs
    from layerwise.core.history.profiles import Profile, ProfileIntervals, ProfileKey
    from layerwise.core.history.records import (
        Comparison,
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


class MemoryHistory(RunsInMemory):
    """A history in the memory of this process; `Archive` of `layerwise.core.history.protocols`.

    It answers as one in a database does, claims included, and is gone when nothing refers to it any more. Any thread
    may call any method: one lock makes each call a transaction of its own. It belongs to one process and cannot be
    pickled: a copy in another one would be another history. Arrays are copied when they are saved, and what is given
    back cannot be written to.
    """

    def find_run(self, run: str) -> RunRecord:
        """The run with this id, unique prefix of an id, `latest` (the finished one that ended last), or a reference.

        Raises:
            InputError: If there is none, or the prefix is ambiguous.
        """
        if is_reference(run) and run not in self._runs:
            return find_referenced(self, run)
        with self._lock:
            if run == LATEST:
                ended = [one for one in self._runs.values() if one.recorded.status == "finished"]
                found = [max(ended, key=end_of).recorded.id] if ended else []
            elif run in self._runs:
                found = [run]
            else:
                prefix = run.strip().lower()
                found = sorted(i for i in self._runs if is_id_prefix(prefix) and i.startswith(prefix))
            if not found and (named := find_named(self, run)):
                return only_named(run, named)
            check_only(run, found, "" if found else explain_missing(self, run))
            return self._runs[found[0]].record

    def list_runs(self, where: RunFilter = _EVERYTHING) -> list[RunRecord]:
        """The runs that the filter means, newest first unless it says otherwise."""
        return choose_runs(self._records(), where)

    def count_runs(self, where: RunFilter = _EVERYTHING) -> int:
        """How many runs the filter means, whatever its limit."""
        return count_runs(self._records(), where)

    def count_values(self, field: RunField, where: RunFilter = _EVERYTHING) -> dict[str, int]:
        """How many of the runs that the filter means have each value of a field."""
        return count_values(self._records(), field, where)

    def find_request(self, digest: str) -> str | None:
        """The finished run that answers the request of this digest; None where none is known."""
        with self._lock:
            return self._requests.get(digest)

    def list_layers(self, run_id: str) -> list[Layer]:
        """The layers of a run whose representation is stored, in order of computation."""
        with self._lock:
            return self._runs[run_id].stored_layers() if run_id in self._runs else []

    def list_stimuli(self, run_id: str) -> list[StimulusRecord]:
        """The stimuli of a run, in order."""
        with self._lock:
            return list(self._runs[run_id].stimuli) if run_id in self._runs else []

    def read_representation(self, address: LayerAddress) -> Representation:
        """One stored representation.

        Raises:
            InputError: If there is none at that address.
        """
        return self.read_representations([address])[0]

    def read_representations(self, addresses: Sequence[LayerAddress]) -> list[Representation]:
        """Stored representations in the order asked for.

        Raises:
            InputError: If there is none at one of the addresses.
        """
        with self._lock:
            return [self._require_whole(address, layer) for address, layer in self._find_layers(addresses)]

    def open_layers(self, addresses: Sequence[LayerAddress]) -> Sequence[Pairs]:
        """The same, and pairs with landmarks: they are in memory anyway."""
        with self._lock:
            return [layer for _, layer in self._find_layers(addresses)]

    def _find_layers(self, addresses: Sequence[LayerAddress]) -> list[tuple[LayerAddress, Pairs]]:
        self._check_stored(addresses)
        return [(at, self._runs[at.run_id].representations[at.layer, at.transform]) for at in addresses]

    @staticmethod
    def _require_whole(address: LayerAddress, layer: Pairs) -> Representation:
        from layerwise.core.network.matrices.landmarks import describe_landmarks
        from layerwise.core.network.representation import Representation

        if not isinstance(layer, Representation):
            raise InputError(describe_landmarks(address.run_id, layer.landmarks or 0))
        return layer

    def read_statistics(self, run_id: str) -> list[LayerStatistic]:
        """All statistics of a run's layers, in order of computation; of several revisions of one, the newest."""
        with self._lock:
            return self._runs[run_id].list_statistics() if run_id in self._runs else []

    def save_statistics(self, run_id: str, results: Sequence[LayerStatistic]) -> None:
        """Add statistics to stored layers; those of the same name and provider are replaced.

        Raises:
            InputError: If a layer is not stored under its transform; then none is added.
        """
        kept = [replace(item, result=keep_statistics([item.result], f"run {run_id}")[0]) for item in results]
        with self._lock:
            places = self._runs[run_id].representations if run_id in self._runs else {}
            for item in kept:
                if (item.layer, item.transform) not in places:
                    near = near_names(item.layer, [layer for layer, _ in places])
                    raise InputError(f"run {run_id} has no layer '{item.layer}' under '{item.transform}'{near}")
            for item in kept:
                self._runs[run_id].add_statistic(item)

    def read_weights(self, run_id: str) -> list[WeightResult]:
        """The weight tensors of a run's model, in order, with the statistics that were computed for this run."""
        with self._lock:
            if run_id not in self._runs:
                return []
            mine = self._runs[run_id]
            same = [run for run in self._runs.values() if run.recorded.model == mine.recorded.model]
            tensors = {one.name: replace(one, statistics=()) for run in same for one in run.weights}
            tensors |= {one.name: one for one in mine.weights}
            return sorted(tensors.values(), key=lambda one: one.position)

    def read_predictions(self, run_id: str) -> list[Prediction]:
        """The most probable classes, by stimulus and rank."""
        with self._lock:
            return list(self._runs[run_id].predictions) if run_id in self._runs else []

    def read_outputs(self, run_id: str) -> Outputs | None:
        """The whole output of a run; None where it was not kept."""
        with self._lock:
            return self._runs[run_id].outputs if run_id in self._runs else None

    # What is computed from representations is kept only of those that are there, as a database keeps it.

    def read_comparisons(self, comparator: Provider, run_ids: Sequence[str]) -> list[Comparison]:
        """Kept comparisons by this comparator among the layers of these runs, in order of computation."""
        with self._lock:
            found = super().read_comparisons(comparator, run_ids)
            return sorted(found, key=lambda row: (*self._place(row.first), *self._place(row.second)))

    def save_comparisons(self, comparisons: Sequence[Comparison]) -> None:
        """Keep comparisons; those of the same comparator, settings and pair are replaced.

        Raises:
            InputError: If a layer that was compared is not stored; so do all that save what is computed.
        """
        with self._lock:
            self._check_stored(end for row in comparisons for end in (row.first, row.second))
            super().save_comparisons(comparisons)

    def save_intervals(self, plan: IntervalPlan, intervals: Sequence[ComparisonInterval]) -> None:
        """Keep intervals made in this way; those of the same comparator and pair are replaced."""
        with self._lock:
            self._check_stored(end for row in intervals for end in (row.first, row.second))
            super().save_intervals(plan, intervals)

    def save_tests(self, plan: PermutationPlan, tests: Sequence[ComparisonTest]) -> None:
        """Keep permutation tests made in this way; those of the same comparator and pair are replaced."""
        with self._lock:
            self._check_stored(end for row in tests for end in (row.first, row.second))
            super().save_tests(plan, tests)

    def save_profile(self, key: ProfileKey, profile: Profile) -> None:
        """Keep a profile; one of the same key is replaced, and its intervals go."""
        with self._lock:
            if key.run_id not in self._runs:
                raise InputError(f"there is no run '{key.run_id}'")
            super().save_profile(key, profile)

    def save_profile_intervals(self, key: ProfileKey, found: ProfileIntervals) -> None:
        """Keep intervals of a profile that is kept, and nothing otherwise; those made alike are replaced."""
        with self._lock:
            if self.read_profile(key) is not None:
                super().save_profile_intervals(key, found)

    def read_orderings(self, run_id: str) -> list[Ordering]:
        """Kept orderings of a run, by layer in order of computation, then reorderer."""
        with self._lock:
            found = super().read_orderings(run_id)
            return sorted(
                found,
                key=lambda one: (
                    self._place(one.address),
                    one.reorderer.name,
                    one.reorderer.revision,
                    one.reorderer.parameters,
                ),
            )

    def save_ordering(self, ordering: Ordering) -> None:
        """Keep an ordering; one of the same reorderer, settings and layer is replaced."""
        with self._lock:
            self._check_stored([ordering.address])
            super().save_ordering(ordering)

    def _records(self) -> list[RunRecord]:
        """All runs, newest first."""
        with self._lock:
            return [run.record for run in self._newest_first()]

    def _check_stored(self, addresses: Iterable[LayerAddress]) -> None:
        for address in addresses:
            run = self._runs.get(address.run_id)
            if run is None or (address.layer, address.transform) not in run.representations:
                raise InputError(describe_missing(address, [] if run is None else run.addresses()))

    def _place(self, address: LayerAddress) -> tuple[str, int]:
        return address.run_id, self._runs[address.run_id].layers[address.layer].position
