"""What plugins print while they are called goes to stderr: stdout holds results, perhaps JSON, and nothing else.

A plugin's own *command* prints where it likes: that is its result.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from layerwise.core.base.errors import LayerwiseError
from layerwise.core.host.calling import is_in_plugin

_N_LISTED = 3
_STDOUT, _STDERR = 1, 2


class ResultsOnly:
    """A text stream like stdout, except that what a plugin writes to it goes to stderr.

    Args:
        results: Where all else goes.
        is_aside: Whether that is the process's stdout under another number.
    """

    def __init__(self, results: TextIO, *, is_aside: bool) -> None:
        self._results = results
        self.is_aside = is_aside

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr if is_in_plugin() else self._results, name)


@contextmanager
def results_only() -> Iterator[None]:
    """Keep what plugins print out of stdout within this block, whether Python, C or another process prints it."""
    before = sys.stdout
    with _set_aside(before) as results:
        sys.stdout = ResultsOnly(results, is_aside=results is not before)  # it has whatever stdout has
        try:
            yield
        finally:
            sys.stdout = before


@contextmanager
def all_output() -> Iterator[None]:
    """Within `results_only`, let what C code and other processes print be results: for a plugin's own command."""
    if not (isinstance(sys.stdout, ResultsOnly) and sys.stdout.is_aside):
        yield
        return
    os.dup2(sys.stdout.fileno(), _STDOUT)
    try:
        yield
    finally:
        os.dup2(_STDERR, _STDOUT)


@contextmanager
def _set_aside(stdout: TextIO) -> Iterator[TextIO]:
    """The same stdout under another number, while number 1, to which C code writes, is stderr."""
    if stdout is not sys.__stdout__ or not _is_plain(stdout):
        yield stdout  # it is not the process's: a test's, a notebook's
        return
    stdout.flush()
    number = os.dup(_STDOUT)
    results = open(number, "w", encoding=stdout.encoding, errors=stdout.errors, closefd=False)  # noqa: SIM115
    results.reconfigure(line_buffering=stdout.line_buffering)
    os.dup2(_STDERR, _STDOUT)
    try:
        yield results
    finally:
        try:
            results.flush()
        finally:
            os.dup2(number, _STDOUT)
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)  # for what nobody takes any more
            results.close()
            os.close(number)


def _is_plain(stdout: TextIO | None) -> bool:
    """Whether it is the process's stdout, and there is a stderr beside it."""
    try:
        return stdout is not None and stdout.fileno() == _STDOUT and sys.stderr.fileno() == _STDERR
    except (AttributeError, OSError, ValueError):
        return False


def tell_failures(failures: Sequence[str], done: str) -> None:
    """End a command, all of whose results are out, with what plugins failed on, if they did.

    Args:
        failures: What they failed with.
        done: What was done with the rest: `compared`, say.

    Raises:
        LayerwiseError: If there are failures.
    """
    if failures:
        n_more = len(failures) - _N_LISTED
        more = [f"and {n_more} more"] if n_more > 0 else []
        details = [*failures[:_N_LISTED], *more]
        raise LayerwiseError(f"not all of it could be {done}, because a plugin failed:", details)


def warn_on_stderr(text: str) -> None:
    """Say something about a plugin, in one line."""
    print(f"layerwise: warning: {' '.join(text.split())}", file=sys.stderr)
