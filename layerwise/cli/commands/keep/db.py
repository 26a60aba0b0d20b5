"""`layerwise db`: the database itself: what is in it, its schema's version, and whether all of it is intact."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from layerwise.cli.options.common import DEFAULT_DATABASE, AsJson, Database
from layerwise.cli.options.helping import HelpfulCommand, HelpfulGroup
from layerwise.cli.output import count, make_table, print_json, size, stdout_console
from layerwise.cli.session import database_url, open_history
from layerwise.core.base.errors import LayerwiseError

app = typer.Typer(cls=HelpfulGroup, rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def db(context: typer.Context, database: Database = DEFAULT_DATABASE, as_json: AsJson = False) -> None:
    """Look after the database; without a command, say what is in it."""
    if context.invoked_subcommand is None:
        _print_info(database, as_json=as_json)


@app.command("info", cls=HelpfulCommand)
def show_info(database: Database = DEFAULT_DATABASE, as_json: AsJson = False) -> None:
    """Say where the database is, its schema's version, its size and how much is in each table."""
    _print_info(database, as_json=as_json)


@app.command("upgrade", cls=HelpfulCommand)
def upgrade_database(database: Database = DEFAULT_DATABASE, as_json: AsJson = False) -> None:
    """Bring an older history's schema up to date; nothing that is stored is lost."""
    from layerwise.storage import upgrade

    before = upgrade(database_url(database))
    with open_history(database, read_only=True) as store:
        info = store.info()
    if as_json:
        print_json({**vars(info), "previous_revision": before})
    elif before == info.revision:
        typer.echo(f"{info.url} has the present schema, {before}: nothing to do.")
    else:
        typer.echo(
            f"{info.url} upgraded from schema {before} to {info.revision}: {_count(info.n_runs, 'run')} in it."
        )


@app.command("check", cls=HelpfulCommand)
def check_database(
    database: Database = DEFAULT_DATABASE,
    repair: Annotated[
        bool, typer.Option("--repair", help="Take out what is damaged and keep the rest; runs compute it again.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read everything that is stored, compare it with its checksums, and count it.

    Examples:
        layerwise db check
        layerwise db check --repair
    """
    if repair:
        _repair(database, as_json=as_json)
        return
    with open_history(database) as store:
        problems = list(store.verify())
        journal = store.journal
    if as_json:
        print_json({"intact": not problems, "problems": problems, "journal": journal})
    elif not problems:
        typer.echo("Everything that is stored is intact.")
        typer.echo(f"Journal: {journal}.")
    else:
        for problem in problems:
            typer.echo(problem)
    if problems:
        raise LayerwiseError(f"{_count(len(problems), 'thing')} in the database damaged")


@app.command("backup", cls=HelpfulCommand)
def back_up_database(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the copy goes; what is there is replaced.")],
    database: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Copy a history in SQLite, as it is at this moment, to one file; runs may go on writing to it.

    Examples:
        layerwise db backup monday.db
    """
    with open_history(database, read_only=True) as store:
        n_bytes = store.back_up(file)
    if as_json:
        print_json({"path": str(file), "n_bytes": n_bytes})
    else:
        typer.echo(f"Backup written to {file} ({size(n_bytes)}).")


def _repair(database: str, *, as_json: bool) -> None:
    with open_history(database) as store:
        repairs = store.repair()
    if as_json:
        print_json({"intact": not repairs.remaining, **vars(repairs)})
    elif not repairs.found and not repairs.remaining:
        typer.echo("Everything that is stored is intact: nothing to repair.")
    else:
        for said in repairs.found:
            typer.echo(f"found: {said}")
        for run_id in repairs.reopened:
            typer.echo(f"run {run_id} lacks something now: the command that made it computes that again.")
        for said in repairs.remaining:
            typer.echo(f"still damaged: {said}")
    if repairs.remaining:
        raise LayerwiseError(f"{_count(len(repairs.remaining), 'thing')} in the database still damaged")


def _print_info(database: str, *, as_json: bool) -> None:
    with open_history(database, read_only=True) as store:
        info = store.info()
    if as_json:
        print_json(vars(info))
        return
    rows = [("history", info.url), ("schema", info.revision), ("size", size(info.n_bytes))]
    counted = ("runs", "models", "stimulus_sets", "representations", "comparisons")
    rows += [(name.replace("_", " "), count(getattr(info, f"n_{name}"))) for name in counted]
    rows.append(("journal", info.journal))
    stdout_console().print(make_table(("", ""), rows, heads=False))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
