"""What plugins print while they are called goes to stderr: stdout holds results, perhaps JSON, and nothing else.

A plugin's own *command* prints where it likes: that is its result.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from layerwise.core.calling import is_in_plugin


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


def warn_on_stderr(text: str) -> None:
    """Say something about a plugin, in one line."""
    print(f"layerwise: warning: {' '.join(text.split())}", file=sys.stderr)
