"""`layerwise study`: one network trained under several conditions, and what is to be said of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from layerwise.cli.options.common import AsJson
from layerwise.cli.output import print_json, stdout_console
from layerwise.cli.session import session_of


def carry_out_study(
    context: typer.Context,
    name: Annotated[Literal["digits"], typer.Argument(metavar="NAME", help="Which study: digits.")],
    seeds: Annotated[int, typer.Option(metavar="N", min=1, max=50, help="Trainings under each condition.")] = 5,
    epochs: Annotated[int, typer.Option(metavar="N", min=1, max=100, help="Passes over the pictures in each.")] = 8,
    quick: Annotated[
        bool, typer.Option("--quick", help="Two seeds, three epochs, fewer pictures analysed: to see how it goes.")
    ] = False,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder for everything it makes.")] = Path(
        "study"
    ),
    database: Annotated[
        str | None, typer.Option("--db", metavar="URL", help="The history; by default layerwise.db in that folder.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train a small inception network plain, without 5x5 branches, with DeCov and with SmoothDecorrelation.

    Several seeds each, at equal budget; every epoch is recorded, every branch is silenced at the end, and a page says
    what the numbers say. Stopped at any time, the same command goes on with what is missing.

    Examples:
        layerwise study digits
        layerwise study digits --seeds 10 --epochs 12 --out study
        layerwise study digits --quick --out quick
    """
    from layerwise.cli.progress import watching
    from layerwise.demo.study import answer, study_in_folder
    from layerwise.demo.study.digits import make_digits_study

    del name
    study = make_digits_study(seeds, epochs, quick=quick)
    session = session_of(context)
    with watching(quiet=as_json, plans=False) as observer:
        made = study_in_folder(
            study, session.registry, out, database or session.given_database, observer, session.command
        )
    answers = answer(study, made.trainings)
    if as_json:
        print_json(
            {
                "report": str(made.page),
                "database": made.database,
                "answers": [{"question": one.question, "sentences": one.sentences} for one in answers],
                "trainings": made.trainings,
            }
        )
        return
    console = stdout_console()
    for one in answers:
        console.print("\n".join((one.question, *(f"  {sentence}" for sentence in one.sentences), "")), markup=False)
    console.print(f"Report:  {made.page.absolute()}\nHistory: {made.database}", markup=False, soft_wrap=True)
