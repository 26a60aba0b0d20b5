"""Products of chunks on all workers, added up in the order of the chunks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from layerwise.core.host.plans import Concurrency
from layerwise.core.runs.streaming.accumulate import ChunkTask
from layerwise.core.runs.streaming.arena import Rooms
from layerwise.core.runs.streaming.blocks import ChunkSums
from layerwise.core.runs.streaming.sums import Scratch

_Running = deque[tuple[ChunkTask, "Future[ChunkSums]"]]


class ProductQueue:
    """Multiplies chunks, no more of them at a time than the plan allows for.

    Workers finish in any order. Sums are taken in the order of the chunks all the same, because sums in another order
    have other last digits: results must not depend on timing, nor on the number of workers.
    """

    def __init__(
        self, workers: ThreadPoolExecutor, concurrency: Concurrency, rooms: Rooms, scratch: Callable[[], Scratch]
    ) -> None:
        self._workers = workers
        self._n_products = concurrency.n_products
        self._rooms = rooms
        self._scratch = scratch

    def multiply(self, tasks: Sequence[ChunkTask]) -> Iterator[ChunkTask]:
        """Each task once its products have been added to its layer; while the caller is busy, workers go on."""
        running: _Running = deque()
        for task in tasks:
            if len(running) == self._n_products:
                yield _add_first(running)
            running.append((task, self._workers.submit(task.multiply, self._rooms, self._scratch)))
        while running:
            yield _add_first(running)


def _add_first(running: _Running) -> ChunkTask:
    """In a function of its own: a variable that outlives the sum would keep one matrix more than was planned."""
    task, products = running.popleft()
    task.add(products.result())
    return task
