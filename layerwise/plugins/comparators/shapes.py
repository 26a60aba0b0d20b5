"""Procrustes and its relatives: how far apart two layers are once one is rotated on the other.

All follow from tr K, tr L and the nuclear norm |X'Y|_*, columns centred. With K = F F' and L = G G', it is the sum of
the singular values of F'G, with F and G prepared once a layer.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layerwise.core.host.kinds import Comparator
from layerwise.core.network.representation import Representation
from layerwise.plugins.comparators.spectra import find_spectrum, singular_values

Vector = NDArray[np.float64]
_RIGID = frozenset({"orthogonal", "translation", "stimulus-permutation"})


@dataclass(frozen=True, eq=False)
class Shape:
    """A layer's stimuli along its directions, (n, r), and the sum of their squares."""

    points: Vector
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

    def compare(self, first: Shape, second: Shape) -> float:
        """The distance of one pair."""
        return float(self.compare_pairs([first], [second])[0])

    def compare_pairs(self, firsts: Sequence[Shape], seconds: Sequence[Shape]) -> Vector:
        """The distance of each pair, from the nuclear norm |X'Y|_*: what the best rotation makes of X'Y."""
        nuclear = np.array([first.square for first in firsts])  # as it is of a layer with itself
        others = [index for index, pair in enumerate(zip(firsts, seconds, strict=True)) if pair[0] is not pair[1]]
        if others:
            ends = ([ends[index].points for index in others] for ends in (firsts, seconds))
            nuclear[others] = singular_values(*ends).sum(axis=1)
        pairs = zip(firsts, seconds, nuclear, strict=True)
        return np.array([self.read(first.square, second.square, float(norm)) for first, second, norm in pairs])

    @abstractmethod
    def read(self, first: float, second: float, nuclear: float) -> float:
        """The distance from |X|_F^2, |Y|_F^2 and |X'Y|_*."""


class Procrustes(_ShapeComparator):
    """Orthogonal Procrustes distance, squared: |X|_F^2 + |Y|_F^2 - 2 |X'Y|_* = min_Q |X - YQ|_F^2.

    Columns centred, neither layer scaled (Schoenemann 1966; Ding, Denain and Steinhardt 2021, NeurIPS, who scale
    both to length 1: that is 2 - 2 cos of `angular-procrustes`). Layers of different scale are far apart.
    """

    name = "procrustes"
    description = "orthogonal Procrustes distance, squared and unscaled"
    value_range = (0.0, None)
    invariant_to = _RIGID

    def read(self, first: float, second: float, nuclear: float) -> float:
        """The squared distance after the best rotation."""
        return max(first + second - 2 * nuclear, 0.0)


class AngularProcrustes(_ShapeComparator):
    """Angular shape distance: arccos(|X'Y|_* / (|X|_F |Y|_F)) in radians; a metric (Williams et al. 2021)."""

    name = "angular-procrustes"
    description = "angular shape distance, in radians"
    value_range = (0.0, math.pi / 2)
    invariant_to = _RIGID | {"isotropic-scaling"}

    def read(self, first: float, second: float, nuclear: float) -> float:
        """The angle."""
        return math.acos(min(max(nuclear / math.sqrt(first * second), 0.0), 1.0))


class Bures(_ShapeComparator):
    """Bures distance of the centred Gram matrices: sqrt(tr K + tr L - 2 tr (K^1/2 L K^1/2)^1/2).

    A metric on positive semi-definite matrices (Bhatia, Jain and Lim 2019), and the same as the Procrustes
    size-and-shape distance: the root of `procrustes` (Harvey, Lipshutz and Williams 2024).
    """

    name = "bures"
    description = "Bures distance of the centred Gram matrices: the root of procrustes"
    value_range = (0.0, None)
    invariant_to = _RIGID

    def read(self, first: float, second: float, nuclear: float) -> float:
        """The distance."""
        return math.sqrt(max(first + second - 2 * nuclear, 0.0))
