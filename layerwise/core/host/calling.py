"""Calling plugins: every line of a stranger's code runs through a `Caller`.

What it raises becomes an error that names the plugin, the hook and the method. While it runs, `is_in_plugin` says
so (the command line then keeps its prints out of results), and a trace, where there is one, counts it. A plugin
that does not come back is told of after a while and given up after a limit: in the main thread an alarm interrupts
it, elsewhere it is left behind on a thread that ends with the process. What was given up is not asked again.
"""

from __future__ import annotations

import contextvars
import queue
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from layerwise.core.base.errors import LayerwiseError, PluginError
from layerwise.core.host.watchdog import Watch

NOTICE_SECONDS = 10.0
"""How long a plugin's call may take before people are told what is being waited for."""

_here = threading.local()  # depth: calls under way on this thread; spent: seconds in calls made by the present one


@dataclass(frozen=True)
class Limits:
    """Seconds after which a plugin is given up; None for never. What Layerwise brings along has no limit.

    Attributes:
        loading: For importing a plugin, and for each of its hooks.
        calling: For each call of what it offers, except loading a model and streaming a run.
    """

    loading: float | None = 60.0
    calling: float | None = 600.0


@dataclass(frozen=True)
class Place:
    """What is called.

    Attributes:
        plugin: Name of the plugin.
        hook: The hook it came through, or `import`.
        offer: Name of what is offered; empty for a hook or an import.
        what: In words: `cka.prepare`.
    """

    plugin: str
    hook: str
    offer: str
    what: str


@dataclass
class Calls:
    """What a trace knows of one place: number of calls and seconds in all, by itself, and at most."""

    n_calls: int = 0
    seconds: float = 0.0
    own_seconds: float = 0.0
    longest: float = 0.0
    n_failed: int = 0


@dataclass
class Trace:
    """Which plugin was called where, how often and how long; safe to share between threads."""

    calls: dict[Place, Calls] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, place: Place, seconds: float, own_seconds: float, *, failed: bool) -> None:
        """Count one call."""
        with self._lock:
            calls = self.calls.setdefault(place, Calls())
            calls.n_calls += 1
            calls.seconds += seconds
            calls.own_seconds += own_seconds
            calls.longest = max(calls.longest, seconds)
            calls.n_failed += failed


class PluginTimeoutError(PluginError):
    """A plugin did not come back in time."""


def warn_in_python(text: str) -> None:
    """What is said of plugins where no command line listens: a warning of Python's."""
    warnings.warn(text, RuntimeWarning, stacklevel=2)


@dataclass
class Caller:
    """Calls plugins.

    Attributes:
        limits: When to give up.
        warn: Told, in one line, what people should know.
        trace: Where calls are counted; None for not at all.
        watch: Watches for calls that no alarm ends; None where nothing could be done about them.
    """

    limits: Limits = Limits()
    warn: Callable[[str], None] = warn_in_python
    trace: Trace | None = None
    watch: Watch | None = None
    _given_up: dict[Place, str] = field(default_factory=dict, repr=False)

    def call(
        self, place: Place, function: Callable[..., Any], arguments: Sequence[Any], limit: float | None = None
    ) -> Any:
        """Call a plugin's function.

        Args:
            place: Who and what it is, for errors and traces.
            function: The function.
            arguments: Its arguments.
            limit: Seconds after which it is given up; None for never.

        Raises:
            LayerwiseError: What it raised, where that is one (a user's mistake, for instance).
            PluginError: Anything else that it raised; names the plugin.
            PluginTimeoutError: If it did not come back.
        """
        came = self._given_up.get(place)
        if came is not None:
            raise PluginTimeoutError(place.plugin, place.hook, came)
        with self._counted(place):
            try:
                return self._run(place, function, arguments, limit)
            except (LayerwiseError, KeyboardInterrupt, GeneratorExit):
                raise
            except _OwnInterruptError as error:
                came = f"{place.what} raised KeyboardInterrupt, without anybody's interrupting it"
                raise PluginError(place.plugin, place.hook, came) from error
            except BaseException as error:
                raise PluginError(place.plugin, place.hook, _describe(place.what, error)) from error

    def _run(self, place: Place, function: Callable[..., Any], arguments: Sequence[Any], limit: float | None) -> Any:
        if limit is None:
            return _mark(function, arguments)
        is_main = threading.current_thread() is threading.main_thread()
        has_alarm = is_main and hasattr(signal, "setitimer")
        run = _run_with_alarm if has_alarm else _run_on_thread
        told_apart = _tell_interrupts_apart() if has_alarm else nullcontext()
        watched = self.watch.over(_name(place), limit) if self.watch and has_alarm else nullcontext()
        try:
            with told_apart, watched:
                return run(function, arguments, limit, lambda: self._tell(place))
        except _TimeIsUpError:
            came = f"{place.what} did not return within {limit:g} s and was given up; --plugin-timeout changes that"
            self._given_up[place] = came
            raise PluginTimeoutError(place.plugin, place.hook, came) from None

    def _tell(self, place: Place) -> None:
        self.warn(f"waiting for {_name(place)} has not returned for {NOTICE_SECONDS:g} s")

    @contextmanager
    def _counted(self, place: Place) -> Iterator[None]:
        if self.trace is None:
            yield
            return
        around, _here.spent = getattr(_here, "spent", 0.0), 0.0
        started, failed = time.perf_counter(), True
        try:
            yield
            failed = False
        finally:
            seconds = time.perf_counter() - started
            self.trace.add(place, seconds, max(seconds - _here.spent, 0.0), failed=failed)
            _here.spent = around + seconds


def is_in_plugin() -> bool:
    """Whether this thread is in a plugin's code now."""
    return getattr(_here, "depth", 0) > 0


def _name(place: Place) -> str:
    return f"plugin '{place.plugin}' ({place.hook}): {place.what}"


def _describe(what: str, error: BaseException) -> str:
    said = f"{what} raised {type(error).__name__}: {error}"
    if isinstance(error, ValueError) and "read-only" in str(error):
        return f"{said}; what a plugin is given belongs to all, and is not to be changed: copy it first"
    return said


class _TimeIsUpError(BaseException):
    """Raised into a plugin's code; no `except Exception` of its own stops it."""


class _UserInterruptError(KeyboardInterrupt):
    """Somebody has pressed Ctrl-C."""


class _OwnInterruptError(Exception):
    """A plugin has raised KeyboardInterrupt, and nobody has pressed anything."""


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise _UserInterruptError


@contextmanager
def _tell_interrupts_apart() -> Iterator[None]:
    """Within it, in the main thread, a KeyboardInterrupt that no signal raised is not the user's."""
    if signal.getsignal(signal.SIGINT) not in (signal.default_int_handler, _interrupt):
        yield  # somebody else listens
        return
    before = signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    except _UserInterruptError:
        raise
    except KeyboardInterrupt as error:
        raise _OwnInterruptError from error
    finally:
        signal.signal(signal.SIGINT, before)


def _mark(function: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    """Call it, while `is_in_plugin`."""
    _here.depth = getattr(_here, "depth", 0) + 1
    try:
        return function(*arguments)
    finally:
        _here.depth -= 1


def _run_with_alarm(
    function: Callable[..., Any], arguments: Sequence[Any], limit: float, tell: Callable[[], None]
) -> Any:
    """Call it in the main thread; an alarm interrupts it, and rings every second until it obeys.

    An alarm that somebody else has set goes on afterwards.
    """
    began, is_over, is_told = time.monotonic(), False, limit <= NOTICE_SECONDS

    def ring(_number: int, _frame: FrameType | None) -> None:
        nonlocal is_told
        left = limit - (time.monotonic() - began)
        if not is_told:
            is_told = True
            tell()
        if left > 0:
            signal.setitimer(signal.ITIMER_REAL, left, 1.0)
        elif not is_over:
            raise _TimeIsUpError

    before = signal.signal(signal.SIGALRM, ring)
    others, interval = signal.setitimer(signal.ITIMER_REAL, min(NOTICE_SECONDS, limit), 1.0)
    try:
        return _mark(function, arguments)
    finally:
        is_over = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL if before is None else before)
        if others:
            signal.setitimer(signal.ITIMER_REAL, max(others - (time.monotonic() - began), 1e-3), interval)


def _run_on_thread(
    function: Callable[..., Any], arguments: Sequence[Any], limit: float, tell: Callable[[], None]
) -> Any:
    """Call it on a thread of its own, which is left behind if it does not come back."""
    answers: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
    context = contextvars.copy_context()

    def work() -> None:
        try:
            answers.put((context.run(_mark, function, arguments), None))
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            answers.put((None, error))

    threading.Thread(target=work, name="layerwise-plugin", daemon=True).start()
    first = min(NOTICE_SECONDS, limit)
    try:
        answer, error = answers.get(timeout=first)
    except queue.Empty:
        if limit <= first:
            raise _TimeIsUpError from None
        tell()
        try:
            answer, error = answers.get(timeout=limit - first)
        except queue.Empty:
            raise _TimeIsUpError from None
    if error is not None:
        raise error
    return answer
