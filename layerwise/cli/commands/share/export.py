"""`layerwise export`: stored representations, or a metric's matrices, as files for other tools."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from layerwise.cli.options.common import DEFAULT_DATABASE, AsJson, Database, RunName, Selectors, TransformName
from layerwise.cli.output import print_json, size
from layerwise.cli.session import open_history, session_of
from layerwise.core.base.errors import InputError

if TYPE_CHECKING:
    from layerwise.core.history.records import RunRecord
    from layerwise.core.network.layers import Layer


def export_run(
    context: typer.Context,
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
    layers: Selectors = None,
    form: Annotated[
        Literal["npz", "parquet", "hdf5", "rsatoolbox"] | None,
        typer.Option("--format", help="The format, where the file's suffix does not tell."),
    ] = None,
    metric: Annotated[
        str | None, typer.Option("--metric", metavar="NAME", help="Only this metric's matrices, key `layer/NAME`.")
    ] = None,
    transform: TransformName = "none",
    database: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Export the representation of one layer, or of all: correlation, mean, norm, n_features, stimuli.

    `layerwise import` gives the same representation back, from every format. With --metric the file holds what
    this metric makes of them instead: a matrix of similarities or distances between stimuli for each layer.

    Examples:
        layerwise export latest --layer mixed4c -o mixed4c.npz
        layerwise export latest --layers main -o main.h5
        layerwise export latest --metric correlation-distance -o rdms.parquet
    """
    from layerwise.core.host.kinds import Metric
    from layerwise.core.host.selection import select_layers
    from layerwise.core.network.layers import find_layer
    from layerwise.interchange.export_run import check_export, export_layers

    if layer and layers:
        raise InputError("--layer names one layer, --layers selects several: give one of them")
    check_export(output, form)
    registry = session_of(context).registry
    chosen_metric = None if metric is None else registry.get(Metric, metric)
    with open_history(database) as store:
        record = store.find_run(run)
        stored = store.list_layers(record.id)
        selected = select_layers(registry, layers, stored) if layers else stored
        chosen = [find_layer(layer, stored)] if layer else selected
        export_layers(
            store,
            record,
            chosen,
            output,
            form=form,
            metric=chosen_metric,
            transform=transform,
            prefixed=layer is None,
        )
    _tell_written(output, record, chosen, metric, as_json=as_json)


def _tell_written(
    output: Path, record: RunRecord, chosen: Sequence[Layer], metric: str | None, *, as_json: bool
) -> None:
    n_bytes = output.stat().st_size
    if as_json:
        names = [found.name for found in chosen]
        told = {"file": str(output), "run_id": record.id, "layers": names, "n_bytes": n_bytes}
        print_json(told if metric is None else told | {"metric": metric})
        return
    n_layers = "1 layer" if len(chosen) == 1 else f"{len(chosen)} layers"
    what = n_layers if metric is None else f"what {metric} makes of {n_layers}"
    typer.echo(f"Wrote {output}: {what}, {record.n_stimuli} stimuli ({size(n_bytes)}).")
