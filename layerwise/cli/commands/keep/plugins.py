"""`layerwise plugins`: who offers what; installing and removing plugins; watching them at work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from layerwise.cli.commands.keep.plugins_new import new_plugin
from layerwise.cli.options.common import DEFAULT_DATABASE, AsJson, Database
from layerwise.cli.options.helping import HelpfulCommand, HelpfulGroup
from layerwise.cli.session import session_of

app = typer.Typer(cls=HelpfulGroup, rich_markup_mode=None)
Hook = Annotated[
    str | None, typer.Option("--hook", metavar="NAME", help="Only what came through this hook, such as comparators.")
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show what pip says.")]
app.command("new", cls=HelpfulCommand)(new_plugin)


@app.callback(invoke_without_command=True)
def plugins(context: typer.Context, hook: Hook = None, as_json: AsJson = False) -> None:
    """List plugins and what they offer, install, remove and write them."""
    if context.invoked_subcommand is None:
        list_plugins(context, hook, as_json)


@app.command("list", cls=HelpfulCommand)
def list_plugins(context: typer.Context, hook: Hook = None, as_json: AsJson = False) -> None:
    """List plugins: version, distribution, what each offers, and why one did not load."""
    from layerwise.cli.plugins.listing import print_plugins

    registry = session_of(context).registry
    registry.warns = False  # the list says which did not load
    print_plugins(registry, hook, as_json=as_json)


@app.command("info", cls=HelpfulCommand)
def show_plugin(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A plugin, or the distribution that it is in.")],
    as_json: AsJson = False,
) -> None:
    """Show one plugin: its version, where it came from, all that it offers, and why it did not load."""
    from layerwise.cli.plugins.listing import print_plugin

    registry = session_of(context).registry
    registry.warns = False
    print_plugin(registry, name, as_json=as_json)


@app.command("install", cls=HelpfulCommand)
def install_plugins(
    sources: Annotated[list[str], typer.Argument(metavar="NAME|PATH|URL...", help="What pip would install.")],
    upgrade: Annotated[bool, typer.Option("--upgrade", "-U", help="Upgrade what is installed already.")] = False,
    editable: Annotated[
        bool, typer.Option("--editable", "-e", help="Leave a project where it is, so that changes to it count.")
    ] = False,
    from_index: Annotated[
        bool, typer.Option("--from-index", help="Take a name from the package index even where a folder has it.")
    ] = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Install plugins with pip into the environment that runs `layerwise`, and see that they load.

    A PATH is written so that it looks like one: ./my-plugin, not my-plugin. What offers no plugin is refused before
    anything is installed.
    """
    from layerwise.cli.plugins.installing import install_and_check

    install_and_check(
        sources, upgrade=upgrade, editable=editable, from_index=from_index, verbose=verbose, as_json=as_json
    )


@app.command("uninstall", cls=HelpfulCommand)
def uninstall_plugins(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Distributions, or plugins by their names.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    verbose: Verbose = False,
    database: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Remove plugins with pip; what they computed stays in every history, and this one is looked through for it."""
    from layerwise.cli.plugins.installing import ask_and_uninstall

    ask_and_uninstall(names, yes=yes, verbose=verbose, database=database, as_json=as_json)


@app.command(
    "trace",
    cls=HelpfulCommand,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "allow_interspersed_args": False},
)
def trace_command(
    context: typer.Context,
    command: Annotated[list[str], typer.Argument(metavar="COMMAND...", help="A command with its arguments.")],
    output: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the calls to this file, instead of stderr.")
    ] = None,
) -> None:
    """Run a command, and say on stderr which hook called which plugin, how often and how long."""
    from layerwise.cli.plugins.tracing import run_traced

    code = run_traced(context, command, output)
    if code:
        raise typer.Exit(code)
