"""Streaming: all stimuli through one segment after the other, layers boiled down as they go by.

Who does the work is a crew: threads of this process (`local`), or the workers of a cluster. All of them do the same
pieces (`tasks`); what they give is merged here, in one order, and each layer is handed to the sink as soon as it is
complete (`finish`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Protocol

from layerwise.core.base.blas import single_threaded_blas
from layerwise.core.base.pages import keep_pages
from layerwise.core.base.spool import Spool
from layerwise.core.host.jobs import LayerSink, StreamJob
from layerwise.core.host.plans import Target
from layerwise.core.network.matrices.tiles import MOST_WHOLE
from layerwise.core.network.partial import PartialSums
from layerwise.core.runs.streaming.finish import LayerFinisher
from layerwise.core.runs.streaming.local import LocalCrew
from layerwise.core.runs.streaming.on_device import DeviceCrew
from layerwise.core.runs.streaming.plan import part_keys, split_targets
from layerwise.core.runs.streaming.states import Listener
from layerwise.core.runs.streaming.tasks import ChunkPlace, PassWork, deal
from layerwise.core.runs.streaming.tiles.crew import TiledCrew


class Crew(Protocol):
    """Who computes the passes of a run; called from one thread, one pass after the other. A page of code each."""

    def forward(self, work: PassWork, advance: Callable[[int], None]) -> None:
        """Every stimulus through the segment; keeps chunks until they are summed, and the segment's end.

        `advance` is told how many stimuli have passed.
        """

    def sums(
        self, work: PassWork, listeners: Callable[[ChunkPlace], Sequence[Listener]]
    ) -> Iterator[tuple[ChunkPlace, PartialSums]]:
        """Each chunk of the pass with its sums, in the order of the pass."""

    def fetch(self, gram: Any) -> Any:
        """A layer's summed products as an array of NumPy."""

    def forget(self, segment: int) -> None:
        """No later segment begins where this one ends: what was kept of its end may go."""


def stream_segments(job: StreamJob, sink: LayerSink) -> None:
    """Run the network once over all stimuli in this process, and hand every target of the job to the sink.

    Raises:
        LayerwiseError: If activations are not finite, or the disk is full.
        PluginError: If a transform does not keep its promise; a statistic that does not has a reason for its value.
    """
    with (
        single_threaded_blas(),  # the workers are the threads: a product each, none waits for another
        keep_pages(),
        Spool(job.spool_folder) as spool,
        ThreadPoolExecutor(job.plan.concurrency.n_workers, thread_name_prefix="layerwise-stream") as workers,
    ):
        crew = _choose_crew(job)(job, spool, workers)
        try:
            run_passes(job, sink, crew)
        finally:
            crew.close()


def _choose_crew(job: StreamJob) -> type[LocalCrew]:
    """Who does the work in this process."""
    if job.model.arrays is not None:
        return DeviceCrew
    in_tiles = job.plan.n_stimuli > MOST_WHOLE or job.plan.n_landmarks is not None
    return TiledCrew if in_tiles else LocalCrew


def run_passes(job: StreamJob, sink: LayerSink, crew: Crew) -> None:
    """Have a crew do every pass of the plan, and hand every target to the sink."""
    plan = job.plan
    layers = LayerFinisher(job, sink)
    n_children = [sum(other.parent == index for other in plan.segments) for index in range(len(plan.segments))]
    for index, segment in enumerate(plan.segments):
        for number in range(len(segment.passes)):
            work = deal(plan, index, number)
            if not work.outputs:
                continue
            crew.forward(work, partial(_advance, sink, segment.start))
            for place, sums in crew.sums(work, layers.fed_by):
                layers.add(place, sums, crew.fetch)
        if segment.parent is not None:
            n_children[segment.parent] -= 1
            if not n_children[segment.parent]:
                crew.forget(segment.parent)


def _advance(sink: LayerSink, what: str, n_stimuli: int) -> None:
    sink.advance(n_stimuli, what)


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
