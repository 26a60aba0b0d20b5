"""Which runs a filter means, in which order, and how many of each kind: for runs that are in memory.

`storage/listing.py` says the same in SQL, so that a database reads none but the runs that are shown; the shared suite
holds it to what is said here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from layerwise.core.history.records import RunField, RunFilter, RunOrder, RunRecord

FIELDS: Mapping[RunField, Callable[[RunRecord], str | None]] = {
    "model": lambda run: run.model.name,
    "stimuli": lambda run: run.stimuli_name,
    "lineage": lambda run: run.lineage,
    "status": lambda run: run.status,
}
ORDERS: Mapping[RunOrder, Callable[[RunRecord], Any]] = {
    "started": lambda run: run.started_at,
    "id": lambda run: run.id,
    "model": lambda run: run.model.name.lower(),
    "checkpoint": lambda run: (run.lineage or "", -1 if run.step is None else run.step, checkpoint_of(run)),
    "stimuli": lambda run: run.stimuli_name.lower(),
    "n_stimuli": lambda run: run.n_stimuli,
    "n_layers": lambda run: run.n_layers,
    "status": lambda run: run.status,
    "top1": lambda run: run.accuracy.top1 if run.accuracy else None,
}


def choose_runs(runs: Iterable[RunRecord], where: RunFilter) -> list[RunRecord]:
    """The runs that a filter means, in the order that it says.

    Args:
        runs: Newest first.
        where: Which, and in which order.
    """
    value = ORDERS[where.order]
    found = [run for run in runs if _matches(run, where)]
    valued = [run for run in found if value(run) is not None]
    ordered = sorted(valued, key=value, reverse=where.descending) + [run for run in found if value(run) is None]
    return ordered[where.offset :][: where.limit]


def count_values(runs: Iterable[RunRecord], field: RunField, where: RunFilter) -> dict[str, int]:
    """How many of the runs that a filter means have each value of a field; runs without one are not counted."""
    values = (FIELDS[field](run) for run in runs if _matches(run, where))
    return dict(Counter(value for value in values if value is not None))


def count_runs(runs: Iterable[RunRecord], where: RunFilter) -> int:
    """How many runs a filter means, whatever its limit."""
    return sum(_matches(run, where) for run in runs)


def checkpoint_of(run: RunRecord) -> str:
    """Lineage and checkpoint of a run in a few words; empty where it has none."""
    step = "" if run.step is None else f"step {run.step}"
    return " ".join(part for part in (run.lineage, run.checkpoint or step) if part)


def words_of(text: str) -> tuple[str, ...]:
    """The words that are looked for, in lower case, each once."""
    return tuple(dict.fromkeys(text.lower().split()))


def _matches(run: RunRecord, where: RunFilter) -> bool:
    wanted = (
        *((getattr(where, name), value(run)) for name, value in FIELDS.items()),
        (where.origin, run.origin),
        (where.fingerprint, run.stimuli_fingerprint),
        (where.model_fingerprint, run.model.fingerprint),
        *((value, run.tags.get(name)) for name, value in where.tags.items()),
    )
    if where.with_layers and not run.n_layers:
        return False
    return all(asked is None or asked == known for asked, known in wanted) and _has_words(run, words_of(where.words))


def _has_words(run: RunRecord, words: Iterable[str]) -> bool:
    named = (run.model.name, run.stimuli_name, checkpoint_of(run), run.lineage or "", run.status, run.command)
    text = " ".join((*named, *(f"{key}={value}" for key, value in run.tags.items()))).lower()
    return all(word in text or run.id.startswith(word) for word in words)
