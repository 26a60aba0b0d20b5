"""How a run shows what it is doing: a bar with rate and time left on a terminal, a few lines elsewhere.

All of it goes to stderr, so that stdout holds results only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from layerwise.cli.output import stderr_console
from layerwise.cli.printing.plan_table import show_plan
from layerwise.core.runs.request import SilentObserver

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from layerwise.core.host.plans import StreamPlan


class QuietObserver(SilentObserver):
    """Shows only what must not be missed."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def message(self, text: str) -> None:
        """Something the user should know."""
        self.console.print(f"layerwise: {text}", markup=False, soft_wrap=True)


class LineObserver(QuietObserver):
    """Writes the plan and one line per stage, for logs and pipes."""

    def __init__(self, console: Console, *, plans: bool) -> None:
        super().__init__(console)
        self._plans = plans

    def stage(self, name: str) -> None:
        """A stage of the run begins."""
        self.console.print(f"{name} ...", markup=False, soft_wrap=True)

    def planned(self, plan: StreamPlan) -> None:
        """The plan is made."""
        if self._plans:
            show_plan(self.console, plan)


class BarObserver(QuietObserver):
    """Draws what is being done under the plan: a stage with a spinner, or a bar while stimuli stream."""

    def __init__(self, console: Console, stages: Progress, bars: Progress, *, plans: bool) -> None:
        super().__init__(console)
        self._plans = plans
        self._stages = stages
        self._bars = bars
        self._stage = stages.add_task("starting", total=None)
        self._bar: TaskID | None = None
        self._n_stored = 0
        self._n_stimuli: int | None = None
        self._n_passes = 1.0

    def stage(self, name: str) -> None:
        """A stage of the run begins."""
        if self._bar is not None:
            self._bars.remove_task(self._bar)
            self._bar = None
        self._stages.update(self._stage, description=name, visible=True)

    def planned(self, plan: StreamPlan) -> None:
        """The plan is made."""
        self._n_stimuli = plan.n_stimuli
        if self._plans:
            show_plan(self.console, plan)

    def begin(self, total: int) -> None:
        """Streaming begins; the bar counts stimuli, as many as were given, however often they pass."""
        n_stimuli = min(self._n_stimuli or total, total)
        self._n_passes = total / max(n_stimuli, 1)
        self._stages.update(self._stage, visible=False)
        self._bar = self._bars.add_task("computing", total=n_stimuli, rate="")

    def advance(self, count: int, what: str) -> None:
        """So many more stimulus passes are done."""
        if self._bar is None:
            return
        description = f"from {what}, {self._n_stored} layers stored"
        self._bars.update(self._bar, advance=count / self._n_passes, description=description)
        speed = next(task.speed for task in self._bars.tasks if task.id == self._bar)
        if speed:
            self._bars.update(self._bar, rate=f"{speed:.0f} stimuli/s")

    def layer_finished(self, name: str) -> None:
        """A layer is stored."""
        del name
        self._n_stored += 1


@contextmanager
def watching(*, quiet: bool = False, plans: bool = True) -> Iterator[QuietObserver]:
    """An observer that fits where stderr goes; bar and spinner are gone when the block ends.

    Args:
        quiet: Whether only remarks are shown (with `--json`, say).
        plans: Whether plans are shown.
    """
    console = stderr_console()
    if quiet:
        yield QuietObserver(console)
    elif not console.is_terminal:
        yield LineObserver(console, plans=plans)
    else:
        from rich.console import Group
        from rich.live import Live
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        description = TextColumn("{task.description}", markup=False)
        stages = Progress(SpinnerColumn(), description)
        rate = TextColumn("{task.fields[rate]}")
        bars = Progress(description, BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
        with Live(Group(stages, bars), console=console, transient=True, refresh_per_second=8):
            yield BarObserver(console, stages, bars, plans=plans)
