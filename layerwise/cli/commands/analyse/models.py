"""`layerwise models`: the models that are known by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from layerwise.cli.options.common import AsJson
from layerwise.cli.output import make_table, print_json, stdout_console
from layerwise.cli.session import session_of

if TYPE_CHECKING:
    from layerwise.cli.tables import PlainTable
    from layerwise.core.host.kinds import ModelLoader
    from layerwise.core.host.registry import Registered


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
