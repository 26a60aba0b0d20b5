"""Running a command while every call of a plugin is counted, and telling what was counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layerwise.cli.output import json_text, make_table, stderr_console
from layerwise.cli.session import Session, session_of
from layerwise.core.base.writing import check_target, replacing

if TYPE_CHECKING:
    import typer

    from layerwise.core.host.calling import Place, Trace

_HEADS = ("plugin", "hook: call", "times", "total s", "own s", "longest s")


def run_traced(context: typer.Context, command: Sequence[str], output: Path | None) -> int:
    """Run a command line of `layerwise` and tell of its calls of plugins, also where it fails.

    Args:
        context: That of the command that traces.
        command: What would follow `layerwise`; options that precede the traced command are passed on.
        output: A JSON file for the calls; None for a table on stderr.

    Returns:
        The command's exit code.

    Raises:
        InputError: If the file cannot be written.
    """
    from layerwise.core.host.calling import Trace

    root, outer = context.find_root(), session_of(context)
    if output is not None:
        check_target(output)
    words = list(command[1:] if command[0] == "layerwise" else command)
    options = [part for name in outer.blocked for part in ("--no-plugin", name)]
    trace = Trace()
    inner = Session(tuple(words), trace=trace)
    try:
        run: Any = root.command.main
        return int(run(args=[*options, *words], prog_name="layerwise", standalone_mode=False, obj=inner) or 0)
    finally:
        if output is None:
            _print_trace(trace)
        else:
            _write_trace(trace, output)


def _write_trace(trace: Trace, path: Path) -> None:
    records = [asdict(place) | asdict(calls) for place, calls in trace.calls.items()]
    with replacing(path) as target:
        target.write_text(json_text(records) + "\n", encoding="utf-8")


def _print_trace(trace: Trace) -> None:
    console = stderr_console()
    if not trace.calls:
        console.print("No plugin was called.")
        return
    by_time = sorted(trace.calls.items(), key=lambda item: -item[1].own_seconds)
    has_failed = any(calls.n_failed for _, calls in by_time)
    heads = (*_HEADS, "failed") if has_failed else _HEADS
    rows = []
    for place, calls in by_time:
        seconds = (f"{value:.3f}" for value in (calls.seconds, calls.own_seconds, calls.longest))
        failed = (calls.n_failed or "",) if has_failed else ()
        rows.append((place.plugin, _call_of(place), calls.n_calls, *seconds, *failed))
    console.print(make_table(heads, rows, right=heads[2:]))
    n_calls = sum(calls.n_calls for calls in trace.calls.values())
    n_plugins = len({place.plugin for place in trace.calls})
    own = sum(calls.own_seconds for calls in trace.calls.values())
    console.print(f"{n_calls} calls of {n_plugins} plugins, {own:.3f} s; own: without calls of plugins within.")


def _call_of(place: Place) -> str:
    """The hook, and what was called of what came through it: `comparators: cka.prepare`."""
    return f"{place.hook.removeprefix('register_')}: {place.what}" if place.offer else place.hook
