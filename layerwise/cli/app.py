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
from layerwise.cli.commands import (
    browse,
    ceiling,
    compare,
    db,
    delete,
    demo,
    difference,
    export,
    figure,
    import_,
    importance,
    layers,
    measure,
    models,
    plugins,
    profile,
    query,
    reorder,
    report,
    run,
    runs,
    show,
)
from layerwise.cli.measuring import SeveralNames
from layerwise.cli.plugin_commands import PluginAwareGroup
from layerwise.cli.plugin_output import results_only
from layerwise.cli.session import Session, session_of
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
    plugin_timeout: Annotated[
        float | None,
        typer.Option(
            "--plugin-timeout",
            metavar="SECONDS",
            min=0,
            is_eager=True,
            help="Give up a plugin's call after so long, 0 for never; by default after 10 minutes.",
        ),
    ] = None,
) -> None:
    """How a neural network turns the similarity of its inputs into the similarity of its outputs.

    Start with `layerwise demo`. Analyses are kept in a database (`--db URL` or LAYERWISE_DB, by default
    `layerwise.db` in this folder), and everything after `run` is answered from there.
    """
    del version, debug  # handled by their callback, and before parsing
    session = session_of(context)
    session.blocked, session.timeout = tuple(no_plugin or ()), plugin_timeout
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def build_app() -> typer.Typer:
    """The application with its built-in commands, in the order in which help lists them."""
    app = typer.Typer(
        name="layerwise",
        cls=PluginAwareGroup,
        rich_markup_mode=None,
        add_completion=False,
        invoke_without_command=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_start)
    app.command("demo")(demo.run_demo)
    app.command("models")(models.list_models)
    app.command("layers")(layers.list_layers)
    app.command("run")(run.run_analysis)
    app.command("runs")(runs.list_runs)
    app.command("show")(show.show_run)
    app.command("delete")(delete.delete_run)
    app.command("compare", cls=SeveralNames)(compare.compare_runs)
    app.command("profile")(profile.profile_runs)
    app.command("importance")(importance.weigh_branches)
    app.command("measure")(measure.measure_runs)
    app.command("difference")(difference.show_difference)
    app.command("ceiling")(ceiling.show_ceilings)
    app.command("reorder")(reorder.reorder_run)
    app.command("report")(report.write_report)
    app.command("figure")(figure.write_figure)
    app.command("browse")(browse.browse_history)
    app.command("query")(query.query_history)
    app.command("export")(export.export_run)
    app.command("import")(import_.import_files)
    app.add_typer(plugins.app, name="plugins")
    app.add_typer(db.app, name="db")
    return app


def run_command_line(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code, having shown any error as one line on stderr."""
    typed, debug = _take_debug(sys.argv[1:] if arguments is None else list(arguments))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    command = typer.main.get_command(build_app())
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
            traceback.print_exc()
        message, code = _explain(error)
        print(f"layerwise: error: {message}", file=sys.stderr)
        for detail in getattr(error, "details", ()):
            print(f"  {_one_line(detail)}", file=sys.stderr)
    if code == INTERRUPTED:
        print("layerwise: interrupted", file=sys.stderr)
    return int(code)


def _explain(error: Exception) -> tuple[str, int]:
    """One line on what went wrong, and the exit code."""
    if isinstance(error, LayerwiseError):
        message, code = error.message, error.exit_code
    elif isinstance(error, typer.TyperException):
        message, code = _explain_usage(error), error.exit_code
    elif isinstance(error, typer.Abort):
        message, code = "aborted", 1
    else:
        message, code = f"unexpected {type(error).__name__}: {error}; --debug shows the traceback", 1
    return _one_line(message), code


def _one_line(text: str) -> str:
    return " ".join(text.splitlines())


def _explain_usage(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    message = error.format_message().rstrip(".")
    return message if context is None else f"{message}; see {context.command_path} --help"


def _take_debug(arguments: list[str]) -> tuple[list[str], bool]:
    end = arguments.index("--") if "--" in arguments else len(arguments)
    rest = [word for word in arguments[:end] if word != "--debug"]
    return rest + arguments[end:], len(rest) < end
