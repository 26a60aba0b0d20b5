"""Reports drawn on demand: one at a time, the last ones kept, nothing written to the history.

A report is drawn by a thread of its own, so that a visitor who closes the page does not lose the work, and two who
ask for the same report wait for one drawing.
"""

from __future__ import annotations

import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from layerwise.core.history.memory import OverlayHistory
from layerwise.core.history.references import find_runs

if TYPE_CHECKING:
    from layerwise.core.history.records import RunRecord
    from layerwise.core.host.registry import Registry
    from layerwise.storage import OpenHistory

N_KEPT = 12


@dataclass(frozen=True)
class ReportWish:
    """A report that somebody wants to see.

    Attributes:
        run_ids: Its runs, as they were typed.
        comparator: The comparator; None for the usual one.
        metric: The metric; None for the comparator's own.
        transform: The activation transform; None for plain activations, where there are any.
    """

    run_ids: tuple[str, ...]
    comparator: str | None = None
    metric: str | None = None
    transform: str | None = None

    @property
    def address(self) -> str:
        """The query part of the address that asks for it."""
        asked = [("run", run) for run in self.run_ids]
        chosen = (("with", self.comparator), ("metric", self.metric), ("transform", self.transform))
        return urlencode([*asked, *((name, value) for name, value in chosen if value)])


@dataclass
class Reports:
    """Draws reports, and remembers the last ones.

    Attributes:
        store: The history, open for reading.
        find_registry: Gives the plugins; asked when the first report is drawn.
    """

    store: OpenHistory
    find_registry: Callable[[], Registry]
    _worker: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "report"), repr=False)
    _drawn: OrderedDict[object, Future[bytes]] = field(default_factory=OrderedDict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def ask(self, wish: ReportWish, *, anew: bool = False) -> Future[bytes]:
        """The page of a report: drawn already, being drawn, or begun by this call.

        Args:
            wish: What is wanted.
            anew: Whether to draw it again though it is there.

        Raises:
            InputError: If there is no such run.
        """
        runs = find_runs(self.store, wish.run_ids)
        key = (tuple(_state(run) for run in runs), wish.comparator, wish.metric, wish.transform)
        with self._lock:
            future = self._drawn.get(key)
            if future is None or (anew and future.done()) or (future.done() and future.exception() is not None):
                future = self._worker.submit(self._draw, runs, wish)
                self._drawn[key] = future
            self._drawn.move_to_end(key)
            while len(self._drawn) > N_KEPT:
                self._drawn.popitem(last=False)
        return future

    def close(self) -> None:
        """Begin nothing any more."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _draw(self, runs: list[RunRecord], wish: ReportWish) -> bytes:
        from layerwise.report.content import Choice
        from layerwise.report.page import render_report

        choice = Choice(wish.comparator or Choice.comparator, metric=wish.metric, transform=wish.transform)
        with tempfile.TemporaryDirectory(prefix="layerwise-") as folder:
            path = Path(folder) / "report.html"
            render_report(runs, self.find_registry(), OverlayHistory(self.store), path, choice=choice)
            return path.read_bytes()


def _state(run: RunRecord) -> tuple[object, ...]:
    """What makes a run's report another one."""
    return run.id, run.status, run.n_layers, run.finished_at
