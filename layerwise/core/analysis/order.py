"""Ordering a run's stimuli by what one layer makes of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.measure import compute_metric, explain_missing, find_read_address, provider_with
from layerwise.core.analysis.working_memory import check_matrices
from layerwise.core.base.errors import InputError
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import LayerAddress, Ordering, RunRecord
from layerwise.core.host.kinds import Metric, Reorderer
from layerwise.core.host.registry import Registered, Registry
from layerwise.core.host.validation import check_permutation
from layerwise.core.network.layers import Layer, find_layer
from layerwise.core.network.representation import NO_TRANSFORM, Representation

_N_MATRICES = 5  # similarities, distances of the tree, and what is made of both


def order_stimuli(
    registry: Registry,
    history: HistoryProtocol,
    run: RunRecord,
    by: str | None,
    method: str,
    transform: str = NO_TRANSFORM,
    save: bool = True,
    metric: str | None = None,
) -> Ordering:
    """A permutation of a run's stimuli, from history or computed from one layer's matrix.

    Args:
        registry: Knows the reorderers.
        history: Where the layer is, and where the ordering is kept.
        run: The run.
        by: Name of the layer, or `input`, `logits`, `output`; None for the input, or where that was not
            analysed the first layer that was.
        method: Bare or qualified name of the reorderer.
        transform: Under which transform the layer was analysed.
        save: Whether to keep the ordering.
        metric: Bare or qualified name of the metric whose matrix decides; None for Pearson correlation. What is
            handed to the reorderer is a similarity of 1 at most: 1 - distance / largest distance; or a similarity,
            divided by its largest size where that can be above 1.

    Raises:
        InputError: If there is no such layer or reorderer, or it needs labels that are not there.
    """
    reorderer = registry.get(Reorderer, method)
    chosen = None if metric is None else registry.get(Metric, metric)
    provider = provider_with(reorderer, {}, chosen)
    address = LayerAddress(run.id, _choose_layer(by, run, history.list_layers(run.id)).name, transform)
    if chosen is not None:
        address = find_read_address(chosen, address)
    for stored in history.read_orderings(run.id):
        if (stored.reorderer, stored.address) == (provider, address):
            return stored
    check_matrices(f"ordering by {reorderer.name}", run.n_stimuli, _N_MATRICES)
    try:
        representation = history.read_representation(address)
    except InputError as error:
        raise explain_missing(chosen, error) from error
    similarity = _similarity(chosen, representation)
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


def _similarity(metric: Registered[Metric] | None, representation: Representation) -> NDArray[np.float64]:
    if metric is None:
        return representation.correlation
    matrix = compute_metric(metric, representation)
    if metric.offer.kind == "distance":
        return 1 - _scale(matrix)  # scaled, since 1 - distance would lose distances that are small beside 1
    highest = metric.offer.value_range[1]
    return matrix if highest is not None and highest <= 1 else _scale(matrix)


def _scale(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divided by its largest size, where it has one."""
    sizes = np.abs(matrix[np.isfinite(matrix)])
    largest = float(sizes.max()) if sizes.size else 0.0
    return matrix / largest if largest else matrix
