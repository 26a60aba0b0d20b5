"""`layerwise demo`: everything once, with nothing but what is installed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from layerwise.cli.options.common import AsJson, database_option, program_name
from layerwise.cli.output import make_table, number, print_json, stdout_console
from layerwise.cli.session import open_history, session_of

if TYPE_CHECKING:
    from layerwise.core.runs.request import RunOutcome
    from layerwise.demo.tour import DemoSettings, Development


def run_demo(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder for everything it makes.")] = Path(
        "demo"
    ),
    epochs: Annotated[int, typer.Option(metavar="N", min=1, max=100, help="Passes over the digits.")] = 8,
    held_out: Annotated[
        int, typer.Option("--held-out", metavar="N", min=20, max=1000, help="Digits that are analysed.")
    ] = 300,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of the split, the weights, the order.")] = 0,
    open_it: Annotated[
        bool | None, typer.Option("--open/--no-open", help="Open the report; by default where there is a terminal.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train a small inception network on handwritten digits, recorded after every epoch; write a report.

    Downloads nothing. Run it again in the same folder, and it answers from the history there.

    Examples:
        layerwise demo
        layerwise demo --out digits --epochs 12 --no-open
    """
    from layerwise.cli.progress import watching
    from layerwise.demo.tour import DemoSettings, analyse_training, compare_checkpoints, make_folder, write_report

    settings = DemoSettings(out, epochs, held_out, seed)
    make_folder(settings)
    registry = session_of(context).registry
    with open_history(str(settings.database), create=True) as store, watching(quiet=as_json, plans=False) as observer:
        outcomes = analyse_training(settings, registry, store, observer)
        run_ids = [outcome.run_id for outcome in outcomes]
        observer.stage("comparing checkpoints")
        development = compare_checkpoints(registry, store, run_ids)
        observer.stage("drawing the report")
        report = write_report(settings, registry, store, run_ids)
    if as_json:
        print_json(_record(settings, outcomes, development))
    else:
        _tell(settings, outcomes, development)
    if open_it or (open_it is None and sys.stdout.isatty() and not as_json):
        typer.launch(report.absolute().as_uri())


def _record(settings: DemoSettings, outcomes: Sequence[RunOutcome], development: Development) -> dict[str, object]:
    from layerwise.cli.running import outcome_record

    return {
        "database": str(settings.database),
        "report": str(settings.report),
        "runs": [outcome_record(outcome) for outcome in outcomes],
        "layers": development.layers,
        "similarity_to_last": development.matrix,
    }


def _tell(settings: DemoSettings, outcomes: Sequence[RunOutcome], development: Development) -> None:
    console = stdout_console()

    def say(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    say("How alike each layer is to what it became (rsa-pearson with the same layer after the last epoch):")
    heads = ("epoch", "top-1", *development.layers)
    rows = [
        (
            epoch,
            number(outcome.accuracy.top1 if outcome.accuracy else None),
            *(number(float(value), 2) for value in development.matrix[epoch]),
        )
        for epoch, outcome in enumerate(outcomes)
    ]
    console.print(make_table(heads, rows, right=heads))
    program, option = program_name(), database_option(str(settings.database))
    say(f"\nReport:  {settings.report.absolute()}\nHistory: {settings.database.absolute()}\n\nTry next:")
    for command in (
        f"{program} show latest{option}",
        f"{program} compare latest{option}",
        f"{program} compare {outcomes[0].run_id[:8]} latest --layers main{option}",
        f"{program} figure layer-matrix latest -o layers.svg{option}",
        *([f"{program} browse{option}"] if find_spec("starlette") else []),
    ):
        say(f"  {command}")
