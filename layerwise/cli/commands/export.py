"""`layerwise export`: stored representations as files for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from layerwise.cli.options import DEFAULT_DATABASE, AsJson, Database, RunName, TransformName
from layerwise.cli.output import print_json, size
from layerwise.cli.session import open_history


def export_run(
    run: RunName,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The file to write: .npz, .parquet, .h5 or .hdf5, or .rdms.h5 or .rdms.hdf5 for rsatoolbox.",
        ),
    ],
    layer: Annotated[
        str | None, typer.Option("--layer", metavar="L", help="Only this layer; without it all, keys `layer/...`.")
    ] = None,
    form: Annotated[
        Literal["npz", "parquet", "hdf5", "rsatoolbox"] | None,
        typer.Option("--format", help="The format, where the file's suffix does not tell."),
    ] = None,
    transform: TransformName = "none",
    database: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Export the representation of one layer, or of all: correlation, mean, norm, n_features, stimuli.

    `layerwise import` gives the same representation back, from every format.
    """
    from layerwise.cli.files import check_target, replacing
    from layerwise.core.interchange.exported import Export
    from layerwise.core.interchange.files import choose_writer
    from layerwise.core.layers import find_layer
    from layerwise.core.records import LayerAddress

    write = choose_writer(output, form)
    check_target(output)
    with open_history(database) as store:
        record = store.find_run(run)
        stored = store.list_layers(record.id)
        chosen = stored if layer is None else [find_layer(layer, stored)]
        representations = store.read_representations(
            [LayerAddress(record.id, found.name, transform) for found in chosen]
        )
        stimuli = [stimulus.name for stimulus in store.list_stimuli(record.id)]
    with replacing(output) as target:
        write(target, Export(chosen, representations, stimuli, prefixed=layer is None))
    n_bytes = output.stat().st_size
    if as_json:
        names = [found.name for found in chosen]
        print_json({"file": str(output), "run_id": record.id, "layers": names, "n_bytes": n_bytes})
    else:
        typer.echo(f"Wrote {output}: {len(chosen)} layers, {len(stimuli)} stimuli ({size(n_bytes)}).")
