"""How a sweep of ablations is shown: a ranked table, and the same as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from layerwise.cli.options.common import database_option, program_name
from layerwise.cli.output import count, make_table, number, stdout_console

if TYPE_CHECKING:
    from layerwise.core.analysis.functional.effects import VariantEffect
    from layerwise.core.history.records import RunRecord
    from layerwise.core.network.ablating.answers import Estimate
    from layerwise.core.runs.ablating.variants import Savings, StoredSweep

_HEADS = (
    "without",
    "top-1 lost",
    "same answer",
    "divergence in bits",
    "output's structure",
    "later layers",
    "parameters saved",
    "cost saved",
    "run",
)


def effects_record(
    intact: RunRecord, effects: Sequence[VariantEffect], saved: Mapping[str, Savings], stored: StoredSweep
) -> dict[str, Any]:
    """A sweep as JSON shows it."""
    accuracy = intact.accuracy
    return {
        "model": intact.model.name,
        "baseline": intact.id,
        "n_stimuli": intact.n_stimuli,
        "n_computed": stored.n_computed,
        "accuracy": None if accuracy is None else {"top1": accuracy.top1, "top5": accuracy.top5},
        "effects": [_record(effect, saved[effect.run.id]) for effect in effects],
    }


def _record(effect: VariantEffect, savings: Savings) -> dict[str, Any]:
    def numbers(estimate: Estimate | None) -> dict[str, float] | None:
        return None if estimate is None else vars(estimate)

    return {
        "run_id": effect.run.id,
        "layers": list(effect.variant.layers),
        "substitute": effect.variant.substitute,
        "seed": effect.variant.seed,
        "accuracy_lost": numbers(effect.accuracy_lost),
        "agreement": numbers(effect.agreement),
        "divergence_bits": numbers(effect.divergence),
        "structure": numbers(effect.structure),
        "later_layers": [vars(change) for change in effect.layers],
        "n_parameters_saved": savings.n_parameters,
        "share_of_parameters": savings.share_of_parameters,
        "share_of_cost": savings.share_of_cost,
    }


def show_effects(
    intact: RunRecord,
    effects: Sequence[VariantEffect],
    saved: Mapping[str, Savings],
    stored: StoredSweep,
    database: str,
) -> None:
    """Print a sweep, the layer without which most changes first."""
    console = stdout_console()

    def say(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    accuracy = "" if intact.accuracy is None else f", top-1 {intact.accuracy.top1:.3f}"
    say(f"{intact.model.name} on {intact.n_stimuli} stimuli{accuracy}; the layer without which most changes first")
    rows = [_cells(effect, saved[effect.run.id]) for effect in effects]
    console.print(make_table(_HEADS, rows, right=_HEADS[1:-1]))
    computed = f"{stored.n_computed} of {len(stored.variants)} variants computed now" if stored.n_computed else ""
    there = computed or "all variants were stored already"
    say(f"Intact: run {intact.id}; {there}. Intervals are over stimuli, 95 %.")
    program, option = program_name(), database_option(database)
    say(f"Next: {program} report {intact.id[:8]} -o report.html{option}, or {program} runs --origin ablated{option}")


def _cells(effect: VariantEffect, savings: Savings) -> tuple[str, ...]:
    silenced = effect.variant.layers
    more = f" and {len(silenced) - 3} more" if len(silenced) > 3 else ""
    return (
        ", ".join(silenced[:3]) + more,
        _shown(effect.accuracy_lost),
        _shown(effect.agreement),
        _shown(effect.divergence),
        _shown(effect.structure),
        _range(effect),
        f"{count(savings.n_parameters)} ({savings.share_of_parameters:.1%})",
        f"{savings.share_of_cost:.1%}",
        effect.run.id[:8],
    )


def _shown(estimate: Estimate | None) -> str:
    if estimate is None:
        return "unknown"
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"


def _range(effect: VariantEffect) -> str:
    """The later layer that changed most."""
    known = [(change.value, change.layer) for change in effect.layers if change.value is not None]
    if not known:
        return ""
    value, layer = min(known)
    return f"{number(value)} at {layer}"
