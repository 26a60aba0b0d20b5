"""`layerwise models`: the models that are known by name, and their published weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from layerwise.cli.options.common import AsJson
from layerwise.cli.options.completing import complete_models, quietly
from layerwise.cli.options.helping import HelpfulCommand, HelpfulGroup
from layerwise.cli.output import make_table, print_json, stderr_console, stdout_console
from layerwise.cli.session import session_of

if TYPE_CHECKING:
    from layerwise.cli.tables import PlainTable
    from layerwise.core.host.kinds import ModelLoader
    from layerwise.core.host.registry import Registered


app = typer.Typer(cls=HelpfulGroup, rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def models(context: typer.Context, as_json: AsJson = False) -> None:
    """List the models that are known by name, and fetch their weights; files are loaded by their path."""
    if context.invoked_subcommand is None:
        list_models(context, as_json)


@app.command("fetch", cls=HelpfulCommand)
def fetch_models(
    context: typer.Context,
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME...",
            help="Models as `layerwise models` lists them.",
            autocompletion=quietly(complete_models),
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Download the published weights of models, so that `run NAME` finds them.

    What is there already and sound is not fetched again. A file that is not what was published is not kept.

    Examples:
        layerwise models fetch googlenet
        layerwise models fetch mobilenet_v2 inception_v3
    """
    from layerwise.core.runs.loading import find_named

    registry = session_of(context).registry
    loaders = [(name, find_named(registry, name)) for name in names]
    fetched: dict[str, list[str]] = {}
    for name, loader in loaders:
        with stderr_console().status(f"fetching {name}"):
            fetched[name] = [str(path) for path in loader.call(loader.offer.fetch, name)]
    if as_json:
        print_json(fetched)
        return
    for name, paths in fetched.items():
        typer.echo(f"{name}: {', '.join(paths)}")


@app.command("list", cls=HelpfulCommand)
def list_models(context: typer.Context, as_json: AsJson = False) -> None:
    """List the models that are known by name; files are loaded by their path.

    Examples:
        layerwise models
    """
    from layerwise.core.host.kinds import ModelLoader
    from layerwise.core.runs.loading import names_of

    loaders = session_of(context).registry.all(ModelLoader)
    known = [
        {"name": name, "loader": loader.qualified_name, "description": loader.offer.description}
        for loader in loaders
        for name in names_of(loader)
    ]
    if as_json:
        print_json(known)
        return
    console = stdout_console()
    console.print(make_table(("model", "loader"), [(entry["name"], entry["loader"]) for entry in known]))
    console.print("\nLoaders, also of files:")
    console.print(_loader_table(loaders))


def _loader_table(loaders: Sequence[Registered[ModelLoader]]) -> PlainTable:
    rows = [(loader.name, loader.offer.description) for loader in loaders]
    return make_table(("loader", "what it loads"), rows)
