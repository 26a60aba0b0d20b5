"""The tasks of a run on the workers of a Dask cluster.

A pass is two rounds of tasks: blocks of stimuli through the segment, into the shared place; then the sums of each
chunk, which workers merge in the order of the chunks, so that one matrix for each layer comes back here. Dask gives a
task that a lost worker had to another one, and a task whose result is not referred to any more is forgotten.
"""

from __future__ import annotations

import hashlib
import math
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
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
    merge_sums,
)

_BLOCK_BYTES = 2**27  # of activations that a task holds
_BLOCKS_PER_THREAD = 4  # so that no worker waits long for the last one
_SUMS_PER_THREAD = 2


@dataclass
class Chain:
    """The sums of a layer as far as they have been asked for.

    Attributes:
        future: Those of all its chunks so far.
        places: The chunks, and the passes that gave them.
    """

    future: Any
    places: list[tuple[PassWork, ChunkPlace]] = field(default_factory=list)


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
        self._futures: weakref.WeakSet[Any] = weakref.WeakSet()
        self._chains: dict[tuple[str, str], Chain] = {}
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
        place = (self._ticket, work.segment, work.number)
        futures = [self._submit(compute_rows, work, *place, *block) for block in blocks]
        waiting = as_completed(futures, loop=self._client.loop)
        del futures  # what is done is forgotten: were its worker lost, it would be done again
        for future in waiting:
            advance(future.result())

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
        """The sums of each layer, with its last chunk; those of its chunks are merged by workers, in their order.

        A few are under way, so that neither workers nor this process hold many (n, n) matrices.
        """
        running: deque[tuple[ChunkPlace, Any]] = deque()
        for place in work.chunks:
            if len(running) == self._n_threads * _SUMS_PER_THREAD:
                yield from self._finish(*running.popleft(), listeners)
            running.append((place, self._add(work, place)))
        while running:
            yield from self._finish(*running.popleft(), listeners)

    def _add(self, work: PassWork, place: ChunkPlace) -> Any:
        """Have a chunk summed, and added to those of its layer before it."""
        future = self._submit(compute_sums, work, self._ticket, work.segment, work.number, place.number)
        chain = self._chains.setdefault(place.target.key, Chain(future))
        if chain.places:
            chain.future = self._submit(merge_sums, work, chain.future, future, number=place.number)
        chain.places.append((work, place))
        return chain.future

    def _finish(
        self, place: ChunkPlace, future: Any, listeners: Callable[[ChunkPlace], Sequence[Listener]]
    ) -> Iterator[tuple[ChunkPlace, PartialSums]]:
        """Wait for what was asked for first; if that was the last chunk of its layer, that is complete."""
        from distributed import as_completed

        chain = self._chains[place.target.key]
        if place.columns.stop < place.n_features:
            for done in as_completed([future], loop=self._client.loop):
                if done.status != "finished":
                    done.result()  # raises
            return
        sums = future.result()
        del self._chains[place.target.key]
        told = listeners(place)
        for work, part in chain.places:
            if told:
                self._tell(told, work, part)
            self._place.remove(chunk_name(work, part))  # not before: a lost worker's sums are taken again
        yield place, sums

    def _tell(self, told: Sequence[Listener], work: PassWork, place: ChunkPlace) -> None:
        """Show a chunk to streamed statistics, whose states stay here: nothing asks authors for a merge."""
        values = self._place.read(chunk_name(work, place))
        settle_units(place, values, HostArrays())
        tell(told, place, values)

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
        self._chains.clear()
        forget_live(self._place.url)

    def _submit(
        self, function: Callable[..., Any], work: PassWork, *arguments: Any, number: int | None = None
    ) -> Any:
        """A task of this run; `number` tells it from others where its arguments do not."""
        told = arguments[3:] if number is None else (number,)
        name = "-".join(map(str, (function.__name__, work.segment, work.number, *told)))
        key = f"{name}-{self._place.url.rpartition('-')[2]}"
        future = self._client.submit(function, *arguments, key=key, pure=False)
        self._futures.add(future)
        return future


def block_rows(plan: StreamPlan, n_threads: int) -> int:
    """Stimuli of one task: whole batches, enough tasks for all workers, and not more than a task may hold."""
    places = [(index, number) for index, each in enumerate(plan.segments) for number in range(len(each.passes))]
    widest = max(sum(chunk.width for chunk in deal(plan, *place).chunks) for place in places)
    n_batches = math.ceil(plan.n_stimuli / plan.batch_size)
    most = _BLOCK_BYTES // max(1, widest * plan.batch_size * FLOAT_BYTES)
    return plan.batch_size * max(1, min(most, math.ceil(n_batches / (n_threads * _BLOCKS_PER_THREAD))))


def read_pixels(stimuli: LoadedStimuli, start: int, stop: int) -> NDArray[Any]:
    """Decoded stimuli from one place to another."""
    return np.asarray(stimuli.read(start, stop))
