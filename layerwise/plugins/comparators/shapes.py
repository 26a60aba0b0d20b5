"""Procrustes and its relatives: how far apart two layers are once one is rotated on the other.

All follow from tr K, tr L and the nuclear norm |X'Y|_*, columns centred. With K = F F' and L = G G', it is the sum of
the singular values of F'G, with F and G prepared once a layer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layerwise.core.kinds import Comparator
from layerwise.core.representation import Representation
from layerwise.plugins.comparators.spectra import find_spectrum, singular_values

_RIGID = frozenset({"orthogonal", "translation", "stimulus-permutation"})


@dataclass(frozen=True)
class Shape:
    """A layer's stimuli along its directions, (n, r), and the sum of their squares."""

    points: NDArray[np.float64]
    square: float


class _ShapeComparator(Comparator):
    """Base: a distance of two shapes."""

    kind = "distance"
    symmetric = True
    threaded = True

    def prepare(self, representation: Representation) -> Shape:
        """The layer's stimuli along its directions."""
        spectrum = find_spectrum(representation, self.name)
        return Shape(spectrum.factor, float(spectrum.values.sum()))


def overlap(first: Shape, second: Shape) -> float:
    """The nuclear norm |X'Y|_*: what the best rotation makes of the inner product."""
    if first is second:
        return first.square
    return float(singular_values(first.points.T @ second.points).sum())


class Procrustes(_ShapeComparator):
    """Orthogonal Procrustes distance, squared: |X|_F^2 + |Y|_F^2 - 2 |X'Y|_* = min_Q |X - YQ|_F^2.

    Columns centred, neither layer scaled (Schoenemann 1966; Ding, Denain and Steinhardt 2021, NeurIPS, who scale
    both to length 1: that is 2 - 2 cos of `angular-procrustes`). Layers of different scale are far apart.
    """

    name = "procrustes"
    description = "orthogonal Procrustes distance, squared and unscaled"
    value_range = (0.0, None)
    invariant_to = _RIGID

    def compare(self, first: Shape, second: Shape) -> float:
        """The squared distance after the best rotation."""
        return max(first.square + second.square - 2 * overlap(first, second), 0.0)


class AngularProcrustes(_ShapeComparator):
    """Angular shape distance: arccos(|X'Y|_* / (|X|_F |Y|_F)) in radians; a metric (Williams et al. 2021)."""

    name = "angular-procrustes"
    description = "angular shape distance, in radians"
    value_range = (0.0, math.pi / 2)
    invariant_to = _RIGID | {"isotropic-scaling"}

    def compare(self, first: Shape, second: Shape) -> float:
        """The angle."""
        cosine = overlap(first, second) / math.sqrt(first.square * second.square)
        return math.acos(min(max(cosine, 0.0), 1.0))


class Bures(_ShapeComparator):
    """Bures distance of the centred Gram matrices: sqrt(tr K + tr L - 2 tr (K^1/2 L K^1/2)^1/2).

    A metric on positive semi-definite matrices (Bhatia, Jain and Lim 2019), and the same as the Procrustes
    size-and-shape distance: the root of `procrustes` (Harvey, Lipshutz and Williams 2024).
    """

    name = "bures"
    description = "Bures distance of the centred Gram matrices: the root of procrustes"
    value_range = (0.0, None)
    invariant_to = _RIGID

    def compare(self, first: Shape, second: Shape) -> float:
        """The distance."""
        return math.sqrt(max(first.square + second.square - 2 * overlap(first, second), 0.0))
