"""Apportioning a layer's similarity structure among the branches of a block, from stored representations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.importance import BlockImportance, measure_importance
from layerwise.core.analysis.importance_panels import PairGroup, sum_groups
from layerwise.core.analysis.inference.layer_blocks import StoredLayers
from layerwise.core.analysis.measure import compute_metric
from layerwise.core.base.errors import InputError
from layerwise.core.base.words import near_names
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import LayerAddress, RunRecord
from layerwise.core.host.kinds import Metric
from layerwise.core.host.registry import Registered, Registry
from layerwise.core.network.layers import Layer, find_end_point, find_layer
from layerwise.core.network.matrices.pairs import Pairs
from layerwise.core.network.matrices.tiles import MOST_WHOLE
from layerwise.core.network.representation import NO_TRANSFORM, strict_upper

BLOCK = "block"
"""As a target: the block itself."""

DEFAULT_METRIC = "layerwise:pearson"
MIN_BRANCHES = 2


@dataclass(frozen=True)
class Apportioned:
    """A target's structure, apportioned among the branches of a block.

    Attributes:
        block: Name of the block.
        target: Name of the layer that is explained.
        result: The numbers; None where there are none.
        reason: Why there are none.
    """

    block: str
    target: str
    result: BlockImportance | None
    reason: str = ""


def apportion_run(
    registry: Registry,
    history: HistoryProtocol,
    run: RunRecord,
    blocks: Sequence[str] = (),
    targets: Sequence[str] | None = None,
    transform: str = NO_TRANSFORM,
    metric: str = DEFAULT_METRIC,
) -> list[Apportioned]:
    """What each branch of each block contributes to each target.

    Args:
        registry: Knows the metrics.
        history: Where representations are read.
        run: The run.
        blocks: Names of blocks; all of which two or more branches are stored, if empty.
        targets: Names or roles of layers, or `block` for the block itself (passed over where it is not stored); the
            end point (the logits, or the output) and the block if None.
        transform: Under which transform layers were analysed.
        metric: Bare or qualified name of the metric whose matrices are explained.

    Returns:
        One for each block and target, in order of computation.

    Raises:
        InputError: If there is no such block, target or metric, or no block with two stored branches.
    """
    layers = history.list_layers(run.id)
    targets = list_targets(layers) if targets is None else targets
    branches = find_branches(layers, blocks, run)
    offer = registry.get(Metric, metric)
    wanted = {block: list(_find_targets(block, targets, layers)) for block in branches}
    names = dict.fromkeys(layer.name for block in branches for layer in (*branches[block], *wanted[block]))
    addresses = [LayerAddress(run.id, name, transform) for name in names]
    if (run.n_stimuli > MOST_WHOLE or run.n_landmarks) and offer.offer.reads_panels:
        opened = dict(zip(names, history.open_layers(addresses), strict=True))
        if all(layer.has_zero for layer in opened.values()):
            return _apportion_in_panels(offer, opened, branches, wanted)
    read = zip(names, StoredLayers(history, addresses), strict=True)
    vectors = {name: strict_upper(compute_metric(offer, representation)) for name, representation in read}
    return [_apportion(block, branches[block], target, vectors) for block in branches for target in wanted[block]]


def list_targets(layers: Sequence[Layer], end_point: str | None = None) -> tuple[str, ...]:
    """What is explained by default: the end point, where it was analysed, and each block itself.

    Raises:
        InputError: If the end point is named and not among the layers.
    """
    end = find_end_point(layers, end_point)
    return (BLOCK,) if end is None else (end.name, BLOCK)


def _apportion_in_panels(
    metric: Registered[Metric],
    layers: Mapping[str, Pairs],
    branches: Mapping[str, Sequence[Layer]],
    wanted: Mapping[str, Sequence[Layer]],
) -> list[Apportioned]:
    """The same for layers that are not held whole."""
    groups = {
        (block, target.name): PairGroup([branch.name for branch in branches[block]], target.name)
        for block in branches
        for target in wanted[block]
    }
    sum_groups(metric, layers, list(groups.values()))
    found = []
    for (block, target), group in groups.items():
        try:
            result = group.conclude([branch.branch or branch.name for branch in branches[block]])
        except InputError as error:
            found.append(Apportioned(block, target, None, str(error)))
        else:
            found.append(Apportioned(block, target, result))
    return found


def find_branches(layers: Sequence[Layer], blocks: Sequence[str], run: RunRecord) -> dict[str, list[Layer]]:
    """The stored branches of each block of which there are two or more, in order of computation.

    Raises:
        InputError: If a block that is asked for is not among them, or there is none at all.
    """
    found: dict[str, list[Layer]] = {}
    for layer in layers:
        if layer.block is not None and layer.branch is not None:
            found.setdefault(layer.block, []).append(layer)
    found = {block: branches for block, branches in found.items() if len(branches) >= MIN_BRANCHES}
    if not found:
        raise InputError(
            f"run {run.id} has no block with two analysed branches; `run --layers branches` analyses them"
        )
    for block in blocks:
        if block not in found:
            raise InputError(f"run {run.id} has no block '{block}' with two branches{near_names(block, list(found))}")
    return {block: found[block] for block in found if not blocks or block in blocks}


def _find_targets(block: str, targets: Sequence[str], layers: Sequence[Layer]) -> Iterator[Layer]:
    for target in dict.fromkeys(targets):
        if target != BLOCK:
            yield find_layer(target, layers)
            continue
        whole = next((layer for layer in layers if layer.name == block), None)
        if whole is not None:
            yield whole


def _apportion(
    block: str, branches: Sequence[Layer], target: Layer, vectors: dict[str, NDArray[np.float64]]
) -> Apportioned:
    names = [branch.branch or branch.name for branch in branches]
    try:
        result = measure_importance(names, [vectors[branch.name] for branch in branches], vectors[target.name])
    except InputError as error:
        return Apportioned(block, target.name, None, str(error))
    return Apportioned(block, target.name, result)
