"""How an analysis shows what it is doing where Python was called: in a notebook, on a terminal, or not at all."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from importlib import import_module
from typing import Any

from layerwise.core.runs.request import SilentObserver

_UPDATES = 200  # of a bar, at most


class RemarkObserver(SilentObserver):
    """Passes on only what must not be missed, as a warning."""

    def message(self, text: str) -> None:
        """Something the user should know."""
        import warnings

        warnings.warn(text, RunWarning, stacklevel=2)


class RunWarning(UserWarning):
    """Something that was decided about a model or its stimuli, or left out of them."""


class BarObserver(RemarkObserver):
    """Draws a bar wherever `show` puts a text and a share."""

    def __init__(self, show: Any) -> None:
        self._show = show
        self._total = self._done = self._shown = 0
        self._n_layers = 0

    def stage(self, name: str) -> None:
        """A stage of the run begins."""
        self._show(f"{name} ...", None)

    def begin(self, total: int) -> None:
        """Streaming begins."""
        self._total, self._done, self._shown = max(total, 1), 0, 0

    def advance(self, count: int, what: str) -> None:
        """So many more stimulus passes are done."""
        self._done += count
        if (self._done - self._shown) * _UPDATES >= self._total or self._done >= self._total:
            self._shown = self._done
            self._show(f"from {what}, {self._n_layers} layers stored", self._done / self._total)

    def layer_finished(self, name: str) -> None:
        """A layer is stored."""
        del name
        self._n_layers += 1


@contextmanager
def watching(progress: bool | None = None) -> Iterator[SilentObserver]:
    """An observer that fits where Python runs; what it drew is gone when the block ends.

    Args:
        progress: Whether a bar is drawn; None for yes, in a notebook and on a terminal.
    """
    if progress is False:
        yield RemarkObserver()
    elif _in_notebook():
        with _notebook_bar() as show:
            yield BarObserver(show)
    elif progress or sys.stderr.isatty():
        with _terminal_bar() as show:
            yield BarObserver(show)
    else:
        yield RemarkObserver()


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and hasattr(shell, "kernel")


@contextmanager
def _notebook_bar() -> Iterator[Any]:
    """A bar that the browser draws: no widgets are needed."""
    shown: Any = import_module("IPython.display")
    handle = shown.display(shown.HTML(""), display_id=True)

    def show(text: str, share: float | None) -> None:
        value = "" if share is None else f" value='{share:.4f}'"
        handle.update(shown.HTML(f"<progress{value} style='width:20em'></progress> {escape(text)}"))

    try:
        yield show
    finally:
        handle.update(shown.HTML(""))


@contextmanager
def _terminal_bar() -> Iterator[Any]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    words = TextColumn("{task.description}", markup=False)
    columns = (words, BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("starting", total=None)

        def show(text: str, share: float | None) -> None:
            bars.update(task, description=text, total=None if share is None else 1.0, completed=share or 0.0)

        yield show
