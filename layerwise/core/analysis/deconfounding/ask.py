"""Comparisons with other layers taken out, from history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np

from layerwise.core.analysis.choose import split_layer_reference
from layerwise.core.analysis.compare import ComparisonTable, compare_layers
from layerwise.core.analysis.compute_pairs import Pair, Progress
from layerwise.core.analysis.deconfounding.partial import take_out
from layerwise.core.analysis.inference.from_history import IntervalTable
from layerwise.core.analysis.inference.generic import replicate
from layerwise.core.analysis.inference.intervals import find_method, make_intervals
from layerwise.core.analysis.inference.layer_blocks import StoredLayers
from layerwise.core.analysis.inference.plans import check_interval_plan
from layerwise.core.analysis.inference.replicates import Replicates
from layerwise.core.analysis.measure import Measure
from layerwise.core.base.errors import InputError
from layerwise.core.history.intervals import IntervalPlan
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import LayerAddress, RunRecord
from layerwise.core.host.kinds import Comparator
from layerwise.core.host.registry import Registry
from layerwise.core.network.layers import find_layer
from layerwise.core.network.representation import NO_TRANSFORM

NOTHING_LEFT = "nothing is left of a layer once the others are taken out of it"


@runtime_checkable
class VectorCosine(Protocol):
    """What a comparator offers besides, whose value is the cosine or the correlation of one vector a layer.

    Attributes:
        is_vector_cosine: Whether it is.
    """

    is_vector_cosine: bool


def check_partial(registry: Registry, measure: Measure) -> None:
    """Make sure that layers can be taken out of what a measure compares.

    Raises:
        InputError: If it is no cosine or correlation of vectors; lists those that are.
    """
    offer = measure.comparator.offer
    if not (isinstance(offer, VectorCosine) and offer.is_vector_cosine):
        known = [
            one.name
            for one in registry.all(Comparator)
            if isinstance(one.offer, VectorCosine) and one.offer.is_vector_cosine
        ]
        raise InputError(
            f"--partial takes layers out of what is a correlation of vectors, which {measure.name} is not; "
            f"there are: {', '.join(known)}"
        )


def find_confounders(
    history: HistoryProtocol, runs: Sequence[RunRecord], names: Sequence[str], transform: str = NO_TRANSFORM
) -> list[LayerAddress]:
    """The layers that are taken out.

    Args:
        history: Where they are.
        runs: The runs that are compared; a name without a run is a layer of the first.
        names: `LAYER` or `RUN:LAYER` each.
        transform: Under which transform the layers were analysed.

    Raises:
        InputError: If there is no such run or layer.
    """
    found = []
    for name in names:
        run_id, layer = runs[0].id, name
        layers = history.list_layers(run_id)
        if ":" in name and not any(item.name == name for item in layers):
            run, layer = split_layer_reference(history, name)
            run_id, layers = run.id, history.list_layers(run.id)
        kept = transform if run_id in {run.id for run in runs} else NO_TRANSFORM
        found.append(LayerAddress(run_id, find_layer(layer, layers).name, kept))
    return list(dict.fromkeys(found))


def compare_partial(
    registry: Registry,
    history: HistoryProtocol,
    measure: Measure,
    rows: Sequence[LayerAddress],
    confounders: Sequence[LayerAddress],
    columns: Sequence[LayerAddress] | None = None,
    progress: Progress | None = None,
    memory: int | None = None,
) -> ComparisonTable:
    """Compare every row with every column, with other layers taken out of both.

    Only the plain comparisons are kept in the history: the partial ones follow from them.

    Args:
        registry: Knows the comparators.
        history: Where representations and earlier answers are.
        measure: What compares; a cosine or correlation of vectors.
        rows: Layers.
        confounders: What is taken out; with none of them this is `compare_layers`.
        columns: Layers; None for the rows again.
        progress: Told how many pairs of how many are done.
        memory: Bytes that may be taken at a time.

    Raises:
        InputError: If layers cannot be taken out of what the measure compares, there is no such layer, or runs are
            of different stimuli.
    """
    if not confounders:
        return compare_layers(registry, history, measure, rows, columns, progress=progress, memory=memory)
    check_partial(registry, measure)
    rows = [measure.resolve(address) for address in rows]
    columns = rows if columns is None else [measure.resolve(address) for address in columns]
    kept = list(dict.fromkeys([*rows, *columns]))
    out = [measure.resolve(address) for address in confounders]
    table = compare_layers(registry, history, measure, [*kept, *out], progress=progress, memory=memory)
    partial = take_out(table.matrix, len(kept))
    place = {address: index for index, address in enumerate(kept)}
    index = np.ix_([place[row] for row in rows], [place[column] for column in columns])
    matrix = partial[index]
    plain = table.matrix[: len(kept), : len(kept)][index]
    reasons: dict[Pair, str] = {}
    for i, j in np.argwhere(~np.isfinite(matrix)):
        pair = rows[i], columns[j]
        reasons[pair] = table.reasons.get(pair, NOTHING_LEFT) if np.isnan(plain[i, j]) else NOTHING_LEFT
    return replace(table, rows=tuple(rows), columns=tuple(columns), matrix=matrix, reasons=reasons)


def ask_partial_intervals(
    history: HistoryProtocol,
    measure: Measure,
    layers: Sequence[LayerAddress],
    confounders: Sequence[LayerAddress],
    plan: IntervalPlan,
) -> IntervalTable:
    """Intervals of partial comparisons of every pair of layers; what is taken out is drawn anew, too.

    Nothing is kept.

    Raises:
        InputError: If the plan makes no sense, or there are fewer than four stimuli.
    """
    check_interval_plan(plan)
    rows = [measure.resolve(address) for address in layers]
    stored = StoredLayers(history, [*rows, *(measure.resolve(address) for address in confounders)])
    found = replicate(measure, stored, plan.n_resamples, plan.seed)
    n_layers = len(rows)
    estimate, resampled, left_out = (
        take_out(part, n_layers) for part in (found.estimate, found.resampled, found.left_out)
    )
    left = Replicates(estimate, resampled, left_out, found.n_stimuli, found.subset_size, (-1.0, 1.0))
    made = make_intervals(left, find_method(plan.method), plan.level)
    low, high = (
        np.array([np.nan if end is None else end for end in ends]).reshape(n_layers, n_layers)
        for ends in ([one.low for one in made], [one.high for one in made])
    )
    pairs = [(first, second) for first in rows for second in rows]
    reasons = {pair: one.reason for pair, one in zip(pairs, made, strict=True) if one.low is None}
    return IntervalTable(plan, low, high, reasons)
