"""Watching calls of plugins that no alarm ends: code that is not Python's obeys none.

An alarm is answered between two steps of Python. A call that is in a C library for an hour takes none, so a thread
looks every second whether a call has outlived its limit, and has it ended by whoever can: the command line ends.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

GRACE_SECONDS = 30.0
"""How long after its limit a call has time to obey the alarm."""


class Watch:
    """Looks from a thread of its own at the calls of plugins in the main thread.

    Args:
        give_up: Told which call cannot be ended, in words.
    """

    def __init__(self, give_up: Callable[[str], None]) -> None:
        self._give_up = give_up
        self._call: tuple[str, float] | None = None  # what is under way, and when it should long have been over
        self._thread: threading.Thread | None = None

    @contextmanager
    def over(self, what: str, limit: float) -> Iterator[None]:
        """Watch a call while it is within this block."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._look, name="layerwise-watch", daemon=True)
            self._thread.start()
        around, self._call = self._call, (what, time.monotonic() + limit + GRACE_SECONDS)
        try:
            yield
        finally:
            self._call = around

    def _look(self) -> None:
        while True:
            time.sleep(1.0)
            call = self._call
            if call is not None and time.monotonic() > call[1]:
                self._call = None
                self._give_up(call[0])
