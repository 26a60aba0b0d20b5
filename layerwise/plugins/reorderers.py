"""Reorderers: an order of the stimuli in which a matrix shows what it holds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.host.hookspecs import hookimpl
from layerwise.core.host.kinds import Matrix, Reorderer


class AverageLinkageReorderer(Reorderer):
    """Leaves of an average-linkage tree, so ordered that neighbours are as alike as the tree allows.

    Distance is 1 - similarity; the order of the leaves is optimal (Bar-Joseph, Gifford and Jaakkola 2001).
    Stimuli whose similarities are undefined come last, in their own order.
    """

    name = "average-linkage"
    description = "average linkage with optimal leaf ordering"

    def order(self, similarity: Matrix, labels: Sequence[str | None]) -> NDArray[np.intp]:  # noqa: ARG002
        """The leaves from left to right; labels are not looked at."""
        from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
        from scipy.spatial.distance import squareform

        undefined = np.isnan(np.diagonal(similarity))
        live, last = np.flatnonzero(~undefined), np.flatnonzero(undefined)
        if len(live) < 3:
            return np.concatenate([live, last])
        distance = 1 - np.asarray(similarity, dtype=np.float64)[np.ix_(live, live)]
        condensed = squareform((distance + distance.T) / 2, checks=False)
        tree = optimal_leaf_ordering(linkage(condensed, method="average"), condensed)
        return np.concatenate([live[leaves_list(tree)], last])


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
