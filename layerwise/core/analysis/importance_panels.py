"""Variance partitioning of layers that are not held whole: sums over their pairs, a few rows at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.importance import BlockImportance, apportion, check_pairs
from layerwise.core.host.kinds import Metric
from layerwise.core.host.registry import Registered
from layerwise.core.network.matrices.pairs import Pairs
from layerwise.core.network.matrices.panels import Panel, above_diagonal

Values = NDArray[np.float64]


class PairGroup:
    """The branches of a block, and what they are to explain: sums over pairs that are defined in all of them."""

    def __init__(self, branches: Sequence[str], target: str) -> None:
        """Begin with nothing, for layers of these names."""
        self.layers = (*branches, target)
        n_layers = len(self.layers)
        self._n_pairs = 0
        self._origin: Values | None = None
        self._sums, self._products = np.zeros(n_layers), np.zeros((n_layers, n_layers))
        self._low, self._high = np.full(n_layers, np.inf), np.full(n_layers, -np.inf)

    def add(self, panels: Mapping[str, Values]) -> None:
        """Take in some pairs, of every layer."""
        values = np.stack([panels[name] for name in self.layers])
        defined = np.isfinite(values).all(axis=0)
        values = values if defined.all() else values[:, defined]
        if not values.size:
            return
        if self._origin is None:
            self._origin = values.mean(axis=1)
        self._low, self._high = np.minimum(self._low, values.min(axis=1)), np.maximum(self._high, values.max(axis=1))
        values -= self._origin[:, None]
        self._n_pairs += values.shape[1]
        self._sums += values.sum(axis=1)
        self._products += values @ values.T

    def conclude(self, names: Sequence[str]) -> BlockImportance:
        """What came of it, for branches that are called so.

        Raises:
            InputError: As `measure_importance`.
        """
        check_pairs(names, self._n_pairs, list(self._low >= self._high))
        covariance = self._products - np.outer(self._sums, self._sums) / self._n_pairs
        spread = np.sqrt(np.diagonal(covariance))
        correlations = np.clip(covariance / spread[:, None] / spread, -1, 1)
        return apportion(names, correlations, self._n_pairs)


def sum_groups(metric: Registered[Metric], layers: Mapping[str, Pairs], groups: Sequence[PairGroup]) -> None:
    """Read all layers side by side, and give every group what it needs of each panel."""
    for side_by_side in zip(*(layer.upper_panels() for layer in layers.values()), strict=True):
        found = {name: _read(metric, panel) for name, (_, panel) in zip(layers, side_by_side, strict=True)}
        for group in groups:
            group.add(found)


def _read(metric: Registered[Metric], panel: Panel) -> Values:
    def compute_panel() -> Values:  # so is the method called in an error
        return metric.offer.compute_panel(panel, shifted=True)

    return above_diagonal(metric.call(compute_panel))
