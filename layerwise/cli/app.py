"""The Typer application, and the one place where errors become a line on stderr and an exit code.

Commands raise; nothing below this module prints an error or decides how the process ends. Commands that
plugins add are looked up only when a name is not one of ours or when the list of commands is shown, so that
plugins cost nothing otherwise.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

import layerwise
from layerwise.cli.commands import register_commands
from layerwise.cli.plugin_commands import PluginAwareGroup
from layerwise.cli.session import Session
from layerwise.core.errors import LayerwiseError

INTERRUPTED = 130


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"layerwise {layerwise.__version__}")
        raise typer.Exit


def _start(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Print the version and stop.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; may stand anywhere in the line.")
    ] = False,
    no_plugin: Annotated[
        list[str] | None,
        typer.Option("--no-plugin", metavar="NAME", is_eager=True, help="Do without this plugin; repeatable."),
    ] = None,
) -> None:
    """How a neural network turns the similarity of its inputs into the similarity of its outputs.

    Start with `layerwise demo`. Analyses are kept in a database (`--db URL` or LAYERWISE_DB, by default
    `layerwise.db` in this folder), and everything after `run` is answered from there.
    """
    del version, debug  # handled by their callback, and before parsing
    context.obj = Session(blocked=tuple(no_plugin or ()))


def build_app() -> typer.Typer:
    """The application with its built-in commands."""
    app = typer.Typer(
        name="layerwise",
        cls=PluginAwareGroup,
        rich_markup_mode=None,
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_start)
    register_commands(app)
    return app


def run_command_line(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code, having shown any error as one line on stderr."""
    typed, debug = _take_debug(sys.argv[1:] if arguments is None else list(arguments))
    if not debug:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    command = typer.main.get_command(build_app())
    try:
        code = command.main(args=typed, prog_name="layerwise", standalone_mode=False)
        sys.stdout.flush()
    except typer.Abort:
        return _fail("aborted", 1)
    except typer.TyperException as error:
        return _fail(_usage_message(error), error.exit_code, debug=debug)
    except LayerwiseError as error:
        return _fail(str(error), error.exit_code, debug=debug)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - the outermost place: a bug is reported, never dumped on a user
        what = f"unexpected {type(error).__name__}: {error}; --debug shows the traceback"
        return _fail(what, 1, debug=debug)
    if code == INTERRUPTED:
        return _fail("interrupted", INTERRUPTED)
    return code if isinstance(code, int) else 0


def _take_debug(arguments: list[str]) -> tuple[list[str], bool]:
    end = arguments.index("--") if "--" in arguments else len(arguments)
    rest = [word for word in arguments[:end] if word != "--debug"]
    return rest + arguments[end:], len(rest) < end


def _usage_message(error: typer.TyperException) -> str:
    message = error.format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    if context is None:
        return message
    if not message:  # nothing was typed: Typer has the help as the message's place
        return context.get_help()  # type: ignore[no-any-return]
    return f"{message}; see {context.command_path} --help"


def _fail(message: str, code: int, *, debug: bool = False) -> int:
    if debug:
        traceback.print_exc()
    line = " ".join(message.split("\n")) if code != INTERRUPTED else message
    print(f"layerwise: error: {line}" if code != INTERRUPTED else f"layerwise: {line}", file=sys.stderr)
    return code
