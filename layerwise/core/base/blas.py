"""One thread for BLAS while Layerwise's own threads do the work: one counted limit for the whole process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Linear algebra on one thread, for as long as anybody is inside.

    BLAS is limited for the whole *process*, and threadpoolctl restores what it found: of two users that overlap, the
    later one finds 1 and restores 1, and BLAS stays slow for good. Here users are counted under a lock: the first one
    limits, the last one to leave restores, whichever that is and in whichever thread. So the block may be entered
    from any thread, nested, and by several at once; code beside it that asks for BLAS meanwhile gets one thread, too.
    A BLAS that is loaded while somebody is inside is limited by the next one to enter. Where BLAS runs on OpenMP,
    whose limits are each thread's own, only the thread that enters is limited.
    """
    from threadpoolctl import ThreadpoolController

    blas = ThreadpoolController().select(user_api="blas")
    own = [library["filepath"] for library in blas.info() if library.get("threading_layer") == "openmp"]
    shared = [library["filepath"] for library in blas.info() if library["filepath"] not in own]
    with blas.select(filepath=own).limit(limits=1):
        _LIMIT.enter(blas.select(filepath=shared))
        try:
            yield
        finally:
            _LIMIT.leave()


@dataclass
class _SharedLimit:
    """Who is inside, and how to undo what was limited for them."""

    n_users: int = 0
    limiters: list[Any] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self, blas: Any) -> None:
        with self.lock:
            # What is at 1 already is left alone: who set it restores it, perhaps before our last user has left.
            loose = [library["filepath"] for library in blas.info() if library["num_threads"] > 1]
            if loose:
                self.limiters.append(blas.select(filepath=loose).limit(limits=1))
                _let_others_set()
            self.n_users += 1

    def leave(self) -> None:
        with self.lock:
            self.n_users -= 1
            while self.limiters and not self.n_users:
                self.limiters.pop().restore_original_limits()
                _let_others_set()


_LIMIT = _SharedLimit()


def _let_others_set() -> None:
    """Since 3.8 threadpoolctl lets nobody but the thread that set a limit change it; ours is undone by the last."""
    from threadpoolctl import OpenBLASController

    clear = getattr(OpenBLASController, "clear_controlling_thread", None)
    if clear is not None:
        clear()
