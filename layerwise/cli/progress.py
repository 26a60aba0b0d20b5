"""How a run shows what it is doing: a bar with rate and time left on a terminal, a few lines elsewhere.

All of it goes to stderr, so that stdout holds results only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from layerwise.cli.output import stderr_console
from layerwise.cli.plan_table import show_plan

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from layerwise.core.streaming.plan import StreamPlan


class QuietObserver:
    """Shows only what must not be missed."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def stage(self, name: str) -> None:
        """A stage of the run begins."""

    def planned(self, plan: StreamPlan) -> None:
        """The plan is made."""

    def begin(self, total: int) -> None:
        """Streaming begins."""

    def advance(self, count: int, what: str) -> None:
        """So many more stimulus passes are done."""

    def layer_finished(self, name: str) -> None:
        """A layer is stored."""

    def message(self, text: str) -> None:
        """Something the user should know."""
        self.console.print(f"layerwise: {text}", markup=False, soft_wrap=True)


class LineObserver(QuietObserver):
    """Writes the plan and one line per stage, for logs and pipes."""

    def stage(self, name: str) -> None:
        """A stage of the run begins."""
        self.console.print(f"{name} ...", markup=False, soft_wrap=True)

    def planned(self, plan: StreamPlan) -> None:
        """The plan is made."""
        show_plan(self.console, plan)


class BarObserver(QuietObserver):
    """Draws a progress bar under the plan."""

    def __init__(self, console: Console, progress: Progress) -> None:
        super().__init__(console)
        self.progress = progress
        self._stage = progress.add_task("", total=None, rate="")
        self._bar: TaskID | None = None
        self._layers = 0

    def stage(self, name: str) -> None:
        """A stage of the run begins."""
        self.progress.update(self._stage, description=name, visible=True)

    def planned(self, plan: StreamPlan) -> None:
        """The plan is made."""
        show_plan(self.console, plan)

    def begin(self, total: int) -> None:
        """Streaming begins."""
        self.progress.update(self._stage, visible=False)
        self._bar = self.progress.add_task("computing", total=total, rate="")

    def advance(self, count: int, what: str) -> None:
        """So many more stimulus passes are done."""
        if self._bar is None:
            return
        self.progress.update(self._bar, advance=count, description=f"{what} ({self._layers} layers stored)")
        speed = self.progress.tasks[-1].speed
        if speed:
            self.progress.update(self._bar, rate=f"{speed:.0f} stimuli/s")

    def layer_finished(self, name: str) -> None:
        """A layer is stored."""
        self._layers += 1
        if self._bar is not None:
            self.progress.update(self._bar, description=f"{name} stored ({self._layers} layers stored)")


@contextmanager
def watching(*, quiet: bool = False) -> Iterator[QuietObserver]:
    """An observer that fits where stderr goes; the bar is gone when the block ends.

    Args:
        quiet: Whether only remarks are shown (with `--json`, say).
    """
    console = stderr_console()
    if quiet:
        yield QuietObserver(console)
    elif not console.is_terminal:
        yield LineObserver(console)
    else:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console, transient=True) as progress:
            yield BarObserver(console, progress)
