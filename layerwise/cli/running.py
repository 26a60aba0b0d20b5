"""One run from the command line: prepared, watched, carried out, and told about at its end."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from layerwise.cli.options.common import database_option, program_name
from layerwise.cli.output import duration, print_json, stdout_console
from layerwise.cli.printing.plan_table import describe_time, plan_record, show_plan
from layerwise.cli.progress import watching
from layerwise.cli.session import database_url, open_history

if TYPE_CHECKING:
    from layerwise.core.history.protocols import Archive
    from layerwise.core.host.registry import Registry
    from layerwise.core.runs.costing.predicting import Prediction
    from layerwise.core.runs.prepared import PreparedRun
    from layerwise.core.runs.request import RunOutcome, RunRequest


def show_dry_run(request: RunRequest, registry: Registry, *, database: str, as_json: bool) -> None:
    """Prepare a run, print its plan and what it will cost, and leave it at that."""
    from layerwise.core.runs.prepared import prepare_run

    with watching(quiet=True) as observer:
        prepared = prepare_run(request, registry, observer)
    prediction = predict_costs(prepared, database)
    if as_json:
        print_json(plan_record(prepared.plan, prediction) | {"notes": list(prepared.stimuli.notes)})
        return
    console = stdout_console()
    show_plan(console, prepared.plan)
    console.print(f"Time: {describe_time(prediction)}", markup=False, soft_wrap=True)


def predict_costs(prepared: PreparedRun, database: str) -> Prediction:
    """What a prepared run will cost, by what the history has, where there is one; nothing is run."""
    from layerwise.core.runs.costing.predicting import predict_from_history
    from layerwise.core.runs.describing import find_circumstances
    from layerwise.storage import check_place

    now = find_circumstances(prepared)
    if not check_place(database_url(database)):
        return predict_from_history(prepared.plan, now, None)
    with open_history(database) as store:
        return predict_from_history(prepared.plan, now, store)


def carry_out(request: RunRequest, registry: Registry, *, database: str, as_json: bool) -> None:
    """Find a run in the history `database`, as `--db` says it, or carry it out, and print what came of it."""
    from layerwise.core.runs.run import find_or_run
    from layerwise.storage import check_place

    is_there = check_place(database_url(database))

    def opened(create: bool) -> AbstractContextManager[Archive | None]:
        return open_history(database, create=create) if create or is_there else nullcontext()

    with watching(quiet=as_json) as observer:
        outcome = find_or_run(request, registry, opened, observer)
    if as_json:
        print_json(outcome_record(outcome))
    else:
        tell_outcome(outcome, database)


def outcome_record(outcome: RunOutcome) -> dict[str, Any]:
    """A run's outcome as JSON shows it."""
    accuracy = outcome.accuracy
    return {
        "run_id": outcome.run_id,
        "status": outcome.status,
        "n_stimuli": outcome.n_stimuli,
        "layers": list(outcome.layers),
        "seconds": dict(outcome.seconds),
        "accuracy": None if accuracy is None else {"top1": accuracy.top1, "top5": accuracy.top5},
    }


def tell_outcome(outcome: RunOutcome, database: str) -> None:
    """Print a run's outcome in words, and what to try next."""
    console = stdout_console()

    def say(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    extent = f"{len(outcome.layers)} layers, {outcome.n_stimuli} stimuli"
    if outcome.status == "stored":
        say(f"Run {outcome.run_id}: already stored ({extent}); --force computes it anew.")
    else:
        verb = "resumed and finished" if outcome.resumed else "finished"
        say(f"Run {outcome.run_id} {verb}: {extent}, {duration(sum(outcome.seconds.values()))}.")
    if outcome.is_untrained:
        say(f"Its weights are random ({outcome.weights}): the model has learned nothing.")
    if outcome.accuracy is not None:
        accuracy = outcome.accuracy
        say(
            f"Accuracy: top-1 {accuracy.top1:.3f}, top-5 {accuracy.top5:.3f} "
            f"of {accuracy.n_labelled} labelled stimuli."
        )
    for layer, n_constant in outcome.constant.items():
        say(f"Warning: {layer}: {n_constant} stimuli with constant activations, whose correlations are undefined.")
    say_next(database)


def say_next(database: str) -> None:
    """Print what to try next."""
    from layerwise.storage import MEMORY_URL

    line = "This history was in memory, and is gone now; --db FILE keeps one."
    if database != MEMORY_URL:
        program, option = program_name(), database_option(database)
        line = f"Next: {program} show latest{option}, or {program} report latest -o report.html{option}"
    stdout_console().print(line, markup=False, soft_wrap=True)


@contextmanager
def resumable() -> Iterator[None]:
    """Say on Ctrl-C that the same command goes on."""
    try:
        yield
    except KeyboardInterrupt:
        print("layerwise: finished layers are stored; the same command goes on from there", file=sys.stderr)
        raise
