"""`layerwise measure`: statistics that a run was made without, from its stored representations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from layerwise.cli.options.common import DEFAULT_DATABASE, AsJson, Database, RunNames, split_names
from layerwise.cli.output import make_table, number, print_json, stdout_console
from layerwise.cli.plugins.output import tell_failures
from layerwise.cli.session import open_history, session_of

if TYPE_CHECKING:
    from layerwise.core.history.records import LayerStatistic


def measure_runs(
    context: typer.Context,
    runs: RunNames,
    statistics: Annotated[
        list[str] | None,
        typer.Option(
            "--statistic", metavar="NAME", help="A statistic; repeatable. By default all that can be added."
        ),
    ] = None,
    database: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Add the statistics that runs lack, from stored representations; what is there already stays.

    Only what follows from a layer's representation can be added; statistics of single units are measured while the
    network runs. `layerwise query --table layer_statistics` shows all.

    Examples:
        layerwise measure latest
    """
    from layerwise.core.history.references import find_runs
    from layerwise.core.runs.add_statistics import measure_run

    registry = session_of(context).registry
    added: list[tuple[str, LayerStatistic]] = []
    failures: list[str] = []
    with open_history(database) as store:
        for run in find_runs(store, runs):
            added += [
                (run.id, item) for item in measure_run(registry, store, run, split_names(statistics), failures.append)
            ]
    if as_json:
        print_json([_record(run_id, item) for run_id, item in added])
    elif not added and not failures:
        stdout_console().print("Nothing to add: all of it is stored.")
    else:
        heads = ("run", "layer", "transform", "statistic", "value", "remark")
        rows = [_cells(run_id, item) for run_id, item in added]
        stdout_console().print(make_table(heads, rows, right=("value",)))
    tell_failures(failures, "measured")


def _record(run_id: str, item: LayerStatistic) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "layer": item.layer,
        "transform": item.transform,
        "statistic": item.result.name,
        "value": item.result.value,
        "reason": item.result.reason,
    }


def _cells(run_id: str, item: LayerStatistic) -> tuple[str, ...]:
    result = item.result
    return (run_id[:8], item.layer, item.transform, result.name, number(result.value, 4), result.reason)
