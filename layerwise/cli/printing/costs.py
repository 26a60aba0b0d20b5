"""What a run was predicted to cost beside what it did cost, as people read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from layerwise.cli.output import duration, size

if TYPE_CHECKING:
    from layerwise.core.history.costs import RunCosts
    from layerwise.core.history.records import Attempt

_SHOWN: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("Time", "seconds", duration),
    ("Processors", "processor_seconds", duration),
    ("Memory", "memory_bytes", size),
    ("Spooled", "spool_bytes", size),
    ("Stored", "database_bytes", size),
)

_BOUNDS = ("memory_bytes", "spool_bytes")
"""Of which the plan says what is held where all that may be there at once is; small runs hold much less."""


def attempt_record(attempt: Attempt) -> dict[str, Any]:
    """An attempt at a run as JSON shows it."""
    return {**vars(attempt), "costs": None if attempt.costs is None else attempt.costs.as_json()}


def describe_costs(costs: RunCosts | None) -> Iterator[str]:
    """A line for each thing, what was predicted and what happened."""
    if costs is None:
        yield "Costs: not recorded"
        return
    for head, name, show in _SHOWN:
        predicted, happened = getattr(costs.predicted, name), getattr(costs.happened, name)
        if not predicted and not happened:
            continue
        said = [
            "not predicted" if predicted is None else f"{'at most ' * (name in _BOUNDS)}{show(predicted)} predicted",
            "not measured" if happened is None else f"{show(happened)} happened",
        ]
        told = f" ({costs.basis})" if name == "seconds" and costs.basis else ""
        yield f"{head}: {', '.join(said)}{told}"
