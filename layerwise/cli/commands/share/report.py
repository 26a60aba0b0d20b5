"""`layerwise report`: one self-contained HTML file about one run or several."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from layerwise.cli.options.bundling import bundled
from layerwise.cli.options.common import (
    COMPLETE_RUNS,
    DEFAULT_DATABASE,
    RUNS_HELP,
    AsJson,
    Database,
    EndPointLong,
    database_option,
    split_names,
)
from layerwise.cli.options.measure_options import DEFAULT_COMPARATOR, MeasureOptions, OneComparator
from layerwise.cli.output import make_table, print_json, size, stderr_console, stdout_console
from layerwise.cli.plugins.output import warn_on_stderr
from layerwise.cli.session import open_history, session_of
from layerwise.core.base.errors import InputError, LayerwiseError

if TYPE_CHECKING:
    from layerwise.core.base.parameters import Setting
    from layerwise.core.history.records import RunRecord
    from layerwise.core.host.registry import Registered, Registry
    from layerwise.report.content import Choice, ReportContext
    from layerwise.report.page import PlacedSection
    from layerwise.report.section import SectionBuilder

LATEST, DEFAULT_FILE = "latest", Path("report.html")
Chosen = Annotated[
    list[str] | None,
    typer.Option("--sections", "--section", metavar="NAME,...", help="Only these sections; repeatable."),
]


@bundled
def write_report(
    context: typer.Context,
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="RUN...", help=RUNS_HELP, show_default=False, autocompletion=COMPLETE_RUNS),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="The HTML file.")] = None,
    title: Annotated[str | None, typer.Option(metavar="TEXT", help="Its title.")] = None,
    sections: Chosen = None,
    list_them: Annotated[bool, typer.Option("--list-sections", help="List the sections; write nothing.")] = False,
    comparator: OneComparator = DEFAULT_COMPARATOR,
    *,
    measuring: MeasureOptions,
    transform: Annotated[
        str | None, typer.Option("--transform", metavar="T", help="Show the activations under this transform.")
    ] = None,
    bootstrap: Annotated[
        int | None,
        typer.Option(
            "--bootstrap",
            metavar="N",
            min=0,
            help="Bands from N resamples of the stimuli; 0 for none. By default 200 where that takes a second.",
            show_default=False,
        ),
    ] = None,
    end_point: EndPointLong = None,
    photos: Annotated[
        bool, typer.Option("--photos/--no-photos", help="Whether pictures and names of stimuli are in it.")
    ] = True,
    open_it: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    database: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Write a report on one or several runs: a single HTML file that needs nothing else.

    Without a RUN it is about the latest one, without `-o` it is `report.html` in this folder. Which sections there
    are depends on what the runs are; `--list-sections RUN...` says which apply, and why not.

    Examples:
        layerwise report
        layerwise report latest -o report.html
        layerwise report 3fa2 latest -o both.html --with cka --no-photos
        layerwise report latest --list-sections
    """
    from layerwise.core.base.writing import check_target
    from layerwise.core.history.references import find_runs
    from layerwise.core.history.views.redaction import without_pictures
    from layerwise.report.content import Choice
    from layerwise.report.page import render_report

    registry = session_of(context).registry
    names = read_names(sections)
    measuring.find(registry, [comparator])
    choice = Choice(comparator, measuring.read_settings(), measuring.metric, transform, bootstrap, end_point)
    if list_them:
        list_sections(registry, runs or (), choice, database, as_json=as_json)
        return
    runs, output = runs or [LATEST], output or DEFAULT_FILE
    if output.suffix.lower() not in (".html", ".htm"):
        raise InputError(
            f"cannot write {output}: a report is HTML, -o FILE.html; `layerwise figure` draws PDF and PNG"
        )
    check_target(output)
    problems: list[tuple[str, PlacedSection]] = []
    with open_history(database) as store:
        history = store if photos else without_pictures(store)
        records = find_runs(history, runs)
        command = spell_command(records, output, names, title, choice)
        command += ("" if photos else " --no-photos") + database_option(database)
        about = "the report" if len(records) == 1 else f"a report on {len(records)} runs"
        with stderr_console().status(f"drawing {about}"):
            path = render_report(
                records,
                registry,
                history,
                output,
                title=title,
                sections=names,
                choice=choice,
                command=command,
                tell=lambda *told: problems.append(told),
            )
    _tell(path, records, as_json=as_json, is_latest=runs == [LATEST])
    for name, section in problems:
        warn_on_stderr(f"section '{name}': {section.problem}")
    if open_it:
        typer.launch(path.absolute().as_uri())
    failed = [name for name, section in problems if section.has_failed]
    if failed and names is not None:
        raise LayerwiseError(f"{', '.join(failed)}: asked for, and could not be made; {path} has the rest")


def _tell(path: Path, records: Sequence[RunRecord], *, as_json: bool, is_latest: bool) -> None:
    n_bytes = path.stat().st_size
    if as_json:
        print_json({"report": str(path), "runs": [record.id for record in records], "n_bytes": n_bytes})
    else:
        latest = f", about the latest run: {records[0].id}, {records[0].model.title}" if is_latest else ""
        typer.echo(f"Wrote {path} ({size(n_bytes)}){latest}.")


def read_names(sections: Sequence[str] | None) -> tuple[str, ...] | None:
    """The names in `--sections a,b --section c`, each once; None where none were chosen.

    Raises:
        InputError: If the option is there, but no name.
    """
    if not sections:
        return None
    found = tuple(split_names(sections))
    if not found:
        raise InputError("--sections takes names, separated by commas; --list-sections lists them")
    return found


def spell_command(
    runs: Sequence[RunRecord], output: Path, sections: Sequence[str] | None, title: str | None, choice: Choice
) -> str:
    """The command that writes the same report again, with the runs' full ids."""
    words = ["layerwise", "report", *(run.id for run in runs)]
    options: dict[str, str | None] = {
        "--with": None if choice.comparator == DEFAULT_COMPARATOR else choice.comparator,
        "--metric": choice.metric,
        "--transform": choice.transform,
        "--bootstrap": None if choice.n_resamples is None else str(choice.n_resamples),
        "--end-point": choice.end_point,
        "--sections": ",".join(sections) if sections else None,
        "--title": title,
    }
    words += [word for name, value in options.items() if value is not None for word in (name, value)]
    words += _spell_settings(choice.settings)
    return shlex.join([*words, "-o", output.name])


def _spell_settings(settings: Mapping[str, Setting]) -> list[str]:
    return [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]


def list_sections(
    registry: Registry, runs: Sequence[str], choice: Choice, database: str, *, as_json: bool = False
) -> None:
    """Print every section; where runs are named, also whether it applies to them."""
    from layerwise.core.history.references import find_runs
    from layerwise.report.content import ReportContext
    from layerwise.report.section import SectionBuilder

    builders = sorted(registry.all(SectionBuilder), key=lambda section: section.offer.position)
    applies: list[str | None] = [None] * len(builders)
    if runs:
        with open_history(database) as store:
            found = ReportContext(find_runs(store, runs), store, registry, choice)
            applies = [_applies(builder, found) for builder in builders]
    if as_json:
        records = [
            {"name": b.name, "from": b.distribution, "position": b.offer.position, "description": b.offer.description}
            | ({} if answer is None else {"applies": answer == "yes"})
            for b, answer in zip(builders, applies, strict=True)
        ]
        print_json(records)
        return
    heads = ("section", *(("applies",) if runs else ()), "what there is to see", "from")
    rows = [
        (b.name, *((answer,) if runs else ()), b.offer.description, b.distribution)
        for b, answer in zip(builders, applies, strict=True)
    ]
    stdout_console().print(make_table(heads, rows))


def _applies(builder: Registered[SectionBuilder], context: ReportContext) -> str:
    from layerwise.core.base.errors import LayerwiseError

    try:
        return "yes" if builder.call(builder.offer.applies, context) else "no"
    except LayerwiseError as error:
        return f"failed: {error.message}"
