"""`layerwise query`: the history as tables, read-only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from layerwise.cli.options.common import DEFAULT_DATABASE, AsJson, Database
from layerwise.cli.session import open_history
from layerwise.core.base.errors import InputError
from layerwise.core.base.words import near_names


def query_history(
    sql: Annotated[str | None, typer.Argument(metavar="SQL", help="A query; it cannot change anything.")] = None,
    table: Annotated[str | None, typer.Option(metavar="NAME", help="A whole table instead.")] = None,
    form: Annotated[
        Literal["table", "csv", "json", "parquet"], typer.Option("--format", help="How it is written.")
    ] = "table",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="A file to write instead of stdout.")
    ] = None,
    database: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Query the history with SQL, or print one of its tables; without either, list the tables.

    Examples:
        layerwise query
        layerwise query --table run_list --format csv -o runs.csv
        layerwise query "SELECT name, n_features FROM layers WHERE branch = '5x5'"
    """
    from layerwise.cli.tabular import write_columns
    from layerwise.core.base.writing import check_target

    if sql is not None and table is not None:
        raise InputError("give either SQL or --table, not both")
    if output is not None:
        check_target(output)
    with open_history(database, read_only=True) as store:
        names = store.table_names()
        if table is not None and table not in names:
            raise InputError(f"no table '{table}'{near_names(table, names)}; tables are {', '.join(names)}")
        if table is not None:
            from layerwise.storage.sql import whole_table

            sql = whole_table(table)
        columns = {"table": names} if sql is None else store.ask_apart(sql)
    write_columns(columns, "json" if as_json else form, output)
