"""Does what similarity says of a layer predict what happens without it? The correlational beside the causal.

Similarity to the end point (the logits, or the output), unique contribution and partial correlation are measured
without touching the network. That a layer is unlike the end point does not prove it useless; an ablation says what
the network loses. Across the layers of a network the two can be set beside each other, as ranks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.compare import compare_layers
from layerwise.core.analysis.functional.effects import VariantEffect
from layerwise.core.analysis.importance import BranchImportance
from layerwise.core.analysis.importance_run import apportion_run
from layerwise.core.analysis.measure import Measure
from layerwise.core.base.errors import InputError
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import LayerAddress, RunRecord
from layerwise.core.host.registry import Registry
from layerwise.core.network.ablating.answers import CONFIDENCE
from layerwise.core.network.layers import Layer, find_end_point

MIN_LAYERS = 4
"""Of fewer layers there is no rank correlation worth the name."""


@dataclass(frozen=True)
class LayerEvidence:
    """What is known of one layer without touching the network, and what happens without it.

    Attributes:
        layer: The layer that was silenced alone.
        similarity: The measure between it and the end point; None where undefined.
        unique: What it explains of the end point's structure and no sibling does; None where it is no branch.
        partial: Partial correlation with the end point given its siblings; likewise.
        effect: What happened without it.
    """

    layer: Layer
    similarity: float | None
    unique: float | None
    partial: float | None
    effect: VariantEffect

    @property
    def lost(self) -> float | None:
        """Top-1 accuracy that is lost without it."""
        return None if self.effect.accuracy_lost is None else self.effect.accuracy_lost.value


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's rank correlation over layers, between what similarity says and what an ablation does.

    Attributes:
        evidence: What predicts: `similarity`, `unique` or `partial`.
        outcome: What is predicted: `severity` or `lost`.
        n_layers: Over how many layers.
        value: The correlation; None where there is none.
        low: Lower end of its 95 % interval, percentiles of resamples of the layers.
        high: Upper end.
        reason: Why there is none.
    """

    evidence: str
    outcome: str
    n_layers: int
    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""


EVIDENCE: dict[str, Callable[[LayerEvidence], float | None]] = {
    "similarity": lambda one: one.similarity,
    "unique": lambda one: one.unique,
    "partial": lambda one: one.partial,
}
OUTCOMES: dict[str, Callable[[LayerEvidence], float | None]] = {
    "severity": lambda one: one.effect.severity,
    "lost": lambda one: one.lost,
}


def gather_evidence(
    registry: Registry,
    history: HistoryProtocol,
    baseline: RunRecord,
    effects: Sequence[VariantEffect],
    measure: Measure | str,
) -> list[LayerEvidence]:
    """Both kinds of evidence on each layer that was silenced by itself and was analysed, in order of computation.

    Args:
        registry: Knows comparators and metrics.
        history: Where the runs are.
        baseline: The intact run.
        effects: What its variants lost, all with the same substitute.
        measure: By what layers are compared with the end point.
    """
    alone = {effect.variant.layers[0]: effect for effect in effects if len(effect.variant.layers) == 1}
    layers = history.list_layers(baseline.id)
    silenced = [layer for layer in layers if layer.name in alone]
    end = find_end_point(layers)
    if not silenced or end is None:
        return []
    rows = [LayerAddress(baseline.id, layer.name) for layer in silenced]
    table = compare_layers(registry, history, measure, rows, [LayerAddress(baseline.id, end.name)])
    parts = _apportion(registry, history, baseline, layers)
    found = []
    for layer, value in zip(silenced, table.matrix[:, 0], strict=True):
        part = parts.get(layer.name)
        similarity = float(value) if np.isfinite(value) else None
        unique, partial = (None, None) if part is None else (part.unique, part.partial)
        found.append(LayerEvidence(layer, similarity, unique, partial, alone[layer.name]))
    return found


def _apportion(
    registry: Registry, history: HistoryProtocol, baseline: RunRecord, layers: Sequence[Layer]
) -> dict[str, BranchImportance]:
    """What each branch explains of the end point, by the name of its layer."""
    end = find_end_point(layers)
    try:
        blocks = apportion_run(registry, history, baseline, (), () if end is None else (end.name,))
    except InputError:  # no blocks
        return {}
    parts = {
        (block.block, part.branch): part
        for block in blocks
        if block.result is not None
        for part in block.result.branches
    }
    by_layer = {layer.name: (layer.block or "", layer.branch or layer.name) for layer in layers}
    return {name: parts[key] for name, key in by_layer.items() if key in parts}


def correlate_ranks(
    found: Sequence[LayerEvidence], evidence: str, outcome: str, n_resamples: int = 2000, seed: int = 0
) -> RankCorrelation:
    """Spearman's rank correlation between one kind of evidence and one outcome, with its interval.

    Args:
        found: As `gather_evidence` gives them.
        evidence: One of `EVIDENCE`.
        outcome: One of `OUTCOMES`.
        n_resamples: Resamples of the layers.
        seed: Of the resamples.
    """
    pairs = [(EVIDENCE[evidence](one), OUTCOMES[outcome](one)) for one in found]
    known = np.array([(a, b) for a, b in pairs if a is not None and b is not None], dtype=np.float64).reshape(-1, 2)
    n_layers = len(known)
    if n_layers < MIN_LAYERS:
        return RankCorrelation(evidence, outcome, n_layers, None, reason=f"{n_layers} layers are too few")
    value = _spearman(known)
    if value is None:
        return RankCorrelation(evidence, outcome, n_layers, None, reason="all layers are alike in one of them")
    rng = np.random.default_rng(seed)
    draws = (_spearman(known[rng.integers(0, n_layers, n_layers)]) for _ in range(n_resamples))
    values = [draw for draw in draws if draw is not None]
    low, high = np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return RankCorrelation(evidence, outcome, n_layers, value, float(low), float(high))


def _spearman(pairs: NDArray[np.float64]) -> float | None:
    from scipy.stats import rankdata

    ranks = rankdata(pairs, axis=0)
    if not np.ptp(ranks, axis=0).all():
        return None
    return float(np.corrcoef(ranks.T)[0, 1])
