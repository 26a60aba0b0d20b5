"""`layerwise report`: one self-contained HTML file about one run or several."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from layerwise.cli.options import DEFAULT_DATABASE, AsJson, Database, RunNames
from layerwise.cli.output import print_json, size, stderr_console
from layerwise.cli.session import open_history, session_of


def write_report(
    context: typer.Context,
    runs: RunNames,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The HTML file to write.")],
    title: Annotated[str | None, typer.Option(metavar="TEXT", help="Its title.")] = None,
    section: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this section; repeatable.")] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    database: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Write a report on one or several runs: a single HTML file that needs nothing else."""
    from layerwise.cli.files import check_target
    from layerwise.plugins.report.page import render_report

    check_target(output)
    with open_history(database) as store:
        records = [store.find_run(run) for run in runs]
        with stderr_console().status("drawing the report"):
            path = render_report(
                records,
                session_of(context).registry,
                store,
                output,
                title=title,
                sections=tuple(section) if section else None,
            )
    n_bytes = path.stat().st_size
    if as_json:
        print_json({"report": str(path), "runs": [record.id for record in records], "n_bytes": n_bytes})
    else:
        typer.echo(f"Wrote {path} ({size(n_bytes)}).")
    if open_it:
        typer.launch(path.absolute().as_uri())
