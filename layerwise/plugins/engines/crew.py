"""The tasks of a run on the workers of a Dask cluster.

A pass is two rounds of tasks: blocks of stimuli through the segment, into the shared place; then the sums of each
chunk, which come back here in the order of the pass. Dask gives a task that a lost worker had to another one.
"""

from __future__ import annotations

import hashlib
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.host.jobs import StreamJob
from layerwise.core.host.plans import StreamPlan
from layerwise.core.network.partial import PartialSums
from layerwise.core.network.stimuli import LoadedStimuli
from layerwise.core.runs.streaming.host_arrays import HostArrays
from layerwise.core.runs.streaming.plan import FLOAT_BYTES
from layerwise.core.runs.streaming.states import Listener
from layerwise.core.runs.streaming.tasks import ChunkPlace, PassWork, deal, settle_units, tell
from layerwise.plugins.engines.packing import pack
from layerwise.plugins.engines.shared import SharedPlace
from layerwise.plugins.engines.work import (
    JOB,
    LIVE,
    STIMULI,
    Ticket,
    chunk_name,
    compute_rows,
    compute_sums,
    end_name,
    forget_live,
)

_BLOCK_BYTES = 2**27  # of activations that a task holds
_BLOCKS_PER_THREAD = 4  # so that no worker waits long for the last one
_SUMS_PER_THREAD = 2


class DaskCrew:
    """Does the work of one pass after the other; see `stream.Crew`.

    Args:
        job: The job.
        client: A `distributed.Client`.
        place: Where it is shared.
        is_live: Whether workers are threads of this process, which take the job as it is.
    """

    def __init__(self, job: StreamJob, client: Any, place: SharedPlace, *, is_live: bool) -> None:
        self.job = job
        self._client = client
        self._place = place
        self._n_threads = max(1, sum(client.nthreads().values()))
        self._n_rows = block_rows(job.plan, self._n_threads)
        self._futures: set[Any] = set()
        self._ticket = self._share(is_live=is_live)

    def _share(self, *, is_live: bool) -> Ticket:
        """Put job and stimuli where workers find them."""
        packed = b"" if is_live else pack(self.job)
        self._place.write_bytes(JOB, packed)
        n_stimuli = self.job.plan.n_stimuli
        for start in range(0, n_stimuli, self._n_rows):
            pixels = read_pixels(self.job.stimuli, start, min(start + self._n_rows, n_stimuli))
            if not start:
                shape = pixels.shape[1:]
                self._place.make_array(STIMULI, (n_stimuli, *shape), (self._n_rows, *shape), pixels.dtype)
            self._place.write_block(STIMULI, start, pixels)
        if is_live:
            LIVE[self._place.url] = self.job
        return Ticket(self._place.url, hashlib.sha256(packed).hexdigest() if packed else "")

    def forward(self, work: PassWork, advance: Callable[[int], None]) -> None:
        """Every stimulus through the segment, in blocks of batches."""
        from distributed import as_completed

        self._make_arrays(work)
        n_stimuli = self.job.plan.n_stimuli
        blocks = [(start, min(start + self._n_rows, n_stimuli)) for start in range(0, n_stimuli, self._n_rows)]
        futures = [self._submit(compute_rows, work, *block) for block in blocks]
        for future in as_completed(futures, loop=self._client.loop):
            advance(self._take(future))

    def _make_arrays(self, work: PassWork) -> None:
        n_stimuli = self.job.plan.n_stimuli
        for chunk in work.chunks:
            self._place.make_array(chunk_name(work, chunk), (n_stimuli, chunk.width), (self._n_rows, chunk.width))
        if work.end is not None:
            shape = self.job.model.graph[work.outputs[work.end]].shape
            self._place.make_array(end_name(work.segment), (n_stimuli, *shape), (self._n_rows, *shape))

    def sums(
        self, work: PassWork, listeners: Callable[[ChunkPlace], Sequence[Listener]]
    ) -> Iterator[tuple[ChunkPlace, PartialSums]]:
        """Each chunk's sums, in order; a few are under way, so that neither workers nor this process hold many."""
        running: deque[tuple[ChunkPlace, Any]] = deque()
        for place in work.chunks:
            if len(running) == self._n_threads * _SUMS_PER_THREAD:
                yield self._next(work, running, listeners)
            running.append((place, self._submit(compute_sums, work, place.number)))
        while running:
            yield self._next(work, running, listeners)

    def _next(
        self,
        work: PassWork,
        running: deque[tuple[ChunkPlace, Any]],
        listeners: Callable[[ChunkPlace], Sequence[Listener]],
    ) -> tuple[ChunkPlace, PartialSums]:
        place, future = running.popleft()
        sums = self._take(future)
        told = listeners(place)
        if told:
            # States of streamed statistics stay here, whatever they are: nothing asks authors for a merge.
            values = np.array(self._place.read(chunk_name(work, place)))
            settle_units(place, values, HostArrays())
            tell(told, place, values)
        self._place.remove(chunk_name(work, place))
        return place, sums

    def fetch(self, gram: Any) -> Any:
        """A layer's products, which are here already."""
        return gram

    def forget(self, segment: int) -> None:
        """Remove the tensor at the end of a segment."""
        self._place.remove(end_name(segment))

    def close(self) -> None:
        """Call off what is under way."""
        with suppress(Exception):  # of a cluster that may be gone
            self._client.cancel(list(self._futures), force=True)
        self._futures.clear()
        forget_live(self._place.url)

    def _submit(self, function: Callable[..., Any], work: PassWork, *arguments: int) -> Any:
        name = "-".join(map(str, (function.__name__, work.segment, work.number, *arguments)))
        key = f"{name}-{self._place.url.rpartition('-')[2]}"  # of this run alone
        future = self._client.submit(
            function, self._ticket, work.segment, work.number, *arguments, key=key, pure=False
        )
        self._futures.add(future)
        return future

    def _take(self, future: Any) -> Any:
        """A result; the scheduler need not remember it, nor compute it again if its worker is lost."""
        result = future.result()
        self._futures.discard(future)
        future.release()
        return result


def block_rows(plan: StreamPlan, n_threads: int) -> int:
    """Stimuli of one task: whole batches, enough tasks for all workers, and not more than a task may hold."""
    places = [(index, number) for index, each in enumerate(plan.segments) for number in range(len(each.passes))]
    widest = max(sum(chunk.width for chunk in deal(plan, *place).chunks) for place in places)
    n_batches = math.ceil(plan.n_stimuli / plan.batch_size)
    most = _BLOCK_BYTES // max(1, widest * plan.batch_size * FLOAT_BYTES)
    return plan.batch_size * max(1, min(most, math.ceil(n_batches / (n_threads * _BLOCKS_PER_THREAD))))


def read_pixels(stimuli: LoadedStimuli, start: int, stop: int) -> NDArray[Any]:
    """Decoded stimuli from one place to another."""
    return np.asarray(stimuli.pixels[start:stop])
