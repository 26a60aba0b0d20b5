"""Several models in one call: the checkpoints of a training, one run each, in one lineage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from layerwise.cli.output import count, duration, print_json, stdout_console
from layerwise.cli.printing.plan_table import plan_record, show_plan
from layerwise.cli.progress import watching
from layerwise.cli.running import outcome_record, say_next
from layerwise.cli.session import database_url, open_history
from layerwise.core.base.errors import InputError, LayerwiseError

if TYPE_CHECKING:
    from layerwise.core.host.registry import Registry
    from layerwise.core.network.stimuli import LoadedStimuli
    from layerwise.core.runs.prepared import PreparedRun
    from layerwise.core.runs.request import Observer, RunOutcome, RunRequest


def carry_out_several(
    request: RunRequest, models: Sequence[str], registry: Registry, *, database: str, as_json: bool, dry_run: bool
) -> None:
    """Analyse each checkpoint in the order of steps; those that cannot be are told at the end, the others go on.

    Args:
        request: What is asked for of each.
        models: What was typed: paths and patterns. With a pattern after `--weights`, the one model that they are of.
        registry: What plugins offer.
        database: What `--db` says.
        as_json: Whether to print JSON.
        dry_run: Whether to print the first one's plan, and stop.

    Raises:
        InputError: If names do not say which step each is, or some could not be analysed.
        LayerwiseError: If the work failed for some.
    """
    from layerwise.storage import check_place

    requests = spread_request(request, models)
    if dry_run:
        _show_plan(requests, registry, as_json=as_json)
        return
    check_place(database_url(database))
    outcomes: list[RunOutcome] = []
    failures: list[tuple[RunRequest, LayerwiseError]] = []
    stimuli: LoadedStimuli | None = None
    try:
        for number, one in enumerate(requests, start=1):
            if not as_json:
                stdout_console().print(f"{number} of {len(requests)}: {one.checkpoint}", markup=False, soft_wrap=True)
            try:
                outcome, stimuli = _carry_out(one, stimuli, registry, database, quiet=as_json)
                outcomes.append(outcome)
            except LayerwiseError as error:
                failures.append((one, error))
    finally:
        if stimuli is not None:
            stimuli.pixels.close()
    _tell(outcomes, requests[0].lineage or "", database, as_json=as_json)
    if failures:
        listed = "; ".join(f"{one.checkpoint}: {error}" for one, error in failures[:3])
        text = f"{len(failures)} of {len(requests)} models were not analysed: {listed}"
        text += "; ..." if len(failures) > 3 else ""
        by_mistake = all(isinstance(error, InputError) for _, error in failures)
        raise InputError(text) if by_mistake else LayerwiseError(text)


def spread_request(request: RunRequest, models: Sequence[str]) -> list[RunRequest]:
    """A request for each model, filed under its step in one lineage.

    Raises:
        InputError: If names do not say which step each is, or one step is asked for.
    """
    from layerwise.core.runs.checkpoints import is_several, list_checkpoints

    if request.step is not None or request.checkpoint is not None:
        raise InputError("--step and --checkpoint are for one model; those of several are read from their names")
    by_weights = request.weights is not None and is_several([request.weights])
    if by_weights and len(models) > 1:
        raise InputError("several models and several weights files: give one model, and a pattern after --weights")
    checkpoints = list_checkpoints([request.weights] if by_weights and request.weights else models)
    lineage = request.lineage or Path(checkpoints[0].model).resolve().parent.name
    found = []
    for checkpoint in checkpoints:
        one = replace(request, checkpoint=checkpoint.name, step=checkpoint.step, lineage=lineage)
        found.append(replace(one, weights=checkpoint.model) if by_weights else replace(one, model=checkpoint.model))
    return found


def _show_plan(requests: Sequence[RunRequest], registry: Registry, *, as_json: bool) -> None:
    from layerwise.core.runs.prepared import prepare_run

    with watching(quiet=True) as observer:
        plan = prepare_run(requests[0], registry, observer).plan
    steps = [one.step for one in requests]
    if as_json:
        print_json({"n_models": len(requests), "steps": steps, "plan": plan_record(plan)})
        return
    shown = ", ".join(str(step) for step in steps[:6]) + (", ..." if len(steps) > 6 else "")
    line = f"{count(len(requests))} models of lineage {requests[0].lineage}, steps {shown}; each as the first one:"
    stdout_console().print(line, markup=False, soft_wrap=True)
    show_plan(stdout_console(), plan)


def _carry_out(
    request: RunRequest, stimuli: LoadedStimuli | None, registry: Registry, database: str, *, quiet: bool
) -> tuple[RunOutcome, LoadedStimuli | None]:
    """One of the runs; and the decoded stimuli, for the next one."""
    from layerwise.core.runs.lookup import digest_request, find_answer
    from layerwise.core.runs.run import execute_run
    from layerwise.storage import check_place

    digest = digest_request(request, registry)
    with watching(quiet=quiet) as observer:
        if check_place(database_url(database)):
            with open_history(database) as store:
                answer = find_answer(digest, request, registry, store, observer.message)
            if answer is not None:
                return answer, stimuli
        prepared = _prepare(request, stimuli, registry, observer, digest)
        kept = replace(prepared, request=replace(request, stimuli=prepared.stimuli))  # so that they stay open
        with open_history(database, create=True) as store:
            return execute_run(kept, store, observer), prepared.stimuli


def _prepare(
    request: RunRequest, stimuli: LoadedStimuli | None, registry: Registry, observer: Observer, digest: str | None
) -> PreparedRun:
    from layerwise.core.runs.prepared import prepare_run

    if stimuli is not None:
        try:
            return prepare_run(replace(request, stimuli=stimuli), registry, observer, digest)
        except InputError:  # of another size than this model takes
            stimuli.pixels.close()
    return prepare_run(request, registry, observer, digest)


def _tell(outcomes: Sequence[RunOutcome], lineage: str, database: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"lineage": lineage, "runs": [outcome_record(outcome) for outcome in outcomes]})
        return
    if not outcomes:
        return
    n_stored = sum(outcome.status == "stored" for outcome in outcomes)
    seconds = sum(sum(o.seconds.values()) for o in outcomes if o.status != "stored")
    before = f", {n_stored} of them stored before" if n_stored else ""
    line = f"Lineage {lineage}: {len(outcomes)} runs{before}, {duration(seconds)}."
    stdout_console().print(line, markup=False, soft_wrap=True)
    say_next(database)
