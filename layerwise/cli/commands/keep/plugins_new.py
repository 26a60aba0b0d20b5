"""`layerwise plugins new`: a project for a plugin, complete and tested, and what to do with it next."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from layerwise.cli.options.common import AsJson
from layerwise.cli.options.completing import complete_hooks
from layerwise.cli.output import print_json
from layerwise.cli.session import session_of


def new_plugin(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is called, as a distribution: my-cka.")],
    hook: Annotated[
        list[str] | None,
        typer.Option(
            "--hook",
            metavar="HOOK",
            autocompletion=complete_hooks,
            help="What it offers: comparator, metric, transform, statistic, reorderer, selector, loader, source, "
            "section, engine or command; repeat for several, or with commas. Without one they are listed.",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where its folder is made.", show_default="this folder")
    ] = Path(),
    author: Annotated[
        str | None, typer.Option("--author", metavar="TEXT", help="Who writes it: 'Name' or 'Name <mail>'.")
    ] = None,
    description: Annotated[
        str | None, typer.Option("--description", metavar="TEXT", help="What it is, in one line.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a complete project for a new plugin: module, test, README, CI; its tests pass as it is.

    Examples:
        layerwise plugins new my-cka --hook comparator
    """
    from layerwise.cli.app import COMMANDS
    from layerwise.cli.scaffold.naming import choose_names, read_author, refuse_taken
    from layerwise.cli.scaffold.parts import find_parts
    from layerwise.cli.scaffold.writing import Project, write_project

    names, parts = choose_names(name), find_parts(part for text in hook or () for part in text.split(","))
    project = Project(names, parts, _describe(description, [part.what for part in parts]), read_author(author))
    refuse_taken(names, parts, session_of(context).registry, COMMANDS)
    folder = out / names.distribution
    files = write_project(project, folder)
    if as_json:
        offers = [{"hook": part.kind, "name": names.name} for part in parts]
        print_json({"folder": str(folder), "files": [str(file) for file in files], "offers": offers})
        return
    typer.echo(_next_steps(folder, len(files), [part.use.format(name=names.name) for part in parts]))
    for part in parts:
        typer.echo(f"Make it yours: {folder / 'src' / names.module / part.word}.py ({part.what}).")


def _describe(typed: str | None, whats: list[str]) -> str:
    """One line, with a full stop."""
    from layerwise.core.base.errors import InputError

    if typed is None:
        text = "; ".join(whats)
        return f"{text[0].upper()}{text[1:]}."
    line = " ".join(typed.split())
    if not line or any(mark in line for mark in ('"""', "\\")) or not line.isprintable():
        raise InputError(f"--description '{typed}' is not one line of plain text")
    return line if line.endswith((".", "!", "?")) else f"{line}."


def _next_steps(folder: Path, n_files: int, uses: list[str]) -> str:
    import shlex

    place = shlex.quote(str(folder) if folder.is_absolute() or len(folder.parts) > 1 else f"./{folder}")
    lines = [
        f"Wrote {folder} ({n_files} files). It works as it is:",
        "",
        f"  layerwise plugins install {place}",
        *(f"  {use}" for use in uses),
        "",
        "To work on it:",
        "",
        f"  cd {shlex.quote(str(folder))}",
        "  python -m pip install -e '.[test]'",
        "  python -m pytest",
        "",
    ]
    return "\n".join(lines)
