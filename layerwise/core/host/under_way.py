"""Calls of plugins that are under way, by thread, and the notice of whom people are waiting for.

A thread looks every second at each call that has been silent for ten. It only looks: nothing interrupts a call, sets
an alarm or moves it to another thread, because a plugin may hold on to what belongs to its thread (`torch.no_grad`,
a connection to SQLite, a CUDA context). The thread ends when nothing is under way, and starts with the next call.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from layerwise.core.host.discovery import HOST

NOTICE_SECONDS = 10.0
"""How long a plugin may be silent before people are told what is being waited for."""

LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Place:
    """What is called.

    Attributes:
        plugin: Name of the plugin.
        distribution: What it was installed with.
        hook: The hook it came through, or `import`.
        offer: Name of what is offered; empty for a hook or an import.
        what: In words: `cka.prepare`.
    """

    plugin: str
    distribution: str
    hook: str
    offer: str
    what: str

    def __str__(self) -> str:
        return f"plugin '{self.plugin}' ({self.hook}): {self.what}"


@dataclass(eq=False)
class Call:
    """One call, from its beginning to its end.

    Attributes:
        place: What is called.
        tell: Told, in one line, if it is silent for long.
        outer: The call within which it is made, on the same thread.
        began: When it began, by `time.perf_counter`.
        heard: When it last gave a sign of life: it began, or a call within it ended.
        inner_seconds: Seconds spent in calls within it.
        is_told: Whether people know.
    """

    place: Place
    tell: Callable[[str], None]
    outer: Call | None
    began: float
    heard: float
    inner_seconds: float = 0.0
    is_told: bool = False


class CallsUnderWay:
    """The innermost call on each thread; safe to use from all of them."""

    def __init__(self) -> None:
        self._innermost: dict[int, Call] = {}  # by the thread's number
        self._lock = threading.Lock()
        self._watcher: threading.Thread | None = None

    def begin(self, place: Place, tell: Callable[[str], None]) -> Call:
        """Note that this thread calls a plugin."""
        thread, now = threading.get_ident(), time.perf_counter()
        with self._lock:
            call = Call(place, tell, self._innermost.get(thread), now, now)
            self._innermost[thread] = call
            if self._watcher is None or not self._watcher.is_alive():  # a forked process has lost its threads
                self._watcher = threading.Thread(target=self._watch, name="layerwise-notice", daemon=True)
                self._watcher.start()
        return call

    def end(self, call: Call) -> float:
        """Note that it is over; how many seconds it took."""
        now = time.perf_counter()
        with self._lock:
            if call.outer is None:
                self._innermost.pop(threading.get_ident(), None)
            else:
                call.outer.heard = now
                call.outer.inner_seconds += now - call.began
                self._innermost[threading.get_ident()] = call.outer
        return now - call.began

    def is_here(self) -> bool:
        """Whether this thread is in a plugin's code now."""
        return threading.get_ident() in self._innermost

    def are_elsewhere(self) -> bool:
        """Whether another thread is in a plugin's code now."""
        return bool(set(self._innermost) - {threading.get_ident()})

    def look(self, now: float) -> bool:
        """Tell of what has been silent for too long by `now`, each call once; whether anything is under way.

        What is built in is never told of: it has a progress bar where it takes long.
        """
        with self._lock:
            calls = list(self._innermost.values())
            silent = [call for call in calls if not call.is_told and now - call.heard >= NOTICE_SECONDS]
            for call in silent:
                call.is_told = True
        for call in silent:
            if call.place.distribution != HOST:
                call.tell(f"waiting for {call.place}, silent for {NOTICE_SECONDS:g} s")
        return bool(calls)

    def _watch(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            if not self.look(time.perf_counter()):
                with self._lock:
                    if not self._innermost:
                        self._watcher = None
                        return


CALLS = CallsUnderWay()
"""Those of this process."""
