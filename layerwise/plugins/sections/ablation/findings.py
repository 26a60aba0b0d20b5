"""What ablations say in sentences: which layer is missed most, and whether similarity had predicted it."""

from __future__ import annotations

from layerwise.core.analysis.functional.effects import VariantEffect
from layerwise.core.analysis.functional.evidence import RankCorrelation
from layerwise.core.network.ablating.answers import Estimate
from layerwise.plugins.sections.ablation.queries import Ablations, name_variant, rank_correlations
from layerwise.report.content import Finding

N_LAYERS_LEAST = 5  # of fewer layers a rank correlation says nothing


def find_in_ablations(found: Ablations, run_id: str) -> list[Finding]:
    """The sentences on one run's variants with one substitute."""
    lost = _tell_lost(found)
    sentences = [] if lost is None else [Finding(lost, f"effects-{found.substitute}-{run_id}", 0.9)]
    ranked = rank_correlations(found) if len(found.evidence) >= N_LAYERS_LEAST else []
    if ranked and (told := conclude(ranked[0])):
        sentences.append(Finding(told, f"evidence-{found.substitute}-{run_id}", 0.85))
    return sentences


def conclude(ranked: RankCorrelation) -> str:
    """What the rank correlation of similarity to the output with what is lost says, in words."""
    if ranked.value is None or ranked.low is None or ranked.high is None:
        return ""
    ends = f"{ranked.value:.2f}, {ranked.low:.2f} to {ranked.high:.2f}, {ranked.n_layers} layers"
    if ranked.low > 0:
        return f"Layers that are more like the output are missed more ({ends})."
    if ranked.high < 0:
        return f"Layers that are more like the output are missed less ({ends})."
    return f"How like the output a layer is does not tell how much it is missed ({ends})."


def _tell_lost(found: Ablations) -> str | None:
    """Without which layer the output changes most, where its interval lies above that of the next."""
    alone = [effect for effect in found.effects if len(effect.variant.layers) == 1]
    if not alone:
        return None
    first = alone[0]
    loss, what = _loss(first)
    clear = all(_loss(other)[0].high < loss.low for other in alone[1:])
    if loss.low <= 0 or not clear:
        return None
    among = f", more than without any other of {len(alone)}" if len(alone) > 1 else ""
    return f"Without {name_variant(first)} {what} {loss.value:.2f} ({loss.low:.2f} to {loss.high:.2f}){among}."


def _loss(effect: VariantEffect) -> tuple[Estimate, str]:
    if effect.divergence is not None:
        return effect.divergence, "the output changes most: a Jensen-Shannon divergence of"
    same = effect.agreement
    return Estimate(1 - same.value, 1 - same.high, 1 - same.low), "most answers change: a share of"
