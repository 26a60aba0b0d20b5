"""The page that documents every command: its help, as the command line prints it.

`make docs` writes the page; a test holds the page in the repository to it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

_WIDTH = 100
_INTRODUCTION = """\
# Commands

What each command says with `--help`. This page is written by `make docs`; a test compares it with the command
line.

Exit codes: 0 done, 1 the work failed, 2 the call was wrong, 130 interrupted. An error is one line on stderr;
`--debug` shows its traceback.
"""


def write_reference() -> str:
    """The page, as Markdown."""
    from layerwise.cli.app import build_app

    parts = [_INTRODUCTION]
    for path, text in _describe(typer.main.get_command(build_app()), "layerwise", None):
        parts.append(f"## {path}\n\n```\n{text.rstrip()}\n```\n")
    return "\n".join(parts)


def _describe(command: Any, path: str, parent: Any) -> Iterator[tuple[str, str]]:
    """Path and help of a command and of all its sub-commands."""
    name = path.rsplit(" ", maxsplit=1)[-1]
    width = {"terminal_width": _WIDTH, "max_content_width": _WIDTH}
    context = command.make_context(name, [], parent=parent, resilient_parsing=True, **width)
    yield path, command.get_help(context)
    for child, nested in getattr(command, "commands", {}).items():
        yield from _describe(nested, f"{path} {child}", context)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(write_reference(), encoding="utf-8")
