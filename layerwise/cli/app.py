"""The Typer application, and the one place where errors become a line on stderr and an exit code.

Commands raise; nothing below this module prints an error or decides how the process ends. Where the first word names
a command, only that one's module is imported; commands that plugins add are looked up only when a name is not one of
ours or when the list of commands is shown, so that they cost nothing otherwise.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

import layerwise
from layerwise.cli.loading import loading
from layerwise.cli.options.common import split_names
from layerwise.cli.options.completing import words_to_complete
from layerwise.cli.options.helping import WIDEST, HelpfulCommand
from layerwise.cli.options.measure_options import SeveralNames
from layerwise.cli.plugins.attached_commands import PluginAwareGroup
from layerwise.cli.plugins.output import results_only
from layerwise.cli.session import Session, session_of
from layerwise.core.base.errors import LayerwiseError, explain_missing
from layerwise.core.base.urls import hide_passwords
from layerwise.core.base.writing import FULL, explain_writing
from layerwise.core.host.under_way import CALLS

INTERRUPTED = 130
ANALYSE, ASK, SHOW, KEEP = "Analyse", "Ask the history", "Show and share", "Keep in order"
COMMANDS = {
    "demo": (ANALYSE, "analyse.demo", "run_demo"),
    "models": (ANALYSE, "analyse.models", "app"),
    "layers": (ANALYSE, "analyse.layers", "list_layers"),
    "run": (ANALYSE, "analyse.run", "run_analysis"),
    "ablate": (ANALYSE, "analyse.ablate", "ablate_each"),
    "study": (ANALYSE, "analyse.study", "carry_out_study"),
    "import": (ANALYSE, "analyse.import_", "import_files"),
    "runs": (ASK, "ask.runs", "list_runs"),
    "show": (ASK, "ask.show", "show_run"),
    "compare": (ASK, "ask.compare", "compare_runs"),
    "profile": (ASK, "ask.profile", "profile_runs"),
    "training": (ASK, "ask.training", "ask_training"),
    "importance": (ASK, "ask.importance", "weigh_branches"),
    "difference": (ASK, "ask.difference", "show_difference"),
    "ceiling": (ASK, "ask.ceiling", "show_ceilings"),
    "brain": (ASK, "ask.brain", "compare_with_brain"),
    "measure": (ASK, "ask.measure", "measure_runs"),
    "check": (ASK, "ask.check", "check_against_baseline"),
    "reorder": (ASK, "ask.reorder", "reorder_run"),
    "query": (ASK, "ask.query", "query_history"),
    "report": (SHOW, "share.report", "write_report"),
    "figure": (SHOW, "share.figure", "write_figure"),
    "browse": (SHOW, "share.browse", "browse_history"),
    "export": (SHOW, "share.export", "export_run"),
    "baseline": (SHOW, "share.baseline", "write_baseline_file"),
    "delete": (KEEP, "keep.delete", "delete_run"),
    "db": (KEEP, "keep.db", "app"),
    "plugins": (KEEP, "keep.plugins", "app"),
    "doctor": (KEEP, "keep.doctor", "examine"),
}
"""The built-in commands as help lists them: heading, module of `layerwise.cli.commands`, and what is there."""

_SEVERAL_NAMES = ("compare",)  # whose `--with` takes several names


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"layerwise {layerwise.__version__}")
        raise typer.Exit


def _start(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", "-V", is_eager=True, callback=_show_version, help="Print the version and stop."),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; may stand anywhere in the line.")
    ] = False,
    no_plugin: Annotated[
        list[str] | None,
        typer.Option("--no-plugin", metavar="NAME", is_eager=True, help="Do without this plugin; repeatable."),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option("--db", metavar="URL", help="The history, for the command that follows; the same as its --db."),
    ] = None,
) -> None:
    """How a neural network turns the similarity of its inputs into the similarity of its outputs.

    Start with `layerwise demo`. Analyses are kept in a database (`--db URL` or LAYERWISE_DB, by default
    `layerwise.db` in this folder), and everything after `run` is answered from there.
    """
    del version, debug  # handled by their callback, and before parsing
    session = session_of(context)
    session.blocked = tuple(split_names(no_plugin))
    session.given_database = database
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def build_app(words: Sequence[str] = ()) -> typer.Typer:
    """The application with its built-in commands, in the order in which help lists them.

    Args:
        words: What was typed, if only the commands that are named there are needed: making the others takes longer
            than running most of them.
    """
    app = typer.Typer(
        name="layerwise",
        cls=PluginAwareGroup,
        rich_markup_mode=None,
        invoke_without_command=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDEST},
    )
    app.callback()(_start)
    first = _find_command(words)
    needed = set(words) if first in COMMANDS else set(COMMANDS)
    for name, (heading, module, attribute) in COMMANDS.items():
        if name in needed:
            found = getattr(importlib.import_module(f"layerwise.cli.commands.{module}"), attribute)
            if isinstance(found, typer.Typer):
                app.add_typer(found, name=name, rich_help_panel=heading)
            else:
                kind = SeveralNames if name in _SEVERAL_NAMES else HelpfulCommand
                app.command(name, cls=kind, rich_help_panel=heading)(found)
    return app


def _find_command(words: Sequence[str]) -> str:
    """The first word that is no option of the program's own."""
    rest = iter(words)
    for word in rest:
        if word == "--db":
            next(rest, None)
        elif not word.startswith("--db="):
            return word
    return ""


def _understand(typed: list[str]) -> list[str]:
    """What people type out of habit: `help`, `help runs`, `version`."""
    if typed[:1] == ["help"]:
        return [*typed[1:], "--help"]
    return ["--version"] if typed == ["version"] else typed


def run_command_line(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code, having shown any error as one line on stderr."""
    typed, debug = _take_debug(sys.argv[1:] if arguments is None else list(arguments))
    typed = _understand(typed)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    _reopen_streams()
    with loading():
        command = typer.main.get_command(build_app(words_to_complete() or typed))
    try:
        with results_only():
            session = Session(tuple(typed))
            code = command.main(args=typed, prog_name="layerwise", standalone_mode=False, obj=session) or 0
            sys.stdout.flush()
    except BrokenPipeError:  # whoever read stdout has gone; what is still buffered must not be complained about
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the outermost place: nothing is dumped on a user
        if debug:
            print(hide_passwords(traceback.format_exc()), end="", file=sys.stderr)
        message, code = _explain(error)
        print(f"layerwise: error: {message}", file=sys.stderr)
        for detail in getattr(error, "details", ()):
            print(f"  {_one_line(hide_passwords(detail))}", file=sys.stderr)
    if code == INTERRUPTED:
        print("layerwise: interrupted", file=sys.stderr, flush=True)
        if CALLS.are_elsewhere():
            os._exit(code)  # Python would wait for a plugin's thread, which may never come back
    return int(code)


def _reopen_streams() -> None:
    """Where stdin, stdout or stderr was closed, nothing takes its place, so that no file gets its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False))  # noqa: SIM115


def _explain(error: Exception) -> tuple[str, int]:
    """One line on what went wrong, and the exit code."""
    if isinstance(error, LayerwiseError):
        message, code = error.message, error.exit_code
    elif isinstance(error, typer.TyperException):
        message, code = _explain_usage(error), error.exit_code
    elif isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("layerwise"):
        message, code = explain_missing(error.name), 1
    elif isinstance(error, MemoryError):
        message, code = f"there is not enough memory{f': {error}' if str(error) else ''}", 1
    elif isinstance(error, OSError) and explain_writing(error) in FULL:
        message, code = f"cannot write {error.filename or 'what was found to stdout'}: {explain_writing(error)}", 1
    elif isinstance(error, typer.Abort):
        message, code = "aborted", 1
    else:
        message, code = f"unexpected {type(error).__name__}: {error}; --debug shows the traceback", 1
    return _one_line(hide_passwords(message)), code


def _one_line(text: str) -> str:
    return " ".join(text.splitlines())


def _explain_usage(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    message = error.format_message().rstrip(".").replace("Value error, ", "")
    if context is None:
        return message
    return f"{message}{'' if message.endswith('?') else ';'} see {context.command_path} --help"


def _take_debug(arguments: list[str]) -> tuple[list[str], bool]:
    end = arguments.index("--") if "--" in arguments else len(arguments)
    rest = [word for word in arguments[:end] if word != "--debug"]
    return rest + arguments[end:], len(rest) < end
