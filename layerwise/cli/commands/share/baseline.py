"""`layerwise baseline`: what layers make of a few stimuli, in a file small enough for version control."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from layerwise.cli.options.common import DEFAULT_DATABASE, AsJson, Database, RunName, Selectors, TransformName
from layerwise.cli.output import print_json, size
from layerwise.cli.session import open_history, session_of


def write_baseline_file(
    context: typer.Context,
    run: RunName,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE.npz", help="The file to write, such as canaries.npz.")
    ],
    n_stimuli: Annotated[
        int,
        typer.Option("--stimuli", metavar="N", help="How many of the run's stimuli, evenly spaced; all of fewer."),
    ] = 64,
    layers: Selectors = None,
    transform: TransformName = "none",
    database: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Write a baseline for `layerwise check`: what each layer makes of a few stimuli, without pictures.

    64 stimuli and 55 layers are under 1 MB. The names of the stimuli are in the file and in --json: keep those.

    Examples:
        layerwise baseline latest -o canaries.npz
        layerwise baseline latest -o canaries.npz --stimuli 100 --layers main
    """
    from layerwise.interchange.baselines.baselines import BaselineRequest, make_baseline

    registry = session_of(context).registry
    with open_history(database) as store:
        record = store.find_run(run)
        request = BaselineRequest(output, n_stimuli, tuple(layers or ()), transform)
        made = make_baseline(registry, store, record, request)
    n_bytes = output.stat().st_size
    if as_json:
        print_json(
            {
                "file": str(output),
                "run_id": record.id,
                "layers": [layer.name for layer in made.layers],
                "stimuli": [stimulus.name for stimulus in made.stimuli],
                "n_bytes": n_bytes,
            }
        )
        return
    n_layers = "1 layer" if len(made.layers) == 1 else f"{len(made.layers)} layers"
    of = "" if len(made.stimuli) == record.n_stimuli else f" of {record.n_stimuli}"
    typer.echo(f"Wrote {output}: {n_layers}, {len(made.stimuli)}{of} stimuli ({size(n_bytes)}).")
