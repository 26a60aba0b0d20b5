"""What people write for a run: an id, `latest~1`, `mine@3`, `epoch-3`, `use=paper`, or `mine` for a whole training.

REFERENCE is one of

- an id, a unique prefix of one, or `latest`;
- `latest~N`, the finished run that ended N before the latest;
- `NAME@STEP`, the checkpoint of lineage NAME at that step, and `NAME~N`, the one N before its last;
- `lineage:NAME`, all its checkpoints in order of step. `lineage:` may stand before the two above, too;
- where no id begins so: NAME, the same as `lineage:NAME`; or the name of a checkpoint;
- `KEY=VALUE`, the runs with this tag.

Of a lineage only finished runs count, without variants of a checkpoint (a network with a layer silenced); of two
recordings of the same stimuli at the same step, the newer one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from layerwise.core.base.errors import InputError
from layerwise.core.base.words import near_names
from layerwise.core.history.records import RunField, RunFilter, RunRecord
from layerwise.core.history.run_ids import LATEST

PREFIX = "lineage:"
_N_SHOWN = 12


class RunLister(Protocol):
    """What is asked of a history here."""

    def find_run(self, run: str) -> RunRecord:
        """See `HistoryProtocol`."""

    def list_runs(self, where: RunFilter = RunFilter()) -> list[RunRecord]:  # noqa: B008 - frozen
        """See `HistoryProtocol`."""

    def count_values(self, field: RunField, where: RunFilter = RunFilter()) -> dict[str, int]:  # noqa: B008 - frozen
        """See `HistoryProtocol`."""


def find_runs(history: RunLister, references: Iterable[str]) -> list[RunRecord]:
    """The runs that are meant, each once, in the order in which they are named; a lineage's in order of step.

    Args:
        history: Where the runs are.
        references: What was typed: one run each, or `lineage:NAME`.

    Raises:
        InputError: If there is no such run, lineage or step, or several runs are meant where one is.
    """
    found: dict[str, RunRecord] = {}
    for text in references:
        found |= {run.id: run for run in _find_all(history, text)}
    return list(found.values())


def _find_all(history: RunLister, text: str) -> list[RunRecord]:
    """All runs that one reference means."""
    whole = _find_whole(history, text)
    if whole is not None:
        return whole
    try:
        return [history.find_run(text)]
    except InputError:  # of several runs with this name one alone was not found, or nothing begins so
        named = find_named(history, text)
        if not named:
            raise
        return named


def find_named(history: RunLister, text: str) -> list[RunRecord]:
    """The finished runs that a name means which is no id: a tag's, a lineage's or a checkpoint's; empty where none.

    Those of a lineage in order of step, the others in the order in which they began. Variants do not count.
    """
    key, sign, value = text.partition("=")
    if sign:
        return _list_oldest_first(history, RunFilter(status="finished", tags={key: value}))
    if text in history.count_values("lineage"):
        return list_checkpoints(history, text)
    near = _list_oldest_first(history, RunFilter(status="finished", words=text)) if text.strip() else []
    return [run for run in near if run.checkpoint == text]


def _list_oldest_first(history: RunLister, where: RunFilter) -> list[RunRecord]:
    return [run for run in reversed(history.list_runs(where)) if run.origin != "ablated"]


def find_with_stimuli(history: RunLister, text: str) -> RunRecord:
    """The run whose stimuli are meant: `latest` is the newest one that was shown any, never an import.

    Raises:
        InputError: If there is none.
    """
    if text != LATEST:
        return history.find_run(text)
    shown = [run for run in _list_ended(history) if run.origin != "imported"]
    if not shown:
        raise InputError("'latest' means the newest run of a network, and there is none; name a run by its id")
    return shown[0]


def list_checkpoints(history: RunLister, lineage: str) -> list[RunRecord]:
    """The finished checkpoints of a lineage in order of step, those without a step last; of all its stimulus sets.

    Raises:
        InputError: If there is no such lineage, or none of its runs is finished.
    """
    runs = history.list_runs(RunFilter(lineage=lineage, status="finished", descending=False))
    newest: dict[tuple[object, ...], RunRecord] = {}
    for run in runs:
        if run.origin != "ablated":
            newest[(run.step, run.stimuli_fingerprint) if run.step is not None else (run.id,)] = run
    if newest:
        return sorted(newest.values(), key=lambda run: (run.step is None, run.step or 0, run.started_at))
    names = list(history.count_values("lineage"))
    if lineage in names:
        raise InputError(f"no run of lineage '{lineage}' is finished yet")
    nothing = "; no run belongs to one yet" if not names else ""
    raise InputError(f"there is no lineage '{lineage}'{near_names(lineage, names) or nothing}")


def is_reference(text: str) -> bool:
    """Whether this means a run by something else than an id or `latest`: no id has such letters."""
    return any(sign in text for sign in (PREFIX, "@", "~", "="))


def find_referenced(history: RunLister, text: str) -> RunRecord:
    """The one run that `NAME@STEP`, `NAME~N`, `latest~N`, `KEY=VALUE` or the `lineage:NAME` of a single run means.

    Raises:
        InputError: If there is none, or there are several.
    """
    whole = _find_whole(history, text)
    if whole is not None:
        return only_named(text, whole)
    if _place_of(text.removeprefix(PREFIX)) is None and "=" in text:
        tagged = find_named(history, text)
        if not tagged:
            raise InputError(f"no finished run has the tag '{text}'")
        return only_named(text, tagged)
    name, sign, place = _split(text)
    if name == LATEST and sign == "~":
        return _count_back(_list_ended(history), int(place), f"there are only {{}} finished runs, so no '{text}'")
    runs = list_checkpoints(history, name)
    if sign == "~":
        several = f"lineage '{name}' has only {{}} checkpoints, so there is no '{text}'"
        return _count_back(runs[::-1], int(place), several)
    there = [run for run in runs if run.step == int(place)]
    if not there:
        raise InputError(f"lineage '{name}' has no step {place}; its steps: {show_steps(runs)}")
    return only_named(text, there)


def explain_missing(history: RunLister, text: str) -> str:
    """What may have been meant by a name that begins no run's id, as the end of an error message; or nothing."""
    return near_names(text, list(history.count_values("lineage"))) if text.strip() else ""


def show_steps(runs: Sequence[RunRecord]) -> str:
    """The steps of checkpoints in words, not all of them where they are many."""
    steps = list(dict.fromkeys(str(run.step) for run in runs if run.step is not None))
    if not steps:
        return "none has one"
    if len(steps) <= _N_SHOWN:
        return ", ".join(steps)
    return f"{', '.join(steps[: _N_SHOWN - 2])}, ..., {steps[-1]} ({len(steps)} in all)"


def _find_whole(history: RunLister, text: str) -> list[RunRecord] | None:
    """All checkpoints, where the text names a lineage and not a place in one."""
    if not text.startswith(PREFIX):
        return None
    name = text.removeprefix(PREFIX)
    if name in history.count_values("lineage") or _place_of(name) is None:
        return list_checkpoints(history, name)  # a lineage may have a name that looks like a place
    return None


def _split(text: str) -> tuple[str, str, str]:
    """Name, sign and number."""
    name = text.removeprefix(PREFIX)
    place = _place_of(name)
    if place is None:
        raise InputError(f"'{text}' is no run: after {'@' if '@' in name else '~'} comes a whole number")
    return place


def _place_of(text: str) -> tuple[str, str, str] | None:
    """Name, sign and number of `NAME@STEP` or `NAME~N`; None where it is neither."""
    for sign in ("@", "~"):
        name, _, place = text.rpartition(sign)
        if name and place.isascii() and place.isdigit():
            return name, sign, place
    return None


def _count_back(newest_first: Sequence[RunRecord], number: int, too_few: str) -> RunRecord:
    if number >= len(newest_first):
        raise InputError(too_few.format(len(newest_first)))
    return newest_first[number]


def _list_ended(history: RunLister) -> list[RunRecord]:
    """All finished runs, the one that ended last first."""
    runs = sorted(history.list_runs(RunFilter(status="finished")), key=lambda run: run.id)
    return sorted(runs, key=lambda run: run.finished_at or run.started_at, reverse=True)


def only_named(text: str, runs: Sequence[RunRecord]) -> RunRecord:
    """The run, where there is one.

    Raises:
        InputError: If there are several; says how one of them is named.
    """
    if len(runs) == 1:
        return runs[0]
    if len({run.step for run in runs}) == 1 or "=" in text:
        names = ", ".join(f"{run.id[:8]} ('{run.stimuli_name}')" for run in runs[:_N_SHOWN])
        more = f" and {len(runs) - _N_SHOWN} more" if len(runs) > _N_SHOWN else ""
        raise InputError(f"'{text}' is {len(runs)} runs, name one by its id: {names}{more}")
    name = text.removeprefix(PREFIX)
    one = f"{name}@{runs[0].step}" if runs[0].step is not None else f"{name}~{len(runs) - 1}"
    raise InputError(f"'{text}' is {len(runs)} runs, and one is wanted here: {one} say, or {name}~0, the last")
