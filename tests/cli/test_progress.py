"""What is drawn while a run goes."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

from rich.console import Console
from rich.progress import Progress

from layerwise.cli.progress import BarObserver


def test_the_bar_counts_the_stimuli_that_were_given_however_often_they_pass() -> None:
    console = Console(file=io.StringIO())
    stages, bars = Progress(console=console), Progress(console=console)
    observer = BarObserver(console, stages, bars, plans=False)
    plan: Any = SimpleNamespace(n_stimuli=500)
    observer.planned(plan)
    observer.begin(1500)
    for _ in range(2):
        observer.advance(250, "input")
    (bar,) = bars.tasks
    assert (bar.total, round(bar.completed)) == (500, 167)
    for _ in range(4):
        observer.advance(250, "pool")
    assert round(bar.completed) == 500
