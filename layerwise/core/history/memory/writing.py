"""Runs in memory: claimed, written to, finished, failed, taken out."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.history.costs import RunCosts
from layerwise.core.history.memory.kept import KeptResults
from layerwise.core.history.memory.runs import (
    MemoryRun,
    keep_outputs,
    keep_predictions,
    keep_representation,
    keep_statistics,
    start_run,
)
from layerwise.core.history.records import (
    Accuracy,
    Claim,
    LayerAddress,
    LayerResult,
    Prediction,
    RunHeader,
    WeightResult,
)
from layerwise.core.history.run_ids import new_run_id

if TYPE_CHECKING:
    from layerwise.core.history.outputs import Outputs


class RunsInMemory(KeptResults):
    """The writing half of a history in memory: `RunStore` of `layerwise.core.history.protocols`."""

    def __init__(self, name_run: Callable[[], str] = new_run_id) -> None:
        """Begin with nothing.

        Args:
            name_run: Names a new run; no name may come twice.
        """
        super().__init__()
        self._name_run = name_run
        self._runs: dict[str, MemoryRun] = {}
        self._requests: dict[str, str] = {}
        self._last_moment = datetime.min.replace(tzinfo=UTC)

    def begin_run(self, header: RunHeader, *, force: bool = False) -> Claim:
        """Claim the analysis `header.key`: new, resumed where it was interrupted, or already finished.

        Raises:
            InputError: If it is being computed now.
        """
        with self._lock:
            known = [run for run in self._newest_first() if run.recorded.key == header.key]
            finished = [run for run in known if run.recorded.status == "finished"]
            if finished and not force:
                return Claim(max(finished, key=end_of).recorded.id, finished=True)
            for run in known:
                if run.record.status == "running":
                    raise InputError(
                        f"run {run.recorded.id} is computing the same analysis now "
                        f"({_here()}, since {run.attempts[-1].started_at:%Y-%m-%d %H:%M:%S} UTC)"
                    )
            if len(known) > len(finished) and not force:
                run = next(run for run in known if run not in finished)
                run.resume(header, self._now())
                return run.claim
            run = start_run(self._name_run(), header, self._now())
            self._runs[run.recorded.id] = run
            return Claim(run.recorded.id, token=run.token)

    @contextmanager
    def keep_alive(self, claim: Claim) -> Iterator[None]:
        """While within, the run counts as alive; once it is left, nobody computes the run any more."""
        try:
            yield
        finally:
            with self._lock:
                run = self._runs.get(claim.run_id)
                if run is not None and run.token == claim.token:
                    run.held = False

    @contextmanager
    def write_together(self) -> Iterator[None]:
        """All that this thread writes within is kept, or nothing."""
        with self._lock:
            before = {run_id: run.copy() for run_id, run in self._runs.items()}
            try:
                yield
            except BaseException:
                self._runs = before
                raise

    def rest(self) -> None:
        """Nothing: it is all in memory."""

    def save_layer(self, claim: Claim, result: LayerResult) -> None:
        """Write one finished layer; one that is there already is replaced.

        Raises:
            LayerwiseError: If the claim is not held any more, or the result cannot be kept as it is.
        """
        what, place = f"run {claim.run_id}, layer '{result.layer}'", (result.layer, result.transform)
        representation = keep_representation(result.representation, what)
        statistics = keep_statistics(result.statistics, what)
        with self._lock:
            run = self._held(claim)
            if result.layer not in run.layers:
                raise LayerwiseError(f"{what}: the run was begun without it")
            if place in run.representations:
                replaced = LayerAddress(claim.run_id, *place)
                self._forget(lambda address: address == replaced)
            run.representations[place] = representation
            run.stored_in[place] = run.attempts[-1].number
            run.statistics[place] = {(found.name, found.provider): found for found in statistics}

    def save_weights(self, claim: Claim, weights: Sequence[WeightResult]) -> None:
        """Write the statistics of the run's model's weights, replacing those that are there."""
        kept = [replace(one, statistics=keep_statistics(one.statistics, f"weights '{one.name}'")) for one in weights]
        with self._lock:
            self._held(claim).weights = tuple(kept)

    def save_predictions(self, claim: Claim, predictions: Sequence[Prediction], accuracy: Accuracy | None) -> None:
        """Write the most probable classes of each stimulus, and the accuracy where labels are known."""
        with self._lock:
            run = self._held(claim)
            run.predictions = keep_predictions(predictions)
            run.recorded = replace(run.recorded, accuracy=None if accuracy is None else _plain(accuracy))

    def save_outputs(self, claim: Claim, outputs: Outputs) -> None:
        """Keep the whole output.

        Raises:
            LayerwiseError: If the claim is not held any more, or it is no (n, n_classes) array of floats.
        """
        kept = keep_outputs(outputs, f"run {claim.run_id}, outputs")
        with self._lock:
            self._held(claim).outputs = kept

    def finish_run(self, claim: Claim, timings: Mapping[str, float], costs: RunCosts | None = None) -> None:
        """Mark the run finished; `timings` (seconds by stage) are added to those of earlier attempts."""
        with self._lock:
            run = self._held(claim)
            total = dict(run.recorded.timings)
            for stage, seconds in timings.items():
                total[stage] = total.get(stage, 0.0) + seconds
            now = self._now()
            run.attempts[-1] = replace(run.attempts[-1], costs=costs)
            run.end("finished", now, finished_at=now, timings=total)

    def count_bytes(self) -> int | None:
        """None: it is on no disk."""
        return None

    def fail_run(self, claim: Claim, error: str, *, interrupted: bool = False) -> None:
        """Mark the run failed or interrupted; it can be resumed either way. Nothing, if the claim is not held."""
        with self._lock:
            run = self._find_held(claim)
            if run is not None:
                run.end("interrupted" if interrupted else "failed", self._now(), error)

    def discard_run(self, claim: Claim) -> None:
        """Take the run out, with everything that belongs to it. Nothing, if the claim is not held."""
        with self._lock:
            if self._find_held(claim) is not None:
                self._remove(claim.run_id)

    def remember_request(self, digest: str, run_id: str) -> None:
        """Keep under the digest of a request which finished run answers it; an earlier answer is replaced."""
        with self._lock:
            self._requests[digest] = run_id

    def delete_run(self, run_id: str) -> None:
        """Take a run out of the history.

        Raises:
            InputError: If there is no such run, or it is being computed now.
        """
        with self._lock:
            if run_id not in self._runs:
                raise InputError(f"there is no run '{run_id}'")
            if self._runs[run_id].record.status == "running":
                raise InputError(f"run {run_id} is being computed now ({_here()})")
            self._remove(run_id)

    def _remove(self, run_id: str) -> None:
        del self._runs[run_id]
        self._requests = {digest: run for digest, run in self._requests.items() if run != run_id}
        self._forget(lambda address: address.run_id == run_id)
        self._forget_profiles(run_id)

    def _find_held(self, claim: Claim) -> MemoryRun | None:
        run = self._runs.get(claim.run_id)
        held = run is not None and run.recorded.status == "running" and run.token == claim.token
        return run if held else None

    def _held(self, claim: Claim) -> MemoryRun:
        """The run that a claim may write to, and notes that it was written to."""
        run = self._runs.get(claim.run_id)
        if run is None:
            raise LayerwiseError(f"run {claim.run_id} is not in the history any more")
        if run.recorded.status != "running" or run.token != claim.token:
            why = f"it is {run.recorded.status}" if run.recorded.status != "running" else f"{_here()} goes on with it"
            raise LayerwiseError(f"run {claim.run_id} is not held by this process any more: {why}")
        run.touched_at = self._now()
        return run

    def _now(self) -> datetime:
        """The time, later with each call, so that what came first is always known."""
        self._last_moment = max(datetime.now(UTC), self._last_moment + timedelta(microseconds=1))
        return self._last_moment

    def _newest_first(self) -> list[MemoryRun]:
        return sorted(self._runs.values(), key=lambda run: run.recorded.started_at, reverse=True)


def end_of(run: MemoryRun) -> datetime:
    """When a run finished; long ago, where it has not."""
    return run.recorded.finished_at or datetime.min.replace(tzinfo=UTC)


def _plain(accuracy: Accuracy) -> Accuracy:
    return Accuracy(float(accuracy.top1), float(accuracy.top5), int(accuracy.n_labelled))


def _here() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"
