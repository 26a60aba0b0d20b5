"""Streaming: all stimuli through one segment after the other, layers boiled down as they go by.

While the network computes a batch, worker threads digest the one before it. When all stimuli have passed, the
segment's chunks become products, its layers are finished and handed to the sink, and its buffer serves the next.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from layerwise.core.base.blas import single_threaded_blas
from layerwise.core.base.errors import PluginError
from layerwise.core.base.machine import n_cores
from layerwise.core.host.jobs import LayerSink, StreamedLayer, StreamJob
from layerwise.core.host.plans import SegmentPlan, Span, Target
from layerwise.core.host.validation import check_transformed
from layerwise.core.network.model import Compiled, Floats
from layerwise.core.network.representation import Products, concatenate, read_only
from layerwise.core.network.summary import LayerSummary, concatenate_summaries
from layerwise.core.runs.streaming.accumulate import (
    ChunkTask,
    LayerAccumulator,
    StreamedState,
    digest,
    refuse_not_finite,
)
from layerwise.core.runs.streaming.arena import Arena, Boundary, Spool
from layerwise.core.runs.streaming.plan import split_targets
from layerwise.core.runs.streaming.sums import Scratch
from layerwise.core.runs.streaming.units import make_task

Finished = tuple[Products, LayerSummary]


def stream_segments(job: StreamJob, sink: LayerSink) -> None:
    """Run the network once over all stimuli, and hand every target of the job to the sink.

    Raises:
        LayerwiseError: If activations are not finite, or the disk is full.
        PluginError: If a transform does not keep its promise; a statistic that does not has a reason for its value.
    """
    n_workers = n_cores()
    with (
        single_threaded_blas(),  # the workers are the threads: a product each, none waits for another
        Spool(job.spool_folder) as spool,
        ThreadPoolExecutor(n_workers, thread_name_prefix="layerwise-stream") as workers,
    ):
        _Streamer(job, sink, spool, workers, n_workers).run()


@dataclass(frozen=True)
class _LayerWork:
    """One target's share of a pass: which output of the compiled function feeds which chunks."""

    target: Target
    output: int
    tasks: list[ChunkTask]


class _Streamer:
    def __init__(
        self,
        job: StreamJob,
        sink: LayerSink,
        spool: Spool,
        workers: ThreadPoolExecutor,
        n_workers: int,
    ) -> None:
        self.job = job
        self.sink = sink
        self.plan = job.plan
        self.n_stimuli = job.stimuli.n_stimuli
        self.workers = workers
        self.n_workers = n_workers
        self.spool = spool
        memory = max((segment.memory_bytes for segment in job.plan.segments), default=0)
        self.arena = Arena(self.n_stimuli, memory, spool)
        self.local = threading.local()
        self.accumulators: dict[tuple[str, str], LayerAccumulator] = {}
        self.states: dict[tuple[str, str], list[StreamedState]] = {}
        self.finished: dict[tuple[str, str], Finished] = {}
        self.kept: dict[str, Floats] = {}
        self.waiting = list(self.plan.derived)
        self.listeners = self._listeners()

    def _listeners(self) -> dict[tuple[str, str], list[tuple[StreamedState, int]]]:
        """For each streamed target the streamed statistics it feeds: its own, and those of its blocks."""
        listeners: dict[tuple[str, str], list[tuple[StreamedState, int]]] = {}
        features = {span.target.key: span.n_features for s in self.plan.segments for p in s.passes for span in p}
        sums = {target.key: target for target in self.plan.derived}

        def leaves(key: tuple[str, str]) -> list[tuple[str, str]]:
            if key not in sums:
                return [key]
            return [leaf for part in sums[key].layer.parts for leaf in leaves((part, key[1]))]

        for target in self.job.targets:
            parts = leaves(target.key)
            n_features = sum(features[part] for part in parts)
            states = [StreamedState(s, self.n_stimuli, n_features) for s in self.job.statistics]
            self.states[target.key] = states
            offset = 0
            for part in parts:
                listeners.setdefault(part, []).extend((state, offset) for state in states)
                offset += features[part]
        return listeners

    def run(self) -> None:
        source = self._pixels
        boundary: Boundary | None = None
        for segment in self.plan.segments:
            following = self._make_boundary(segment)
            for index, spans in enumerate(segment.passes):
                self._run_pass(segment, spans, source, following if index == 0 else None)
            if boundary is not None:
                boundary.close()
            self._finish_targets([span.target for spans in segment.passes for span in spans])
            if following is not None:
                source, boundary = following.read, following

    def _pixels(self, start: int, stop: int) -> Floats:
        return self.job.model.preprocess(self.job.stimuli.pixels[start:stop])

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
        end = outputs.index(segment.end) if following is not None and segment.end else None
        self._stream_batches(
            self.job.model.compile(segment.start, outputs), work, source, following, end, segment.start
        )
        self._multiply([task for layer in work for task in layer.tasks])

    def _multiply(self, tasks: Sequence[ChunkTask]) -> None:
        """Products on all workers, added up in the order of the chunks, so that results do not depend on timing."""
        running: deque[tuple[ChunkTask, Future[Floats]]] = deque()
        for task in tasks:
            running.append((task, self.workers.submit(task.multiply, self._chunk_scratch, self._scratch)))
            if len(running) > 2 * self.n_workers:
                first, products = running.popleft()
                first.add(products.result())
        for task, products in running:
            task.add(products.result())

    def _deal(self, spans: Sequence[Span], outputs: list[str]) -> list[_LayerWork]:
        width = self.plan.chunk_width
        places = [(span, chunk * width) for span in spans for chunk in range(span.first, span.last)]
        chunks = self.arena.deal([min(width, span.n_features - column) for span, column in places])
        tasks = [
            make_task(self._accumulator(span), chunk, column)
            for (span, column), chunk in zip(places, chunks, strict=True)
        ]
        work = []
        for accumulator, group in groupby(tasks, key=lambda task: task.accumulator):
            target = accumulator.target
            work.append(_LayerWork(target, outputs.index(target.layer.node), list(group)))
        return work

    def _accumulator(self, span: Span) -> LayerAccumulator:
        key = span.target.key
        if key not in self.accumulators:
            self.accumulators[key] = LayerAccumulator(span.target, self.n_stimuli, span.n_features)
            self.accumulators[key].listeners = self.listeners[key]
        return self.accumulators[key]

    def _stream_batches(
        self,
        function: Compiled,
        work: Sequence[_LayerWork],
        source: Callable[[int, int], Floats],
        following: Boundary | None,
        end: int | None,
        what: str,
    ) -> None:
        pending: list[Future[None]] = []
        for start in range(0, self.n_stimuli, self.plan.batch_size):
            stop = min(start + self.plan.batch_size, self.n_stimuli)
            tensors = function(source(start, stop))
            _join(pending)
            pending = [
                self.workers.submit(self._digest, layer, start, tensors[layer.output])
                for layer in sorted(work, key=lambda layer: -layer.tasks[-1].columns.stop)
            ]
            if following is not None and end is not None:
                pending.append(self.workers.submit(following.write, start, tensors[end]))
            self.sink.advance(stop - start, what)
        _join(pending)

    def _digest(self, layer: _LayerWork, start: int, tensor: Floats) -> None:
        transform = layer.target.transform
        if transform is not None:
            changed = transform.call(transform.offer.apply, read_only(tensor))
            try:
                tensor = check_transformed(transform, changed, len(tensor), layer.tasks[0].accumulator.n_features)
            except PluginError:
                refuse_not_finite(layer.target, tensor, start)  # which is not the transform's fault
                raise
        activations = tensor.reshape(len(tensor), -1)
        if layer.target.layer.name in self.job.keep and transform is None:
            self._keep(layer.target.layer.name, start, activations)
        digest(layer.tasks, start, activations, self._scratch())

    def _keep(self, name: str, start: int, activations: Floats) -> None:
        if name not in self.kept:
            self.kept[name] = np.empty((self.n_stimuli, activations.shape[1]), dtype=np.float32)
        self.kept[name][start : start + len(activations)] = activations

    def _scratch(self) -> Scratch:
        if not hasattr(self.local, "scratch"):
            self.local.scratch = Scratch(self.plan.batch_size, self.plan.chunk_width)
        scratch: Scratch = self.local.scratch
        return scratch

    def _chunk_scratch(self) -> Floats:
        """Room for one chunk of this thread, made when the first spooled chunk comes."""
        if not hasattr(self.local, "chunk"):
            self.local.chunk = np.empty(self.n_stimuli * self.plan.chunk_width, dtype=np.float32)
        chunk: Floats = self.local.chunk
        return chunk

    def _finish_targets(self, targets: Sequence[Target]) -> None:
        for target in dict.fromkeys(targets):
            products, summary = self.accumulators.pop(target.key).finish()
            self._hand_over(target, products, summary)
        for target in list(self.waiting):
            parts = [(part, target.transform_name) for part in target.layer.parts]
            if all(part in self.finished for part in parts):
                self.waiting.remove(target)
                products = concatenate([self.finished[part][0] for part in parts])
                summary = concatenate_summaries([self.finished[part][1] for part in parts])
                self._hand_over(target, products, summary)
        needed = {(part, target.transform_name) for target in self.waiting for part in target.layer.parts}
        self.finished = {key: value for key, value in self.finished.items() if key in needed}

    def _hand_over(self, target: Target, products: Products, summary: LayerSummary) -> None:
        self.finished[target.key] = (products, summary)
        states = self.states.pop(target.key)
        streamed = tuple(state.finish() for state in states)
        failures = tuple(state.failure for state in states if state.failure)
        activations = self.kept.pop(target.layer.name, None) if target.transform is None else None
        self.sink.layer_finished(StreamedLayer(target, products, summary, streamed, activations, failures))


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
                waiting.extend((part, key[1]) for part in sums[key].layer.parts)
    return tuple(target for target in targets if target.key in needed)
