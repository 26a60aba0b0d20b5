"""`layerwise export`: stored representations as files for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from layerwise.cli.options import DEFAULT_DATABASE, AsJson, Database, RunName, TransformName
from layerwise.cli.output import print_json, size
from layerwise.cli.session import open_history


def export_run(
    run: RunName,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write: .npz, .parquet or .h5.")
    ],
    layer: Annotated[
        str | None, typer.Option("--layer", metavar="L", help="Only this layer; without it all, keys `layer/...`.")
    ] = None,
    transform: TransformName = "none",
    database: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Export the representation of one layer, or of all: correlation, mean, norm, n_features, stimuli."""
    from layerwise.cli.exporting import choose_writer, export_layers
    from layerwise.cli.files import check_target
    from layerwise.core.layers import find_layer
    from layerwise.core.records import LayerAddress

    choose_writer(output)
    check_target(output)
    with open_history(database) as store:
        record = store.find_run(run)
        stored = store.list_layers(record.id)
        chosen = stored if layer is None else [find_layer(layer, stored)]
        addresses = {found.name: LayerAddress(record.id, found.name, transform) for found in chosen}
        layers = {name: store.read_representation(address) for name, address in addresses.items()}
        stimuli = [stimulus.name for stimulus in store.list_stimuli(record.id)]
    export_layers(output, layers, stimuli, prefixed=layer is None)
    n_bytes = output.stat().st_size
    if as_json:
        print_json({"file": str(output), "run_id": record.id, "layers": list(layers), "n_bytes": n_bytes})
    else:
        typer.echo(f"Wrote {output}: {len(layers)} layers, {len(stimuli)} stimuli ({size(n_bytes)}).")
