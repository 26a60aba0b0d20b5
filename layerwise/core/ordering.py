"""Ordering a run's stimuli by what one layer makes of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from layerwise.core.errors import InputError
from layerwise.core.kinds import Reorderer
from layerwise.core.layers import Layer, find_layer
from layerwise.core.protocols import History
from layerwise.core.records import NO_TRANSFORM, LayerAddress, Ordering, Provider, RunRecord
from layerwise.core.registry import Registry
from layerwise.core.validation import check_permutation


def order_stimuli(
    registry: Registry,
    history: History,
    run: RunRecord,
    by: str | None,
    method: str,
    transform: str = NO_TRANSFORM,
    save: bool = True,
) -> Ordering:
    """A permutation of a run's stimuli, from history or computed from one layer's correlations.

    Args:
        registry: Knows the reorderers.
        history: Where the layer is, and where the ordering is kept.
        run: The run.
        by: Name of the layer, or `input`, `logits`, `output`; None for the input, or where that was not
            analysed the first layer that was.
        method: Bare or qualified name of the reorderer.
        transform: Under which transform the layer was analysed.
        save: Whether to keep the ordering.

    Raises:
        InputError: If there is no such layer or reorderer, or it needs labels that are not there.
    """
    reorderer = registry.get(Reorderer, method)
    provider = Provider(reorderer.qualified_name, reorderer.version)
    address = LayerAddress(run.id, _choose_layer(by, run, history.list_layers(run.id)).name, transform)
    for stored in history.read_orderings(run.id):
        if (stored.reorderer, stored.address) == (provider, address):
            return stored
    similarity = history.read_representation(address).correlation.astype(np.float64)
    labels = [stimulus.label for stimulus in history.list_stimuli(run.id)]
    order = reorderer.call(reorderer.offer.order, similarity, labels)
    ordering = Ordering(provider, address, check_permutation(reorderer, order, len(similarity)))
    if save:
        history.save_ordering(ordering)
    return ordering


def _choose_layer(by: str | None, run: RunRecord, layers: Sequence[Layer]) -> Layer:
    if not layers:
        raise InputError(f"run {run.id} has no finished layer to order its stimuli by")
    if by is not None:
        return find_layer(by, layers)
    return next((layer for layer in layers if layer.role == "input"), layers[0])
