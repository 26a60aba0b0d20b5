"""`layerwise layers`: what can be selected of a model."""

from __future__ import annotations

from typing import Annotated

import typer

from layerwise.cli.options.bundling import bundled
from layerwise.cli.options.common import AsJson, Selectors, Weights
from layerwise.cli.options.completing import complete_models, quietly
from layerwise.cli.options.model_options import ModelOptions
from layerwise.cli.output import count, make_table, print_json, stdout_console
from layerwise.cli.session import session_of


@bundled
def list_layers(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A model's name, or the path of its file.", autocompletion=quietly(complete_models)
        ),
    ],
    *,
    weights: Weights = None,
    layers: Selectors = None,
    how: ModelOptions,
    as_json: AsJson = False,
) -> None:
    """List the layers of a model that can be selected: all of them, or those that `--layers` picks.

    Examples:
        layerwise layers googlenet --layers main --layers block:mixed4c
        layerwise layers my-model.keras --layers type:conv
        layerwise layers frozen.pb --output softmax --feed keep_prob=1
    """
    from layerwise.cli.checks import check_weights_file
    from layerwise.core.host.selection import select_layers
    from layerwise.core.network.model import LoadRequest
    from layerwise.core.runs.loading import load_model

    check_weights_file(weights)
    registry = session_of(context).registry
    _, loaded = load_model(registry, LoadRequest(model, weights, **how.settings, graph_only=True))
    chosen = select_layers(registry, layers or ["all"], loaded.layers)
    if as_json:
        fields = ("name", "op", "block", "branch", "shape", "n_features")
        print_json([{field: getattr(layer, field) for field in fields} for layer in chosen])
        return
    rows = [
        (
            layer.name,
            "main" if layer.is_main else "",
            layer.op,
            layer.block,
            layer.branch,
            " x ".join(map(str, layer.shape)),
            count(layer.n_features),
        )
        for layer in chosen
    ]
    heads = ("layer", "main", "op", "block", "branch", "shape", "features")
    stdout_console().print(make_table(heads, rows, right=("shape", "features")))
