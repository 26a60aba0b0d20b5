"""Calling plugins: every line of a stranger's code runs through a `Caller`, on the thread that asks for it.

What it raises becomes an error that names the plugin, the hook and the method; Ctrl-C stays what it is. While it
runs, `is_in_plugin` says so (the command line then keeps its prints out of results), people are told if it is silent
for long (`under_way`), and a trace, where there is one, counts it.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from layerwise.core.base.errors import EXTRAS, LayerwiseError, PluginError, explain_missing
from layerwise.core.base.words import shorten
from layerwise.core.host.under_way import CALLS, Place

_LONGEST = 600  # letters of what a plugin raised: some print whole configurations

__all__ = ["Caller", "Calls", "Place", "Trace", "is_in_plugin", "warn_in_python"]


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


def warn_in_python(text: str) -> None:
    """What is said of plugins where no command line listens: a warning of Python's."""
    warnings.warn(text, RuntimeWarning, stacklevel=2)


@dataclass
class Caller:
    """Calls plugins.

    Attributes:
        warn: Told, in one line, what people should know; perhaps from another thread.
        trace: Where calls are counted; None for not at all.
    """

    warn: Callable[[str], None] = warn_in_python
    trace: Trace | None = None

    def call(self, place: Place, function: Callable[..., Any], arguments: Sequence[Any]) -> Any:
        """Call a plugin's function, here and now.

        Args:
            place: Who and what it is, for errors, notices and traces.
            function: The function.
            arguments: Its arguments.

        Raises:
            LayerwiseError: What it raised, where that is one (a user's mistake, for instance).
            PluginError: Anything else that it raised, except an interrupt; names the plugin.
        """
        call, failed = CALLS.begin(place, self.warn), True
        try:
            value = function(*arguments)
            failed = False
        except (LayerwiseError, KeyboardInterrupt, GeneratorExit):
            raise
        except MemoryError as error:  # which is nobody's fault, and says nothing of who was asked
            raise LayerwiseError(f"there is not enough memory: {error or place.what}") from error
        except BaseException as error:
            if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in EXTRAS:
                raise LayerwiseError(explain_missing(error.name or "")) from error
            raise PluginError(place.plugin, place.hook, _describe(place.what, error)) from error
        finally:
            seconds = CALLS.end(call)
            if self.trace is not None:
                self.trace.add(place, seconds, max(seconds - call.inner_seconds, 0.0), failed=failed)
        return value


def is_in_plugin() -> bool:
    """Whether this thread is in a plugin's code now."""
    return CALLS.is_here()


def _describe(what: str, error: BaseException) -> str:
    said = shorten(f"{what} raised {type(error).__name__}: {error}", _LONGEST)
    if isinstance(error, ValueError) and "read-only" in str(error):
        return f"{said}; what a plugin is given belongs to all, and is not to be changed: copy it first"
    return said
