"""The tasks of a run where the network's tensors are on a device: the buffer is there too, and sums are taken there.

One thread asks the device for sums, another finishes layers meanwhile: the device has a queue of its own. What a
device has left is known only roughly, because the network takes what it likes besides. When it runs out, half as much
is held of layers, then none, then no tensors between segments either (they lie in the spool), and the pass that it
happened in is done again. That changes no number: what a chunk gives does not depend on where it lay.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Any, TypeVar

from layerwise.core.base.errors import LayerwiseError
from layerwise.core.base.spool import Spool
from layerwise.core.host.jobs import StreamJob
from layerwise.core.network.matrices.tiles import MOST_WHOLE, fill_tiles
from layerwise.core.network.partial import PartialSums
from layerwise.core.runs.streaming.arena import Boundary
from layerwise.core.runs.streaming.local import LocalCrew
from layerwise.core.runs.streaming.states import Listener
from layerwise.core.runs.streaming.tasks import ChunkPlace, PassWork

Given = TypeVar("Given")
Listeners = Callable[[ChunkPlace], Sequence[Listener]]
_Running = tuple[ChunkPlace, "Future[PartialSums]"]


class DeviceCrew(LocalCrew):
    """Does the work of one pass after the other on one device; see `stream.Crew`.

    Args:
        job: The job.
        spool: Where chunks go that the buffer does not hold.
        workers: Threads, of which one is used.
    """

    def __init__(self, job: StreamJob, spool: Spool, workers: ThreadPoolExecutor) -> None:
        self._keeps_ends = True
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="layerwise-device")
        super().__init__(job, spool, workers)

    def forward(self, work: PassWork, advance: Callable[[int], None]) -> None:
        """Every stimulus through the segment; again, with less held, where the device runs out of memory."""
        self._insist(partial(self._pass, work, _Progress(advance)))

    def sums(self, work: PassWork, listeners: Listeners) -> Iterator[tuple[ChunkPlace, PartialSums]]:
        """Each chunk's sums, in order; while the caller finishes a layer, the device goes on."""
        waiting, running = deque(work.chunks), deque[_Running]()
        while waiting or running:
            while waiting and len(running) < self.job.plan.concurrency.n_products:
                running.append(self._ask(waiting.popleft(), listeners))
            place, sums = self._first_of(work, running, listeners)
            yield place, sums
            del sums  # or one matrix more than was planned would be alive

    def fetch(self, gram: Any) -> Any:
        """A layer's products, on the host; of many stimuli tile by tile, into a file."""
        n_stimuli = self.job.plan.n_stimuli
        if n_stimuli <= MOST_WHOLE:
            return super().fetch(gram)
        return fill_tiles(
            n_stimuli,
            lambda rows, columns: self.arrays.fetch(gram[rows, columns]),
            self.job.spool_folder,
            on_disk=True,
        )

    def _ask(self, place: ChunkPlace, listeners: Listeners) -> _Running:
        return place, self._asking.submit(self._sum, place, listeners(place))

    def _first_of(
        self, work: PassWork, running: deque[_Running], listeners: Listeners
    ) -> tuple[ChunkPlace, PartialSums]:
        while self._has_failed(running[0][1]):
            self._recover(work, running, listeners)
        place, sums = running.popleft()
        return place, sums.result()

    def _has_failed(self, sums: Future[PartialSums]) -> bool:
        """Whether the device had no memory left for them."""
        error = sums.exception()
        if error is not None and not self._is_exhausted(error):
            raise error
        return error is not None

    def _recover(self, work: PassWork, running: deque[_Running], listeners: Listeners) -> None:
        """Do the pass again with less held, and ask anew for what failed; errors and what they hold are let go."""
        wait([sums for _, sums in running])
        reason = str(running[0][1].exception())
        entries = [(place, None if sums.exception() else sums) for place, sums in running]
        running.clear()
        self._shrink(reason)
        self._insist(partial(self._pass, work, _Progress(None)))
        running.extend((place, sums) if sums else self._ask(place, listeners) for place, sums in entries)

    def _pass(self, work: PassWork, progress: _Progress) -> None:
        progress.begin()
        super().forward(work, progress.add)

    def _insist(self, function: Callable[[], Given]) -> Given:
        """What a function gives; where the device has no memory left, less is held and it is called again."""
        while True:
            try:
                return function()
            except Exception as error:  # a loader's come as errors of its plugin
                if not self._is_exhausted(error):
                    raise
                reason = str(error)
            self._shrink(reason)  # outside of the handler, which would keep all that the failed call held

    def _is_exhausted(self, error: BaseException | None) -> bool:
        while error is not None:
            if self.arrays.is_exhausted(error):
                return True
            error = error.__cause__ or error.__context__
        return False

    def _shrink(self, reason: str) -> None:
        """Hold half as many layers; if none are held, no tensors between segments.

        Raises:
            LayerwiseError: If nothing is held any more.
        """
        self._chunks = []
        self._rooms.clear()
        if not self._arena.halve():
            if not self._keeps_ends:
                raise LayerwiseError(
                    f"{self.arrays.device} has too little memory for batches of {self.job.plan.batch_size} "
                    f"(--batch-size): {reason}"
                )
            self._keeps_ends = False
            for boundary in self._boundaries.values():
                boundary.spill(self.job.spool_folder)
        self.arrays.release()

    def _submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(function(*arguments))
        return done

    def _make_boundary(self, work: PassWork) -> Boundary | None:
        boundary = super()._make_boundary(work)
        if boundary is not None and not self._keeps_ends:
            boundary.spill(self.job.spool_folder)
        return boundary

    def close(self) -> None:
        """Let go of everything."""
        self._asking.shutdown()
        super().close()


class _Progress:
    """Tells how many stimuli have passed, each once though some pass again."""

    def __init__(self, advance: Callable[[int], None] | None) -> None:
        self._advance = advance
        self._farthest = self._passed = 0

    def begin(self) -> None:
        """From the first stimulus on."""
        self._passed = 0

    def add(self, n_stimuli: int) -> None:
        """So many more have passed."""
        self._passed += n_stimuli
        if self._advance is not None and self._passed > self._farthest:
            self._advance(self._passed - self._farthest)
            self._farthest = self._passed
