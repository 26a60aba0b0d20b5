"""`layerwise ablate`: what the output loses without each of some layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from layerwise.cli.options.bundling import bundled
from layerwise.cli.options.common import AsJson, Weights
from layerwise.cli.options.model_options import ModelOptions
from layerwise.cli.output import make_table, print_json, stdout_console
from layerwise.cli.session import session_of

if TYPE_CHECKING:
    from layerwise.core.host.registry import Registry
    from layerwise.core.network.ablation import Ablation, Substitute
    from layerwise.core.network.model import Model
    from layerwise.core.runs.ablation_sweep import Effect, Estimate


@bundled
def ablate_each(
    context: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model's name, or the path of its file.")],
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
        Literal["zero", "mean"],
        typer.Option("--ablate-with", help="What stands in for a layer: 0, or each unit's mean over the stimuli."),
    ] = "zero",
    pairs: Annotated[bool, typer.Option("--pairs", help="Each two of them as well.")] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=2, help="Only the first N stimuli.")
    ] = None,
    batch_size: Annotated[
        int, typer.Option("--batch-size", metavar="B", min=1, help="Stimuli per call of the network.")
    ] = 16,
    weights: Weights = None,
    how: ModelOptions,
    as_json: AsJson = False,
) -> None:
    """Silence layers one after the other, and rank them by what the output loses without them.

    Variants share all that lies before the layer that they are without. Nothing is stored; `layerwise run --ablate`
    analyses one of them and keeps it. Intervals are over stimuli (95 %).

    Examples:
        layerwise ablate googlenet --weights bvlc_googlenet.caffemodel --stimuli photos/ --each branches
        layerwise ablate net.keras --stimuli digits.npz --each type:conv --ablate-with mean
        layerwise ablate googlenet --weights bvlc_googlenet.caffemodel --stimuli photos/ --together 'glob:*/5x5'
    """
    from layerwise.cli.checks import check_file, check_stimuli, check_weights_file
    from layerwise.cli.progress import watching
    from layerwise.core.runs.ablation_sweep import Sweep, sweep_ablations
    from layerwise.core.runs.request import RunRequest
    from layerwise.core.runs.resolve import decode_subject, load_subject

    check_weights_file(weights)
    check_file(how.classes, "--classes")
    check_stimuli(stimuli)
    registry = session_of(context).registry
    request = RunRequest(
        model=model,
        stimuli=stimuli,
        weights=weights,
        limit=limit,
        batch_size=batch_size,
        **how.settings,
    )
    with watching(quiet=as_json) as observer:
        network = load_subject(request, registry, observer).model
        ablations = _choose(registry, network, each or [], together or [], substitute, pairs=pairs)
        loaded, _ = decode_subject(request, registry, network, observer)
        try:
            intact, effects = sweep_ablations(
                network, ablations, loaded.read, loaded.labels, Sweep(batch_size=batch_size, seed=how.seed), observer
            )
        finally:
            loaded.pixels.close()
    ranked = sorted(effects, key=_severity, reverse=True)
    if as_json:
        print_json(
            {
                "model": network.info.name,
                "n_stimuli": len(intact),
                "substitute": substitute,
                "effects": [_record(effect) for effect in ranked],
            }
        )
        return
    _show(ranked, network.info.name, len(intact))


def _choose(
    registry: Registry, model: Model, each: list[str], together: list[str], substitute: Substitute, *, pairs: bool
) -> list[Ablation]:
    """What is silenced: each layer of some selectors by itself, and all of others at once."""
    from layerwise.core.host.selection import select_layers
    from layerwise.core.network.ablation import Ablation
    from layerwise.core.runs.ablation_sweep import list_each

    found: list[Ablation] = []
    if each or not together:
        found += list_each(select_layers(registry, each or ["branches"], model.layers), substitute, pairs=pairs)
    if together:
        names = [layer.name for layer in select_layers(registry, together, model.layers)]
        found.append(Ablation(tuple(names), substitute))
    return found


def _severity(effect: Effect) -> tuple[float, float]:
    lost = 0.0 if effect.accuracy_lost is None else effect.accuracy_lost.value
    apart = 1 - effect.agreement.value if effect.divergence is None else effect.divergence.value
    return apart, lost


def _record(effect: Effect) -> dict[str, Any]:
    def numbers(estimate: Estimate | None) -> dict[str, float] | None:
        return None if estimate is None else {"value": estimate.value, "low": estimate.low, "high": estimate.high}

    return {
        "layers": list(effect.ablation.layers),
        "accuracy_lost": numbers(effect.accuracy_lost),
        "agreement": numbers(effect.agreement),
        "divergence_bits": numbers(effect.divergence),
        "structure": effect.structure,
        "share_of_cost": effect.share_of_cost,
    }


def _show(effects: list[Effect], name: str, n_stimuli: int) -> None:
    console = stdout_console()
    console.print(f"{name} on {n_stimuli} stimuli, the layer without which most changes first", markup=False)

    def shown(estimate: Estimate | None) -> str:
        if estimate is None:
            return "unknown"
        return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"

    rows = [
        (
            ", ".join(effect.ablation.layers[:3])
            + (f" and {len(effect.ablation.layers) - 3} more" if len(effect.ablation.layers) > 3 else ""),
            shown(effect.accuracy_lost),
            shown(effect.agreement),
            shown(effect.divergence),
            "undefined" if effect.structure is None else f"{effect.structure:.3f}",
            f"{effect.share_of_cost:.1%}",
        )
        for effect in effects
    ]
    heads = ("without", "top-1 lost", "same answer", "divergence in bits", "output's structure", "cost saved")
    console.print(make_table(heads, rows, right=heads[1:]))
