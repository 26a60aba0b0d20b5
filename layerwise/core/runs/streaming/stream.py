"""Streaming: all stimuli through one segment after the other, layers boiled down as they go by.

While the network computes a batch, worker threads digest the one before it (`digest`). When all stimuli have passed,
the segment's chunks become products (`products`), each layer is handed to the sink as soon as it is complete
(`finish`), and the buffer (`arena`) serves the next segment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import groupby

from layerwise.core.base.blas import single_threaded_blas
from layerwise.core.base.spool import Spool
from layerwise.core.host.jobs import LayerSink, StreamJob
from layerwise.core.host.plans import SegmentPlan, Span, Target
from layerwise.core.network.model import Floats
from layerwise.core.runs.streaming.arena import Arena, Boundary, Rooms
from layerwise.core.runs.streaming.digest import Digester, LayerWork
from layerwise.core.runs.streaming.finish import LayerFinisher
from layerwise.core.runs.streaming.plan import part_keys, split_targets
from layerwise.core.runs.streaming.products import ProductQueue
from layerwise.core.runs.streaming.units import make_task


def stream_segments(job: StreamJob, sink: LayerSink) -> None:
    """Run the network once over all stimuli, and hand every target of the job to the sink.

    Raises:
        LayerwiseError: If activations are not finite, or the disk is full.
        PluginError: If a transform does not keep its promise; a statistic that does not has a reason for its value.
    """
    with (
        single_threaded_blas(),  # the workers are the threads: a product each, none waits for another
        Spool(job.spool_folder) as spool,
        ThreadPoolExecutor(job.plan.concurrency.n_workers, thread_name_prefix="layerwise-stream") as workers,
    ):
        _SegmentRunner(job, sink, spool, workers).run()


class _SegmentRunner:
    """Runs the segments in order: batches through the network, then their chunks into products."""

    def __init__(self, job: StreamJob, sink: LayerSink, spool: Spool, workers: ThreadPoolExecutor) -> None:
        self.job = job
        self.plan = plan = job.plan
        self.sink = sink
        self.workers = workers
        self.arena = Arena(plan.n_stimuli, max(segment.memory_bytes for segment in plan.segments), spool)
        self.digester = Digester(plan, workers)
        rooms = Rooms(plan.concurrency.n_rooms, plan.n_stimuli * self.digester.n_columns)
        self.products = ProductQueue(workers, plan.concurrency, rooms, self.digester.scratch)
        self.layers = LayerFinisher(job, sink)

    def run(self) -> None:
        source = self._preprocess
        boundary: Boundary | None = None
        for segment in self.plan.segments:
            following = self._make_boundary(segment)
            for index, spans in enumerate(segment.passes):
                self._run_pass(segment, spans, source, following if index == 0 else None)
            if boundary is not None:
                boundary.close()
            if following is not None:
                source, boundary = following.read, following

    def _preprocess(self, start: int, stop: int) -> Floats:
        return self.job.model.preprocess(self.job.stimuli.read(start, stop))

    def _make_boundary(self, segment: SegmentPlan) -> Boundary | None:
        if segment.end is None:
            return None
        spool = Spool(self.job.spool_folder) if segment.end_spooled else None
        return Boundary(self.job.model.graph[segment.end].shape, spool)

    def _run_pass(
        self,
        segment: SegmentPlan,
        spans: Sequence[Span],
        source: Callable[[int, int], Floats],
        following: Boundary | None,
    ) -> None:
        outputs = list(dict.fromkeys(span.target.layer.node for span in spans))
        if following is not None and segment.end is not None and segment.end not in outputs:
            outputs.append(segment.end)
        if not outputs:
            return
        work = self._deal(spans, outputs)
        self._stream_batches(segment, outputs, work, source, following)
        for task in self.products.multiply([task for layer in work for task in layer.tasks]):
            if task.accumulator.is_complete:
                self.layers.finish(task.accumulator)

    def _deal(self, spans: Sequence[Span], outputs: list[str]) -> list[LayerWork]:
        width = self.plan.chunk_width
        places = [(span, chunk * width) for span in spans for chunk in range(span.first, span.last)]
        chunks = self.arena.deal([min(width, span.n_features - column) for span, column in places])
        tasks = [
            make_task(self.layers.open(span), chunk, column)
            for (span, column), chunk in zip(places, chunks, strict=True)
        ]
        by_layer = groupby(tasks, key=lambda task: task.accumulator.target)
        return [LayerWork(target, outputs.index(target.layer.node), list(group)) for target, group in by_layer]

    def _stream_batches(
        self,
        segment: SegmentPlan,
        outputs: list[str],
        work: Sequence[LayerWork],
        source: Callable[[int, int], Floats],
        following: Boundary | None,
    ) -> None:
        function = self.job.model.compile(segment.start, outputs)
        pending: list[Future[None]] = []
        for start in range(0, self.plan.n_stimuli, self.plan.batch_size):
            stop = min(start + self.plan.batch_size, self.plan.n_stimuli)
            tensors = function(source(start, stop))
            # One batch is digested at a time: with two, sums over stimuli would be in an order that is chance, and
            # the outputs of three batches alive.
            _join(pending)
            pending = self.digester.submit(work, start, tensors)
            if following is not None and segment.end is not None:
                end = tensors[outputs.index(segment.end)]
                pending.append(self.workers.submit(following.write, start, end))
            self.sink.advance(stop - start, segment.start)
        _join(pending)


def _join(pending: Sequence[Future[None]]) -> None:
    """Wait for all, then raise what any of them raised."""
    wait(pending)
    for future in pending:
        future.result()


def needed_targets(targets: Sequence[Target], done: frozenset[tuple[str, str]]) -> tuple[Target, ...]:
    """What must be streamed when some targets are already stored: the others, and the branches of their blocks.

    A block is always the sum of its branches where those are wanted, so that a resumed run gives the same
    numbers as one that was never interrupted.
    """
    by_key = {target.key: target for target in targets}
    sums = {target.key: target for target in split_targets(targets)[1]}
    needed: set[tuple[str, str]] = set()
    waiting = [key for key in by_key if key not in done]
    while waiting:
        key = waiting.pop()
        if key not in needed:
            needed.add(key)
            if key in sums:
                waiting.extend(part_keys(sums[key]))
    return tuple(target for target in targets if target.key in needed)
