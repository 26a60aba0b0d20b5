"""The stimuli of a check: all of the baseline's, in its order, or nothing is checked."""

from __future__ import annotations

from collections.abc import Sequence

from layerwise.core.base.errors import InputError
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import RunRecord, StimulusRecord
from layerwise.core.history.views.shared import share_stimuli

_N_NAMED = 3


def align_with_baseline(
    history: HistoryProtocol, baseline: RunRecord, run: RunRecord
) -> tuple[HistoryProtocol, tuple[str, ...]]:
    """A history in which a run has the stimuli of its baseline alone, and what was left out, in words.

    Raises:
        InputError: If the run lacks one of the baseline's stimuli, or has them in another order; says which.
    """
    if baseline.stimuli_fingerprint == run.stimuli_fingerprint:
        return history, ()
    wanted, there = history.list_stimuli(baseline.id), history.list_stimuli(run.id)
    _check_none_missing(wanted, there, run)
    _check_order(wanted, there, run)
    shared, _, _ = share_stimuli(history, [baseline, run])
    return shared, (f"checked on the baseline's {len(wanted)} stimuli of the run's {len(there)}",)


def _check_none_missing(wanted: Sequence[StimulusRecord], there: Sequence[StimulusRecord], run: RunRecord) -> None:
    known = {stimulus.content_hash for stimulus in there}
    missing = [stimulus.name for stimulus in wanted if stimulus.content_hash not in known]
    if not missing:
        return
    named = ", ".join(missing[:_N_NAMED]) + (", ..." if len(missing) > _N_NAMED else "")
    by_name = {stimulus.name for stimulus in there}
    changed = sum(name in by_name for name in missing)
    hint = f"; {changed} of them are there by name, with other content" if changed else ""
    raise InputError(
        f"run {run.id} of '{run.stimuli_name}' lacks {len(missing)} of the baseline's {len(wanted)} stimuli "
        f"({named}){hint}: a check needs all of them"
    )


def _check_order(wanted: Sequence[StimulusRecord], there: Sequence[StimulusRecord], run: RunRecord) -> None:
    """Refuse stimuli in another order: whoever shuffled them may have shuffled what belongs to them, too."""
    place: dict[str, int] = {}
    for stimulus in there:
        place.setdefault(stimulus.content_hash, stimulus.position)
    last = -1
    for stimulus in wanted:
        if place[stimulus.content_hash] < last:
            raise InputError(
                f"run {run.id} has the baseline's stimuli in another order, from '{stimulus.name}' on: "
                "a check needs the same order"
            )
        last = place[stimulus.content_hash]
