"""`layerwise ablate`: what the output loses without each of some layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from layerwise.cli.options.bundling import bundled
from layerwise.cli.options.common import DEFAULT_DATABASE, AsJson, Database, Selectors, Weights
from layerwise.cli.options.completing import complete_models, quietly
from layerwise.cli.options.model_options import ModelOptions
from layerwise.cli.output import print_json
from layerwise.cli.session import database_url, open_history, session_of

if TYPE_CHECKING:
    from layerwise.core.network.ablating.ablation import Ablation
    from layerwise.core.network.model import Model


@bundled
def ablate_each(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A model's name, or the path of its file.", autocompletion=quietly(complete_models)
        ),
    ],
    stimuli: Annotated[
        str,
        typer.Option("--stimuli", metavar="PATH", help="A folder of images, a CSV manifest, a .npy or .npz file."),
    ],
    *,
    each: Annotated[
        list[str] | None,
        typer.Option("--each", metavar="S", help="Which layers, by a selector; repeatable. By default branches."),
    ] = None,
    together: Annotated[
        list[str] | None,
        typer.Option("--together", metavar="S", help="Layers to silence all at once, by a selector; repeatable."),
    ] = None,
    substitute: Annotated[
        Literal["zero", "mean", "shuffle"],
        typer.Option("--ablate-with", help="What stands in: 0, each unit's mean, or another stimulus's activations."),
    ] = "zero",
    pairs: Annotated[bool, typer.Option("--pairs", help="Each two of them as well.")] = False,
    layers: Selectors = None,
    measure: Annotated[
        str, typer.Option("--with", metavar="C", show_default="rsa-pearson", help="By what layers are compared.")
    ] = "layerwise:rsa-pearson",
    bootstrap: Annotated[
        int, typer.Option("--bootstrap", metavar="N", min=10, help="Resamples of the stimuli, for intervals.")
    ] = 1000,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=2, help="Only the first N stimuli.")
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option("--batch-size", metavar="B", min=1, help="Stimuli per call; by default what suits the device."),
    ] = None,
    device: Annotated[
        str,
        typer.Option("--device", metavar="D", help="Where the network computes: auto, cpu, or a word such as cuda."),
    ] = "auto",
    weights: Weights = None,
    how: ModelOptions,
    database: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Silence layers one after the other, and rank them by what the output loses without them.

    The intact network and each variant are stored as runs; variants share all that lies before the layer they are
    without. --layers says which later layers are measured, by default main. Stopped, the same command goes on.

    Examples:
        layerwise ablate googlenet --weights bvlc_googlenet.caffemodel --stimuli photos/ --each branches
        layerwise ablate net.keras --stimuli digits.npz --each type:conv --ablate-with mean
        layerwise ablate googlenet --weights bvlc_googlenet.caffemodel --stimuli photos/ --together 'glob:*/5x5'
    """
    from layerwise.cli.checks import check_file, check_stimuli, check_weights_file
    from layerwise.cli.printing.ablation_table import effects_record, show_effects
    from layerwise.cli.progress import watching
    from layerwise.cli.running import resumable
    from layerwise.core.analysis.functional.effects import measure_effects
    from layerwise.core.analysis.measure import find_measure
    from layerwise.core.host.selection import select_layers
    from layerwise.core.network.ablating.answers import Resampling
    from layerwise.core.runs.ablating.sweep import choose_ablations
    from layerwise.core.runs.ablating.variants import measure_savings, sweep_stored
    from layerwise.core.runs.prepared import prepare_run
    from layerwise.core.runs.request import RunRequest
    from layerwise.storage import check_place

    check_weights_file(weights)
    check_file(how.classes, "--classes")
    check_stimuli(stimuli)
    check_place(database_url(database))
    registry = session_of(context).registry
    asked = find_measure(registry, measure)
    chosen: list[Ablation] = []

    def choose(network: Model) -> None:
        chosen.extend(
            choose_ablations(registry, network, each or [], together or [], substitute, pairs=pairs, seed=how.seed)
        )

    request = RunRequest(
        model=model,
        stimuli=stimuli,
        weights=weights,
        layers=("layerwise:main", "layerwise:branches"),
        limit=limit,
        batch_size=batch_size,
        device=device,
        command=session_of(context).command,
        **how.settings,
    )
    with watching(quiet=as_json) as observer:
        prepared = prepare_run(request, registry, observer, check=choose)
        later = select_layers(registry, layers or ["layerwise:main"], prepared.model.layers)
        savings = measure_savings(prepared.model, chosen)
        with open_history(database, create=True) as store, resumable():
            stored = sweep_stored(prepared, chosen, later, store, observer)
            observer.stage("measuring what was lost")
            intact, *variants = (store.find_run(run) for run in (stored.baseline, *stored.variants))
            effects = measure_effects(registry, store, intact, variants, asked, Resampling(bootstrap, how.seed))
    saved = dict(zip(stored.variants, savings, strict=True))
    if as_json:
        print_json(effects_record(intact, effects, saved, stored))
    else:
        show_effects(intact, effects, saved, stored, database)
