"""The protocols of a history: what runs, analyses and reports need of one, without knowing a database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from layerwise.core.base.provider import Provider
from layerwise.core.history.records import (
    Accuracy,
    Claim,
    Comparison,
    LayerAddress,
    LayerResult,
    LayerStatistic,
    Ordering,
    Prediction,
    RunField,
    RunFilter,
    RunHeader,
    RunRecord,
    StimulusRecord,
    WeightResult,
)
from layerwise.core.network.layers import Layer

if TYPE_CHECKING:
    from layerwise.core.history.costs import RunCosts
    from layerwise.core.history.intervals import ComparisonInterval, ComparisonTest, IntervalPlan, PermutationPlan
    from layerwise.core.history.outputs import Outputs
    from layerwise.core.history.profiles import Profile, ProfileIntervals, ProfileKey
    from layerwise.core.network.matrices.pairs import Pairs
    from layerwise.core.network.representation import Representation


class LayerStore(Protocol):
    """Where what is computed of a run is written."""

    def save_layer(self, claim: Claim, result: LayerResult) -> None:
        """Write one finished layer; once written it survives whatever happens to the run.

        Raises:
            LayerwiseError: If the claim is not held any more; so do all that write.
        """

    def save_weights(self, claim: Claim, weights: Sequence[WeightResult]) -> None:
        """Write the statistics of the run's model's weights, replacing those of the same provider."""

    def save_predictions(self, claim: Claim, predictions: Sequence[Prediction], accuracy: Accuracy | None) -> None:
        """Write the most probable classes of each stimulus, and the accuracy where labels are known."""

    def save_outputs(self, claim: Claim, outputs: Outputs) -> None:
        """Write the whole output, replacing what is there.

        Raises:
            LayerwiseError: If it is no (n, n_classes) array of float32 or float16.
        """


class RunStore(LayerStore, Protocol):
    """Where the engine writes.

    Whoever begins a run gets a claim, and owns the run until it finishes, fails or discards it, or until another
    process takes it over because this one counts as dead. Every write presents the claim: one that is not held any
    more changes nothing. So nobody can write to, fail or delete what somebody else goes on with.

    Every call is one transaction, in which the claim is looked at, too. A store may be used by several threads at
    once, and a claim be handed from one to another; whether its run is alive goes by the process that began it.
    """

    def begin_run(self, header: RunHeader, *, force: bool = False) -> Claim:
        """Claim the analysis `header.key`: new, resumed where it was interrupted, or already finished.

        `force` starts a new run even where a finished or interrupted one is there. Of several that ask at the same
        time one gets the claim.

        Raises:
            InputError: If another live process, or another thread of this one, is computing the same analysis now.
        """

    def keep_alive(self, claim: Claim) -> AbstractContextManager[None]:
        """While within, see that the run counts as alive, however long the work gives no news and the store is busy.

        Never raises into the work. Once it is left, nobody computes the run any more, finished or not.
        """

    def write_together(self) -> AbstractContextManager[None]:
        """One transaction for all that this thread writes within: all of it is kept, or nothing.

        For a run that is computed already. What takes long is not done within: other writers wait.
        """

    def rest(self) -> None:
        """Let go of files and connections until the next call."""

    def finish_run(self, claim: Claim, timings: Mapping[str, float], costs: RunCosts | None = None) -> None:
        """Mark the run finished; `timings` (seconds by stage) are added to those of earlier attempts.

        `costs` are those of the attempt that ends with it.
        """

    def count_bytes(self) -> int | None:
        """Bytes that the history takes up on disk; None where it is on none."""

    def fail_run(self, claim: Claim, error: str, *, interrupted: bool = False) -> None:
        """Mark the run failed or interrupted; it can be resumed either way. Nothing, if the claim is not held."""

    def remember_request(self, digest: str, run_id: str) -> None:
        """Keep under the digest of a request which finished run answers it; an earlier answer is replaced."""

    def discard_run(self, claim: Claim) -> None:
        """Take the run out, with everything that belongs to it. Nothing, if the claim is not held."""


class HistoryProtocol(Protocol):
    """What has been stored, for reading; and what is computed from it and kept."""

    def find_run(self, run: str) -> RunRecord:
        """The run with this id, unique prefix of an id, `latest` (the newest finished one), or a reference.

        Raises:
            InputError: If there is none, or the prefix is ambiguous.
        """

    def list_runs(self, where: RunFilter = RunFilter()) -> list[RunRecord]:  # noqa: B008 - frozen
        """The runs that the filter means, newest first unless it says otherwise."""

    def count_runs(self, where: RunFilter = RunFilter()) -> int:  # noqa: B008 - frozen
        """How many runs the filter means, whatever its limit."""

    def count_values(self, field: RunField, where: RunFilter = RunFilter()) -> dict[str, int]:  # noqa: B008 - frozen
        """How many of the runs that the filter means have each value of a field; those without one do not count."""

    def find_request(self, digest: str) -> str | None:
        """The finished run that answers the request of this digest; None where none is known."""

    def list_layers(self, run_id: str) -> list[Layer]:
        """The layers of a run whose representation is stored, in order of computation."""

    def list_stimuli(self, run_id: str) -> list[StimulusRecord]:
        """The stimuli of a run, in order."""

    def read_representation(self, address: LayerAddress) -> Representation:
        """One stored representation.

        Raises:
            InputError: If there is none at that address, or only pairs with landmarks, which `open_layers` gives.
            LayerwiseError: If what is stored fails its checksum.
        """

    def read_representations(self, addresses: Sequence[LayerAddress]) -> list[Representation]:
        """Stored representations in the order asked for, in one go: much faster than one by one.

        Raises:
            InputError: If there is none at one of the addresses.
            LayerwiseError: If what is stored of one fails its checksum.
        """

    def open_layers(self, addresses: Sequence[LayerAddress]) -> Sequence[Pairs]:
        """The same, for whoever needs no matrix: pairs are read a few rows at a time, whenever they are asked for.

        Raises:
            InputError: If there is none at one of the addresses.
            LayerwiseError: If something is damaged, also later on.
        """

    def read_statistics(self, run_id: str) -> list[LayerStatistic]:
        """All statistics of a run's layers, in order of computation; of several revisions of one, the newest."""

    def read_weights(self, run_id: str) -> list[WeightResult]:
        """The weight tensors of a run's model with their statistics, in order."""

    def read_predictions(self, run_id: str) -> list[Prediction]:
        """The most probable classes, by stimulus and rank."""

    def read_outputs(self, run_id: str) -> Outputs | None:
        """The whole output of a run; None where it was not kept.

        Raises:
            LayerwiseError: If what is stored fails its checksum.
        """

    def read_comparisons(self, comparator: Provider, run_ids: Sequence[str]) -> list[Comparison]:
        """Stored comparisons by this comparator, revision and settings among the layers of these runs."""

    def save_comparisons(self, comparisons: Sequence[Comparison]) -> None:
        """Keep comparisons; those of the same comparator, revision, settings and pair are replaced."""

    def read_intervals(
        self, comparator: Provider, plan: IntervalPlan, run_ids: Sequence[str]
    ) -> list[ComparisonInterval]:
        """Stored intervals by this comparator, made in this way, among the layers of these runs."""

    def save_intervals(self, plan: IntervalPlan, intervals: Sequence[ComparisonInterval]) -> None:
        """Keep intervals made in this way; those of the same comparator and pair are replaced."""

    def read_tests(self, comparator: Provider, plan: PermutationPlan, run_ids: Sequence[str]) -> list[ComparisonTest]:
        """Stored permutation tests by this comparator, made in this way, among the layers of these runs."""

    def save_tests(self, plan: PermutationPlan, tests: Sequence[ComparisonTest]) -> None:
        """Keep permutation tests made in this way; those of the same comparator and pair are replaced."""

    def read_profile(self, key: ProfileKey) -> Profile | None:
        """The kept profile, None where there is none of the present definition."""

    def save_profile(self, key: ProfileKey, profile: Profile) -> None:
        """Keep a profile; one of the same key is replaced."""

    def read_profile_intervals(self, key: ProfileKey, plan: IntervalPlan) -> ProfileIntervals | None:
        """The kept intervals of a profile, made in this way; None where there are none."""

    def save_profile_intervals(self, key: ProfileKey, found: ProfileIntervals) -> None:
        """Keep intervals of a profile that is kept, and nothing otherwise; those made alike are replaced."""

    def save_statistics(self, run_id: str, results: Sequence[LayerStatistic]) -> None:
        """Add statistics to stored layers; those of the same name, provider and revision are replaced.

        Raises:
            InputError: If a layer is not stored under its transform.
        """

    def read_orderings(self, run_id: str) -> list[Ordering]:
        """Stored orderings of a run."""

    def save_ordering(self, ordering: Ordering) -> None:
        """Keep an ordering; one of the same reorderer, revision, settings and layer is replaced."""


class Archive(RunStore, HistoryProtocol, Protocol):
    """Both: what a run is written to and answered from."""
