"""`layerwise runs`: what has been analysed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from layerwise.cli.options.common import DEFAULT_DATABASE, AsJson, Database, parse_tags
from layerwise.cli.output import choose_columns, count, duration, make_table, number, print_json, stdout_console
from layerwise.cli.session import open_history
from layerwise.core.base.errors import InputError
from layerwise.core.history.listing import checkpoint_of

if TYPE_CHECKING:
    from layerwise.core.history.records import RunRecord

N_SHOWN = 50
_HEADS = ("run", "model", "checkpoint", "stimuli", "n", "layers", "status", "top-1", "took", "started (UTC)", "tags")
_SPARE = ("took", "layers", "tags", "n", "top-1")  # what a narrow terminal does without, in this order


def list_runs(
    model: Annotated[str | None, typer.Option(metavar="NAME", help="Only runs of this model.")] = None,
    stimuli: Annotated[str | None, typer.Option(metavar="NAME", help="Only runs on this stimulus set.")] = None,
    status: Annotated[
        Literal["running", "finished", "failed", "interrupted"] | None, typer.Option(help="Only runs in this state.")
    ] = None,
    lineage: Annotated[str | None, typer.Option(metavar="NAME", help="Only runs of this training.")] = None,
    origin: Annotated[
        Literal["computed", "snapshot", "ablated", "imported"] | None,
        typer.Option(help="Only runs whose numbers come from there."),
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="K=V", help="Only runs with this tag; repeatable.")] = None,
    limit: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Only the newest N. [default: 50 in a table, all in JSON]"),
    ] = None,
    show_all: Annotated[bool, typer.Option("--all", help="All runs, however many.")] = False,
    database: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """List the runs in the history, newest first: 50 of them, unless more are asked for.

    With `--json` all of them, unless `--limit` says how many.

    Examples:
        layerwise runs
        layerwise runs --lineage digits --all
        layerwise runs --model googlenet --tag set=faces --limit 5 --json
    """
    from layerwise.core.history.records import RunFilter

    if show_all and limit is not None:
        raise InputError("give either --all or --limit, not both")
    n_most = None if show_all or as_json else N_SHOWN
    where = RunFilter(model, stimuli, status, lineage, parse_tags(tag), limit or n_most, origin)
    with open_history(database) as store:
        found = store.list_runs(where)
        n_found = len(found) if where.limit is None or len(found) < where.limit else store.count_runs(where)
    if as_json:
        print_json([run_record(run) for run in found])
    elif not found:
        stdout_console().print("No runs.")
    else:
        console = stdout_console()
        heads, rows = choose_columns(_HEADS, [_cells(run) for run in found], console.width, _SPARE)
        console.print(make_table(heads, rows, right=("n", "layers", "top-1", "took")))
        spared = [
            head for head in _SPARE if head not in heads and any(_cells(run)[_HEADS.index(head)] for run in found)
        ]
        if spared:
            said = f"Not shown for want of room: {', '.join(spared)}; a wider terminal or --json shows them"
            console.print(said, markup=False, soft_wrap=True)
        if n_found > len(found):
            console.print(_left_out(len(found), n_found), markup=False, soft_wrap=True)


def _left_out(n_shown: int, n_found: int) -> str:
    n_older = n_found - n_shown
    said = f"{count(n_older)} older {'run is' if n_older == 1 else 'runs are'} not shown: "
    said += f"--all lists all {count(n_found)}, --limit N the newest N; "
    return f"{said}--model, --stimuli, --lineage, --tag, --status and --origin narrow the list"


def run_record(run: RunRecord) -> dict[str, Any]:
    """A run as JSON shows it."""
    accuracy = run.accuracy
    return {
        "run_id": run.id,
        "status": run.status,
        "origin": run.origin,
        "variant": None if run.variant is None else vars(run.variant),
        "model": run.model.name,
        "weights": run.model.source,
        "stimuli": run.stimuli_name,
        "n_stimuli": run.n_stimuli,
        "n_landmarks": run.n_landmarks,
        "n_layers": run.n_layers,
        "transforms": run.transforms,
        "checkpoint": run.checkpoint,
        "step": run.step,
        "lineage": run.lineage,
        "tags": dict(run.tags),
        "accuracy": None if accuracy is None else {"top1": accuracy.top1, "top5": accuracy.top5},
        "loader": f"{run.loader.name} {run.loader.version}",
        "engine": f"{run.engine.name} {run.engine.version}",
        "plugins": run.plugins,
        "seconds": dict(run.timings),
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "error": run.error,
    }


def _cells(run: RunRecord) -> tuple[object, ...]:
    return (
        run.id[:8],
        run.model.title,
        checkpoint_of(run),
        run.stimuli_name,
        run.n_stimuli,
        run.n_layers,
        run.status,
        number(run.accuracy.top1 if run.accuracy else None),
        duration(sum(run.timings.values())) if run.timings else "",
        f"{run.started_at:%Y-%m-%d %H:%M}",
        " ".join(f"{key}={value}" for key, value in run.tags.items()),
    )
