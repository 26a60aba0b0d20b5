"""`layerwise reorder`: an order of the stimuli that shows a layer's structure, for use on any layer."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from layerwise.cli.options.common import DEFAULT_DATABASE, AsJson, Database, RunName, TransformName
from layerwise.cli.options.completing import complete_layer, quietly
from layerwise.cli.options.measure_options import MetricName
from layerwise.cli.output import make_table, print_json, stdout_console
from layerwise.cli.session import open_history, session_of


def reorder_run(
    context: typer.Context,
    run: RunName,
    by: Annotated[
        str,
        typer.Option(
            "--by",
            metavar="LAYER",
            help="The layer whose matrix decides: input, output, ...",
            autocompletion=quietly(complete_layer),
        ),
    ],
    method: Annotated[
        str, typer.Option(metavar="NAME", show_default="average-linkage", help="The reorderer.")
    ] = "layerwise:average-linkage",
    metric: MetricName = None,
    transform: TransformName = "none",
    database: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Compute and store an order of a run's stimuli from one layer's matrix, and print it.

    Examples:
        layerwise reorder latest --by output
        layerwise reorder latest --by input --method label
    """
    from layerwise.core.analysis.order import order_stimuli

    with open_history(database) as store:
        record = store.find_run(run)
        ordering = order_stimuli(session_of(context).registry, store, record, by, method, transform, metric=metric)
        stimuli = store.list_stimuli(record.id)
    ordered = [stimuli[index] for index in ordering.permutation]
    if as_json:
        print_json(
            {
                "run_id": record.id,
                "layer": ordering.address.layer,
                "transform": ordering.address.transform,
                "method": ordering.reorderer.name,
                "provider": f"{ordering.reorderer.name} {ordering.reorderer.version}",
                "parameters": json.loads(ordering.reorderer.parameters),
                "permutation": list(ordering.permutation),
                "stimuli": [stimulus.name for stimulus in ordered],
            }
        )
        return
    rows = [(place, item.position, item.name, item.label) for place, item in enumerate(ordered)]
    table = make_table(("place", "position", "stimulus", "label"), rows, right=("place", "position"))
    stdout_console().print(table)
