"""Trainings as they go on: a page asks again and again, and gets the checkpoints that it has not seen yet."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from layerwise.core.base.errors import InputError
from layerwise.core.history.memory import OverlayHistory
from layerwise.core.history.references import list_checkpoints
from layerwise.core.network.layers import end_words, find_end_point

if TYPE_CHECKING:
    from collections.abc import Callable

    from layerwise.core.analysis.training.alarms import AlarmLimits
    from layerwise.core.analysis.training.moments import Moment, Watch
    from layerwise.core.history.records import RunRecord
    from layerwise.core.host.registry import Registry
    from layerwise.storage import OpenHistory

COMPARATOR = "layerwise:rsa-pearson"
CURVES = {"dimension": "participation-ratio", "dead": "fraction-dead", "sparseness": "sparseness-population"}
ALARMS = (
    ("collapse", "A layer collapses: participation ratio below", "of its largest"),
    ("dead", "Units die: above", "of a layer's units more than before"),
    ("still", "A layer is still: changes by less than", "of what another one does"),
    ("patience", "... for", "checkpoints in a row"),
    ("lost", "The output is lost: spread of its similarities below", "of its largest"),
)
"""What each limit is called on the page, before the number and after it."""
_SECONDS = 2.0  # that one answer takes at most; what is not ready yet comes with the next
_N_STOPS = 41
_MOST_WATCHED = 8


@dataclass(frozen=True)
class WatchWish:
    """A training that somebody wants to watch.

    Attributes:
        name: The lineage.
        stimuli: The stimulus set; empty for the one with most checkpoints.
        comparator: What compares layers.
        seen: Id of the last checkpoint that the page has; empty for none.
        limits: From where on there is an alarm.
    """

    name: str
    stimuli: str
    comparator: str
    seen: str
    limits: AlarmLimits


def read_watch_wish(asked: Mapping[str, str]) -> WatchWish:
    """The wish that an address makes.

    Raises:
        InputError: If it names no training, or a limit is no number between 0 and 1.
    """
    if not asked.get("name"):
        raise InputError("say which training: /training?name=NAME")
    comparator = asked.get("with") or COMPARATOR
    return WatchWish(asked["name"], asked.get("stimuli", ""), comparator, asked.get("seen", ""), read_limits(asked))


def read_limits(asked: Mapping[str, str]) -> AlarmLimits:
    """The limits that an address sets; those that it does not are the usual ones.

    Raises:
        InputError: If one is no number, or none that it can be.
    """
    from layerwise.core.analysis.training.alarms import AlarmLimits

    given: dict[str, Any] = {}
    for item in fields(AlarmLimits):
        text = asked.get(item.name)
        if text:
            try:
                given[item.name] = int(text) if item.name == "patience" else float(text)
            except ValueError as error:
                raise InputError(f"the limit of alarm '{item.name}' is a number, and not '{text}'") from error
    return AlarmLimits(**given)


@dataclass
class Watching:
    """Answers pages that watch trainings; each checkpoint is looked at once.

    Attributes:
        store: The history, open for reading.
        find_registry: Gives the plugins; asked when the first training is watched.
    """

    store: OpenHistory
    find_registry: Callable[[], Registry]
    _moments: dict[tuple[Any, ...], dict[tuple[str, str], Moment]] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def list_trainings(self) -> list[tuple[str, int, RunRecord]]:
        """Each lineage with its number of runs and the newest of them, the one that was recorded last first."""
        from layerwise.core.history.records import RunFilter

        counted = self.store.count_values("lineage")
        found = [
            (name, n_runs, self.store.list_runs(RunFilter(lineage=name, limit=1))[0])
            for name, n_runs in counted.items()
        ]
        return sorted(found, key=lambda item: item[2].started_at, reverse=True)

    def answer(self, wish: WatchWish) -> dict[str, Any]:
        """What a page has not seen yet of a training, and its alarms; what it waits for, where there is none yet.

        Raises:
            InputError: If there is no such stimulus set or comparator.
        """
        try:
            checkpoints = list_checkpoints(self.store, wish.name)
        except InputError as error:
            return {"waiting": error.message}
        runs, sets = _choose(wish, checkpoints)
        watch = self._open(wish, runs[-1])
        moments, n_more = self._look(wish, watch, runs)
        ids = [one.run.id for one in moments]
        start = ids.index(wish.seen) + 1 if wish.seen in ids else 0
        return {
            "name": wish.name,
            "stimuli": runs[-1].stimuli_name,
            "sets": sets,
            "layers": [{"name": layer.name, "role": layer.role} for layer in watch.layers],
            "end": end_words(find_end_point(watch.layers)),
            "comparator": watch.measure.name,
            "kind": watch.measure.kind,
            "scale": _scale(watch, moments),
            "from": start,
            "moments": [_record(watch, one) for one in moments[start:]],
            "n_more": n_more,
            "alarms": [vars(alarm) for alarm in watch.find_alarms(moments, wish.limits)],
        }

    def _open(self, wish: WatchWish, last: RunRecord) -> Watch:
        from layerwise.core.analysis.choose import list_main_layers
        from layerwise.core.analysis.measure import find_measure
        from layerwise.core.analysis.training.moments import Watch

        registry = self.find_registry()
        measure = find_measure(registry, wish.comparator)
        layers = tuple(list_main_layers(self.store, last))
        return Watch(registry, OverlayHistory(self.store), measure, layers)

    def _look(self, wish: WatchWish, watch: Watch, runs: Sequence[RunRecord]) -> tuple[list[Moment], int]:
        """The moments that are ready, in order, and how many are still to come."""
        key = (wish.name, runs[-1].stimuli_fingerprint, wish.comparator, tuple(layer.name for layer in watch.layers))
        end = time.monotonic() + _SECONDS
        with self._lock:
            known = self._moments.setdefault(key, {})
            while len(self._moments) > _MOST_WATCHED:
                del self._moments[next(iter(self._moments))]
            found: list[Moment] = []
            n_new = 0
            for place, run in enumerate(runs):
                before = runs[place - 1] if place else None
                at = (run.id, before.id if before is not None else "")
                if at not in known:
                    if n_new and time.monotonic() > end:
                        break
                    known[at] = watch.look(run, before)
                    n_new += 1
                found.append(known[at])
        return found, len(runs) - len(found)


def _choose(wish: WatchWish, runs: Sequence[RunRecord]) -> tuple[list[RunRecord], list[str]]:
    """The checkpoints on one stimulus set, and the names of all sets, that with most checkpoints first."""
    names = [run.stimuli_name for run in runs]
    sets = sorted(dict.fromkeys(names), key=names.count, reverse=True)
    chosen = wish.stimuli or sets[0]
    kept = [run for run in runs if run.stimuli_name == chosen]
    if not kept:
        raise InputError(f"lineage '{wish.name}' was not recorded on '{chosen}'; it was on {', '.join(sets)}")
    return [run for run in kept if run.stimuli_fingerprint == kept[-1].stimuli_fingerprint], sets


def _record(watch: Watch, moment: Moment) -> dict[str, Any]:
    """A moment as the page draws it, with numbers no longer than a screen shows."""
    run, reading = moment.run, moment.reading
    curves = {
        curve: [reading.statistics.get(name, {}).get(layer.name) for layer in watch.layers]
        for curve, name in CURVES.items()
    }
    end = find_end_point(watch.layers)
    if end is not None:
        curves["output"] = moment.matrix[:, watch.layers.index(end)].tolist()
    curves["change"] = moment.change.tolist()
    at = run.finished_at or run.started_at
    return {
        "id": run.id,
        "step": run.step,
        "checkpoint": run.checkpoint,
        "at": at.isoformat(),
        "values": reading.values,
        "curves": {name: [_short(value) for value in values] for name, values in curves.items()},
        "matrix": [[_short(value) for value in row] for row in moment.matrix.tolist()],
    }


def _scale(watch: Watch, moments: Sequence[Moment]) -> dict[str, Any]:
    """The colours of matrices, from the smallest to the largest value."""
    from layerwise.report.drawing import diverging_colours, sequential_colours
    from layerwise.report.scale import Scale

    scale = Scale(watch.measure)
    bounds = scale.bounds(value for one in moments for value in one.matrix.ravel())
    colours = diverging_colours(_N_STOPS) if bounds.diverging else sequential_colours(_N_STOPS)
    ordered = colours[::-1] if bounds.dark_is_low else colours
    return {
        "low": bounds.low,
        "high": bounds.high,
        "colours": ["#{:02x}{:02x}{:02x}".format(*one) for one in ordered],
    }


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")
