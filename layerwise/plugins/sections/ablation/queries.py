"""What a run's variants lost, as frames: ranked, layer by layer, and beside what similarity says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from layerwise.core.analysis.functional.effects import VariantEffect, measure_effects
from layerwise.core.analysis.functional.evidence import (
    EVIDENCE,
    LayerEvidence,
    RankCorrelation,
    correlate_ranks,
    gather_evidence,
)
from layerwise.core.base.errors import InputError
from layerwise.core.history.baselines import list_variants
from layerwise.core.history.records import RunRecord
from layerwise.report.content import ReportContext
from layerwise.report.queries import chosen_measure

if TYPE_CHECKING:
    import polars as pl

N_SHOWN = 40
"""Variants at most in a chart: those that lost most."""
WORDS = {
    "similarity": "similarity to the output",
    "unique": "unique contribution to the output",
    "partial": "partial correlation with the output",
    "severity": "what the output loses",
    "lost": "top-1 accuracy lost",
}


@dataclass(frozen=True)
class Ablations:
    """The variants of a run with one substitute.

    Attributes:
        substitute: What stood in.
        effects: What each lost, the one that lost most first.
        evidence: Both kinds of evidence on the layers that were silenced alone.
    """

    substitute: str
    effects: tuple[VariantEffect, ...]
    evidence: tuple[LayerEvidence, ...]

    @property
    def is_distribution(self) -> bool:
        """Whether the output is a distribution, so that there is a divergence of it."""
        return all(effect.divergence is not None for effect in self.effects)


def has_variants(context: ReportContext, run: RunRecord) -> bool:
    """Whether a run has variants and has kept its output."""
    found = context.once(("variants", run.id), lambda: list_variants(context.history, run))
    return bool(found) and context.history.read_outputs(run.id) is not None


def query_ablations(context: ReportContext, run: RunRecord) -> list[Ablations]:
    """The variants of a run that have kept their outputs, by substitute."""
    return context.once(("ablations", run.id), lambda: _query(context, run))


def _query(context: ReportContext, run: RunRecord) -> list[Ablations]:
    groups: dict[str, list[RunRecord]] = {}
    for variant in list_variants(context.history, run):
        if variant.variant is not None and context.history.read_outputs(variant.id) is not None:
            groups.setdefault(variant.variant.substitute, []).append(variant)
    measure = chosen_measure(context)
    found = []
    for substitute, variants in sorted(groups.items()):
        effects = measure_effects(context.registry, context.history, run, _one_each(variants), measure)
        try:
            evidence = gather_evidence(context.registry, context.history, run, effects, measure)
        except InputError:
            evidence = []
        found.append(Ablations(substitute, tuple(effects), tuple(evidence)))
    return found


def _one_each(variants: Sequence[RunRecord]) -> list[RunRecord]:
    """One run for each set of silenced layers, the one of which most layers are stored: seeds may differ."""
    kept: dict[tuple[str, ...], RunRecord] = {}
    for run in variants:
        key = run.variant.layers if run.variant else ()
        if key not in kept or run.n_layers > kept[key].n_layers:
            kept[key] = run
    return list(kept.values())


def name_variant(effect: VariantEffect) -> str:
    """The silenced layers in a few words."""
    layers = effect.variant.layers
    return ", ".join(layers) if len(layers) < 3 else f"{layers[0]} and {len(layers) - 1} more"


def effects_frame(found: Ablations) -> pl.DataFrame:
    """One row for each variant: `layer`, `value` (what the output lost), `low`, `high`, and the rest for reading."""
    import polars as pl

    rows = []
    for effect in found.effects[:N_SHOWN]:
        shown = effect.divergence
        if shown is None:
            same = effect.agreement
            ends = (1 - same.value, 1 - same.high, 1 - same.low)
        else:
            ends = (shown.value, shown.low, shown.high)
        lost = None if effect.accuracy_lost is None else effect.accuracy_lost.value
        structure = None if effect.structure is None else effect.structure.value
        rows.append((name_variant(effect), *ends, lost, effect.agreement.value, structure))
    numbers = dict.fromkeys(("value", "low", "high", "lost", "agreement", "structure"), pl.Float64)
    return pl.DataFrame(rows, schema={"layer": pl.String, **numbers}, orient="row")


def changes_frame(found: Ablations) -> pl.DataFrame:
    """How far each later layer of each variant is what it was: `row` (the variant), `column` (the layer), `value`."""
    import polars as pl

    rows = [
        (name_variant(effect), change.layer, change.value)
        for effect in found.effects[:N_SHOWN]
        for change in effect.layers
    ]
    return pl.DataFrame(rows, schema={"row": pl.String, "column": pl.String, "value": pl.Float64}, orient="row")


def evidence_frame(found: Ablations, evidence: str) -> pl.DataFrame:
    """One row for each layer: `layer`, `series` (kind of branch), `value` (the evidence), `severity`, `lost`."""
    import polars as pl

    rows = [
        (one.layer.name, one.layer.branch or one.layer.op, EVIDENCE[evidence](one), one.effect.severity, one.lost)
        for one in found.evidence
    ]
    numbers = dict.fromkeys(("value", "severity", "lost"), pl.Float64)
    frame = pl.DataFrame(rows, schema={"layer": pl.String, "series": pl.String, **numbers}, orient="row")
    return frame.drop_nulls("value")


def rank_correlations(found: Ablations) -> list[RankCorrelation]:
    """The rank correlation of each kind of evidence with each outcome that is known."""
    outcomes = ["severity", *(["lost"] if all(one.lost is not None for one in found.evidence) else [])]
    ranked = [correlate_ranks(found.evidence, evidence, outcome) for evidence in EVIDENCE for outcome in outcomes]
    return [one for one in ranked if one.value is not None]
