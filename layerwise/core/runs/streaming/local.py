"""The tasks of a run on the threads of this process.

While the network computes a batch, workers copy the one before it into the buffer; when all stimuli have passed,
workers sum the chunks, which are merged in their order. Where the network's tensors are on a device, `on_device`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from layerwise.core.base.spool import Spool
from layerwise.core.host.jobs import StreamJob
from layerwise.core.network.arrays import Arrays
from layerwise.core.network.partial import PartialSums
from layerwise.core.network.products import multiplies_double
from layerwise.core.runs.streaming.arena import Arena, Boundary, Chunk, Rooms
from layerwise.core.runs.streaming.host_arrays import HostArrays
from layerwise.core.runs.streaming.passes import prepare_pass
from layerwise.core.runs.streaming.states import Listener
from layerwise.core.runs.streaming.tasks import (
    ChunkPlace,
    LayerWork,
    PassWork,
    compute_batches,
    preprocess,
    spread,
    sum_values,
)


class LocalCrew:
    """Does the work of one pass after the other; see `stream.Crew`.

    Args:
        job: The job.
        spool: Where chunks go that the buffer does not hold.
        workers: The threads, as many as the plan allows for.
    """

    def __init__(self, job: StreamJob, spool: Spool, workers: ThreadPoolExecutor) -> None:
        plan = job.plan
        self.job = job
        self.arrays: Arrays = job.model.arrays or HostArrays()
        self._workers = workers
        memory = max(segment.memory_bytes for segment in plan.segments)
        self._arena = Arena(plan.n_stimuli, memory, spool, self.arrays)
        self._rooms = Rooms(plan.concurrency.n_rooms, plan.n_stimuli * widest_chunk(job), self.arrays)
        self._chunks: list[Chunk] = []
        self._boundaries: dict[int, Boundary] = {}
        if job.model.arrays is None and _sums_single(job):
            self._submit(prepare_pass)  # beside the network's first batch

    def forward(self, work: PassWork, advance: Callable[[int], None]) -> None:
        """Every stimulus through the segment, in batches; one batch is copied while the next is computed."""
        self._chunks = self._arena.deal([chunk.width for chunk in work.chunks])
        boundary = self._make_boundary(work)
        pending: list[Future[None]] = []
        n_stimuli = self.job.plan.n_stimuli
        for start, tensors in compute_batches(self.job, work, self._source(work)):
            _join(pending)  # of one batch at a time, or the outputs of three would be alive
            pending = [
                self._submit(self._spread, layer, start, tensors[layer.output])
                for layer in sorted(work.layers, key=_width, reverse=True)
            ]
            if boundary is not None and work.end is not None:
                pending.append(self._submit(boundary.write, start, tensors[work.end]))
            advance(min(self.job.plan.batch_size, n_stimuli - start))
        _join(pending)

    def sums(
        self, work: PassWork, listeners: Callable[[ChunkPlace], Sequence[Listener]]
    ) -> Iterator[tuple[ChunkPlace, PartialSums]]:
        """Each chunk's sums, in order; while the caller is busy, workers go on."""
        running: deque[tuple[ChunkPlace, Future[PartialSums]]] = deque()
        for place in work.chunks:
            if len(running) == self.job.plan.concurrency.n_products:
                yield _first(running)
            running.append((place, self._submit(self._sum, place, listeners(place))))
        while running:
            yield _first(running)

    def fetch(self, gram: Any) -> Any:
        """A layer's products, on the host."""
        return self.arrays.fetch(gram)

    def forget(self, segment: int) -> None:
        """Let go of the tensor at the end of a segment."""
        boundary = self._boundaries.pop(segment, None)
        if boundary is not None:
            boundary.close()

    def _submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        return self._workers.submit(function, *arguments)

    def _spread(self, layer: LayerWork, start: int, tensor: Any) -> None:
        spread(layer, start, tensor, self.arrays, self._put)

    def _put(self, place: ChunkPlace, start: int, values: Any) -> None:
        self._chunks[place.number].put(start, values)

    def _sum(self, place: ChunkPlace, listeners: Sequence[Listener]) -> PartialSums:
        with self._chunks[place.number].loaded(self._rooms) as values:
            return sum_values(self.job, place, values, self.arrays, listeners)

    def _source(self, work: PassWork) -> Callable[[int, int], Any]:
        parent = self.job.plan.segments[work.segment].parent
        if parent is None:
            return lambda start, stop: preprocess(self.job, start, stop)
        return self._boundaries[parent].read

    def _make_boundary(self, work: PassWork) -> Boundary | None:
        segment = self.job.plan.segments[work.segment]
        if work.end is None or segment.end is None:
            return None
        spool = Spool(self.job.spool_folder) if segment.end_spooled else None
        boundary = Boundary(self.job.model.graph[segment.end].shape, spool, self.arrays)
        self._boundaries[work.segment] = boundary
        return boundary

    def close(self) -> None:
        """Let go of everything."""
        for segment in list(self._boundaries):
            self.forget(segment)


def _first(running: deque[tuple[ChunkPlace, Future[PartialSums]]]) -> tuple[ChunkPlace, PartialSums]:
    """In a function of its own: a variable that outlives it would keep one matrix more than was planned."""
    place, sums = running.popleft()
    return place, sums.result()


def _width(layer: LayerWork) -> int:
    """The widest layers come first, or they would be waited for."""
    return int(layer.chunks[-1].columns.stop)


def widest_chunk(job: StreamJob) -> int:
    """Columns of the widest chunk."""
    return min(job.plan.chunk_width, max(_list_features(job), default=1))


def _sums_single(job: StreamJob) -> bool:
    """Whether any chunk is summed in float32, by the compiled pass."""
    return any(not multiplies_double(job.plan.n_stimuli, n_features) for n_features in _list_features(job))


def _list_features(job: StreamJob) -> list[int]:
    return [span.n_features for segment in job.plan.segments for spans in segment.passes for span in spans]


def _join(pending: Sequence[Future[None]]) -> None:
    """Wait for all, then raise what any of them raised."""
    wait(pending)
    for future in pending:
        future.result()
