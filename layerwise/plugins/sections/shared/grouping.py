"""Which of a report's runs can be held against which: models, checkpoints of a training, stimulus sets.

A report may be asked for any mix of runs. Each kind of comparison takes the groups it can use, and says of every
other run why it is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from layerwise.core.history.records import RunRecord

Runs = tuple[RunRecord, ...]
UNFINISHED = "none of its layers is finished"
RECORDED = "imported matrices without an input and an output, which are no network's layers"
TWICE = "model on the same stimuli"
EARLIER = "an earlier checkpoint of '{}', whose last one stands for all"


@dataclass(frozen=True)
class Grouping:
    """Groups of runs that can be compared with each other, and the runs that are in none of them.

    Attributes:
        groups: Each of two runs or more.
        left_out: Why, by the run's id.
    """

    groups: tuple[Runs, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)

    def group_of(self, run: RunRecord) -> Runs:
        """The group that a run is in; empty where it is in none."""
        return next((group for group in self.groups if run.id in {member.id for member in group}), ())

    def told_apart(self, describe: Callable[[RunRecord], str]) -> Iterator[tuple[Runs, str, str]]:
        """Each group with an ending for its figures' names and one for their titles; both empty where it is alone."""
        for index, runs in enumerate(self.groups):
            yield (runs, f"-{index + 1}", f" · {describe(runs[0])}") if len(self.groups) > 1 else (runs, "", "")


def find_trainings(runs: Sequence[RunRecord]) -> Grouping:
    """Checkpoints of one lineage on the same stimuli, by step where all have one."""
    left_out = _unfinished(runs)
    left_out |= {run.id: "it belongs to no lineage" for run in runs if run.lineage is None and run.id not in left_out}
    kept = _keep_fullest(_others(runs, left_out), _checkpoint_and_stimuli, "checkpoint on the same stimuli", left_out)
    sets = _gather(kept, lambda run: (run.lineage, run.stimuli_fingerprint))
    for group in sets:
        if len(group) == 1:
            left_out[group[0].id] = f"the only checkpoint of '{group[0].lineage}' on '{group[0].stimuli_name}'"
    return Grouping(tuple(order_by_step(group) for group in sets if len(group) > 1), left_out)


def find_models(runs: Sequence[RunRecord], recordings: Collection[str] = ()) -> Grouping:
    """Different models on the same stimuli; of a training, the last checkpoint stands for all.

    Args:
        runs: All runs of the report.
        recordings: The ids of those that are no networks.
    """
    left_out = _unfinished(runs)
    left_out |= {run.id: RECORDED for run in _others(runs, left_out) if run.id in recordings}
    chosen: list[RunRecord] = []
    for group in _gather(_others(runs, left_out), lambda run: (run.lineage or run.id, run.stimuli_fingerprint)):
        last = order_by_step(group)[-1]
        chosen.append(last)
        left_out |= {run.id: EARLIER.format(run.lineage) for run in group if run is not last}
    kept = _keep_fullest(chosen, _model_and_stimuli, TWICE, left_out)
    sets = _gather(kept, lambda run: run.stimuli_fingerprint)
    for group in sets:
        if len(group) == 1:
            run = group[0]
            left_out[run.id] = f"no other model was analysed on its {run.n_stimuli} stimuli ('{run.stimuli_name}')"
    return Grouping(tuple(group for group in sets if len(group) > 1), left_out)


def find_recordings(runs: Sequence[RunRecord], recordings: Collection[str]) -> Grouping:
    """Recordings with the networks, and with other recordings, of the same stimuli.

    Args:
        runs: All runs of the report.
        recordings: The ids of those that are recordings.
    """
    left_out = _unfinished(runs)
    kept = _keep_fullest(_others(runs, left_out), _model_and_stimuli, TWICE, left_out)
    groups = []
    for group in _gather(kept, lambda run: run.stimuli_fingerprint):
        if not any(run.id in recordings for run in group):
            left_out |= {run.id: "nothing was recorded of its stimuli" for run in group}
        elif len(group) == 1:
            left_out[group[0].id] = f"no network was analysed on its {group[0].n_stimuli} stimuli"
        else:
            groups.append(group)
    return Grouping(tuple(groups), left_out)


def find_stimulus_sets(runs: Sequence[RunRecord]) -> Grouping:
    """The same model, with the same weights, on different stimuli; of a training, its last checkpoint."""
    left_out = _unfinished(runs)
    kept = _keep_fullest(_others(runs, left_out), _model_and_stimuli, TWICE, left_out)
    several: dict[str, Runs] = {}
    for group in _gather(kept, lambda run: run.model.fingerprint):
        several[group[0].id] = group
        if len(group) == 1:
            left_out[group[0].id] = "its model was analysed on no other stimuli"
    chosen = []
    firsts = [group[0] for group in several.values() if len(group) > 1]
    for checkpoints in _gather(firsts, lambda run: run.lineage or run.id):
        last = order_by_step(checkpoints)[-1]
        chosen.append(several[last.id])
        earlier = [run for first in checkpoints if first is not last for run in several[first.id]]
        left_out |= {run.id: EARLIER.format(run.lineage) for run in earlier}
    return Grouping(tuple(chosen), left_out)


def order_by_step(runs: Sequence[RunRecord]) -> Runs:
    """Runs by their step; as they come where one has none."""
    if any(run.step is None for run in runs):
        return tuple(runs)
    return tuple(sorted(runs, key=lambda run: run.step or 0))


def name_runs(runs: Sequence[RunRecord], *ways: Callable[[RunRecord], str]) -> dict[str, str]:
    """A different name for each run, by its id: the first way of naming that tells it apart, else with the id."""
    names: dict[str, str] = {}
    alike = list(runs)
    for way in ways:
        names |= {run.id: way(run) for run in alike}
        found = list(names.values())
        alike = [run for run in alike if found.count(names[run.id]) > 1]
    return names | {run.id: f"{names[run.id]}, run {run.id[:8]}" for run in alike}


def model_names(runs: Sequence[RunRecord]) -> dict[str, str]:
    """What the models of some runs are called, by the run's id: name, checkpoint or source, as far as it takes."""
    names = name_runs(runs, lambda run: run.model.name, _name_with_short_source, _name_with_source)
    return {run.id: run.model.title if names[run.id] == run.model.name else names[run.id] for run in runs}


def set_names(runs: Sequence[RunRecord]) -> dict[str, str]:
    """What the stimulus sets of some runs are called, by the run's id."""
    return name_runs(runs, lambda run: run.stimuli_name, lambda run: f"{run.stimuli_name} ({run.n_stimuli})")


def _name_with_source(run: RunRecord) -> str:
    """The model's name with its checkpoint, or where its weights come from."""
    source = run.checkpoint or PurePath(run.model.source).name or run.model.source
    return run.model.name if source == run.model.name else f"{run.model.name} ({source})"


def _name_with_short_source(run: RunRecord) -> str:
    """The same, with only what says most of where its weights come from."""
    source = run.checkpoint or PurePath(run.model.source).stem.partition(",")[0] or run.model.source
    return run.model.name if source == run.model.name else f"{run.model.name} ({source})"


def _model_and_stimuli(run: RunRecord) -> Hashable:
    return run.model.fingerprint, run.stimuli_fingerprint


def _checkpoint_and_stimuli(run: RunRecord) -> Hashable:
    return run.lineage, run.step, run.checkpoint, run.model.fingerprint, run.stimuli_fingerprint


def _unfinished(runs: Iterable[RunRecord]) -> dict[str, str]:
    return {run.id: UNFINISHED for run in runs if run.n_layers == 0}


def _others(runs: Iterable[RunRecord], left_out: dict[str, str]) -> list[RunRecord]:
    return [run for run in runs if run.id not in left_out]


def _gather(runs: Iterable[RunRecord], key: Callable[[RunRecord], Hashable]) -> list[Runs]:
    """Runs with the same key together, in order of first appearance."""
    found: dict[Hashable, list[RunRecord]] = {}
    for run in runs:
        found.setdefault(key(run), []).append(run)
    return [tuple(group) for group in found.values()]


def _keep_fullest(
    runs: Iterable[RunRecord], key: Callable[[RunRecord], Hashable], what: str, left_out: dict[str, str]
) -> list[RunRecord]:
    """Of runs with the same key, the one with the most layers; the others are left out, which is noted."""
    kept = []
    for group in _gather(runs, key):
        best = max(group, key=lambda run: run.n_layers)
        kept.append(best)
        left_out |= {run.id: f"the same {what} as run {best.id[:8]}" for run in group if run is not best}
    return kept
