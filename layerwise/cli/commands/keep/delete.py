"""`layerwise delete`: take a run out of the history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from layerwise.cli.options.common import DEFAULT_DATABASE, AsJson, Database, RunName
from layerwise.cli.output import print_json
from layerwise.cli.session import open_history
from layerwise.core.base.errors import LayerwiseError

if TYPE_CHECKING:
    from layerwise.storage import OpenHistory


def delete_run(
    run: RunName,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    database: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Delete a run with everything that was computed from it.

    Examples:
        layerwise delete 3fa2
    """
    with open_history(database) as store:
        run_id = store.find_id(run)
        if not yes:
            typer.confirm(f"Delete run {run_id} ({_describe(store, run_id)})?", abort=True, err=True)
        store.delete_run(run_id)
    if as_json:
        print_json({"deleted": run_id})
    else:
        typer.echo(f"Deleted run {run_id}.")


def _describe(store: OpenHistory, run_id: str) -> str:
    try:
        record = store.find_run(run_id)
    except LayerwiseError:
        return "what is recorded of it is damaged"
    return f"{record.model.title} on {record.stimuli_name}, {record.n_layers} layers"
