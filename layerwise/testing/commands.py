"""Does a group of commands add commands that can be asked for help, and take nobody's place?"""

from __future__ import annotations

import contextlib
import io
from functools import partial
from typing import Any

from layerwise.core.host.kinds import CommandGroup
from layerwise.testing.expecting import ask, expect, expect_named


def check_commands(group: CommandGroup) -> None:
    """Check that a group attaches at least one command, with help, under a name that is not taken.

    Nothing may be printed while commands are attached, and attaching to a second application gives the same commands.

    Args:
        group: The group.

    Raises:
        AssertionError: If it is not so; says what.
    """
    from layerwise.cli.app import COMMANDS

    expect_named(group, CommandGroup)
    commands = _attach(group)
    expect(bool(commands), group, "attaches no command, expected at least one: decorate it with @app.command('NAME')")
    again = _attach(group)
    expect(list(again) == list(commands), group, "attaches other commands the second time")
    for name, command in commands.items():
        fit = name == name.lower() and not name.startswith("-") and " " not in name
        expect(fit, group, f"attaches a command called {name!r}, expected lower case without spaces")
        expect(
            name not in COMMANDS, group, f"attaches a command '{name}', which Layerwise has: expected another name"
        )
        context = ask(
            group,
            f"when '{name}' is asked for help",
            partial(command.make_context, name, [], resilient_parsing=True),
        )
        text = command.help or ""
        expect(bool(text.strip()), group, f"attaches a command '{name}' without help, expected a docstring")
        ask(
            group,
            f"when '{name}' is asked for help",
            partial(command.get_help, context),
        )


def _attach(group: CommandGroup) -> dict[str, Any]:
    """The commands by name, as the command line attaches them: to an application of their own first."""
    import typer

    app = typer.Typer(rich_markup_mode=None, add_completion=False)
    app.callback()(lambda: None)
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        ask(group, "when it attaches its commands", lambda: group.attach(app))
    expect(
        not said.getvalue(), group, f"prints while it attaches its commands: {said.getvalue()!r}, expected silence"
    )
    root: Any = typer.main.get_group(app)
    return dict(root.commands)
