"""`layerwise delete`: take a run out of the history."""

from __future__ import annotations

from typing import Annotated

import typer

from layerwise.cli.options.common import DEFAULT_DATABASE, AsJson, Database, RunName
from layerwise.cli.output import print_json
from layerwise.cli.session import open_history


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
        record = store.find_run(run)
        if not yes:
            question = (
                f"Delete run {record.id} ({record.model.title} on {record.stimuli_name}, {record.n_layers} layers)?"
            )
            typer.confirm(question, abort=True, err=True)
        store.delete_run(record.id)
    if as_json:
        print_json({"deleted": record.id})
    else:
        typer.echo(f"Deleted run {record.id}.")
