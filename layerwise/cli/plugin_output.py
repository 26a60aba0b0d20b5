"""What plugins print while they are called goes to stderr: stdout holds results, perhaps JSON, and nothing else.

A plugin's own *command* prints where it likes: that is its result.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from layerwise.core.calling import is_in_plugin
from layerwise.core.errors import LayerwiseError

_N_LISTED = 3


class ResultsOnly:
    """A text stream like stdout, except that what a plugin writes to it goes to stderr."""

    def __init__(self, results: TextIO) -> None:
        self._results = results

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr if is_in_plugin() else self._results, name)


@contextmanager
def results_only() -> Iterator[None]:
    """Keep plugins' prints out of stdout within this block."""
    before = sys.stdout
    sys.stdout = ResultsOnly(before)  # it has whatever stdout has
    try:
        yield
    finally:
        sys.stdout = before


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
