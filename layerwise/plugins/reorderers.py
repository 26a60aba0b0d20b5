"""Reorderers: an order of the stimuli in which a matrix shows what it holds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.host.hookspecs import hookimpl
from layerwise.core.host.kinds import Matrix, Reorderer
from layerwise.plugins.leaf_order import find_leaf_order


class AverageLinkageReorderer(Reorderer):
    """Leaves of an average-linkage tree, so ordered that neighbours are as alike as the tree allows.

    Distance is 1 - similarity; of all orders that the tree allows, this one has the least sum of the distances of
    neighbours (`leaf_order.py` says what decides between equal ones). Stimuli whose similarities are undefined come
    last, in their own order.
    """

    name = "average-linkage"
    description = "average linkage with optimal leaf ordering"
    revision = 2  # 1 took SciPy's order of the leaves, which is not the best

    def order(self, similarity: Matrix, labels: Sequence[str | None]) -> NDArray[np.intp]:  # noqa: ARG002
        """The leaves from left to right; labels are not looked at."""
        from scipy.cluster.hierarchy import linkage
        from scipy.spatial.distance import squareform

        undefined = np.isnan(np.diagonal(similarity))
        live, last = np.flatnonzero(~undefined), np.flatnonzero(undefined)
        if len(live) < 3:
            return np.concatenate([live, last])
        distance = 1 - np.asarray(similarity, dtype=np.float64)[np.ix_(live, live)]
        distance = (distance + distance.T) / 2
        tree = linkage(squareform(distance, checks=False), method="average")
        return np.concatenate([live[find_leaf_order(distance, tree)], last])


class LabelReorderer(Reorderer):
    """By label, alphabetically; stimuli of the same label keep their order, those without one come last."""

    name = "label"
    description = "by label; same labels keep their order"

    def order(self, similarity: Matrix, labels: Sequence[str | None]) -> NDArray[np.intp]:
        """A stable sort; the matrix is not looked at."""
        if not any(label is not None for label in labels):
            raise InputError("the stimuli have no labels to order them by")
        keys = [(label is None, label or "") for label in labels]
        return np.array(sorted(range(len(similarity)), key=keys.__getitem__), dtype=np.intp)


class UnchangedReorderer(Reorderer):
    """The order in which the stimuli came."""

    name = "none"
    description = "the order in which the stimuli came"

    def order(self, similarity: Matrix, labels: Sequence[str | None]) -> NDArray[np.intp]:  # noqa: ARG002
        """0 to n - 1."""
        return np.arange(len(similarity))


@hookimpl
def register_reorderers() -> Sequence[Reorderer]:
    """The built-in reorderers."""
    return [AverageLinkageReorderer(), LabelReorderer(), UnchangedReorderer()]
