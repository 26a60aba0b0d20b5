"""Procrustes and its relatives: how far apart two layers are once one is rotated on the other.

All follow from tr K, tr L and the nuclear norm |X'Y|_*, columns centred. With K = F F' and L = G G', it is the sum of
the singular values of F'G, with F and G prepared once a layer. Where layers are nearly the same, that sum is nearly
the mean of both traces; then the distance is what is left of F - G once they are rotated on each other, of which no
digit is lost.
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
from layerwise.plugins.comparators.spectra import Spectrum, find_spectrum, singular_values

Vector = NDArray[np.float64]
_RIGID = frozenset({"orthogonal", "translation", "stimulus-permutation"})
CHANCE_WORTH_A_WARNING = 0.5
_ALIKE = 0.02  # of the squares: what is left below this share of them has lost digits


@dataclass(frozen=True, eq=False)
class Shape:
    """A layer, prepared.

    Attributes:
        points: (n, r); its stimuli along its directions.
        square: The sum of their squares.
        blur: How far from itself the layer may be, as far as it is known.
        hidden: See `Spectrum`.
    """

    points: Vector
    square: float
    blur: float
    hidden: float

    @property
    def scaled(self) -> Shape:
        """The same with a sum of squares of 1."""
        length = math.sqrt(self.square)
        return Shape(self.points / length, 1.0, self.blur / length, self.hidden / length)


class _ShapeComparator(Comparator):
    """Base: a function of the distance of two shapes."""

    kind = "distance"
    symmetric = True
    threaded = True

    def prepare(self, representation: Representation) -> Shape:
        """The layer's stimuli along its directions."""
        spectrum = find_spectrum(representation, self.name)
        blur = _find_blur(representation, spectrum)
        return Shape(spectrum.factor, float(spectrum.values.sum()), blur, spectrum.hidden)

    def compare(self, first: Shape, second: Shape) -> float:
        """The distance of one pair."""
        return float(self.compare_pairs([first], [second])[0])

    def compare_pairs(self, firsts: Sequence[Shape], seconds: Sequence[Shape]) -> Vector:
        """The distance of each pair, from the nuclear norm |X'Y|_*: what the best rotation makes of X'Y."""
        pairs = list(zip(firsts, seconds, strict=True))
        squares = np.zeros(len(pairs))  # as of a layer and itself
        others = [index for index, pair in enumerate(pairs) if pair[0] is not pair[1]]
        if others:
            ends = ([ends[index].points for index in others] for ends in (firsts, seconds))
            nuclear = singular_values(*ends).sum(axis=1)
            squares[others] = [
                find_square(*pairs[index], float(norm)) for index, norm in zip(others, nuclear, strict=True)
            ]
        return np.array([self.read(float(square)) for square in squares])

    @abstractmethod
    def read(self, square: float) -> float:
        """The measure from the squared distance after the best rotation."""

    def warn(self, representation: Representation, state: Shape) -> str:
        """Where an unrelated layer like this one would look near: few stimuli against many dimensions."""
        del representation
        chance = find_chance(state)
        if chance < CHANCE_WORTH_A_WARNING:
            return ""
        return (
            f"shape distances converge slowly in many dimensions: with {len(state.points)} stimuli an unrelated "
            f"layer like it would be aligned with it up to a cosine of {chance:.2f}; --calibrated takes that out"
        )

    def error(self, value: float, first: Shape, second: Shape) -> float:
        """What the layers may be from themselves, most of it at a right angle, and what directions may be hidden."""
        blur = math.hypot(first.blur, second.blur)
        n_stimuli = len(first.points)
        hidden = first.hidden * math.sqrt(second.square / n_stimuli)
        hidden += second.hidden * math.sqrt(first.square / n_stimuli)
        aligned = blur / math.sqrt(max(first.points.size, second.points.size))
        return 2 * math.sqrt(max(value, 0)) * aligned + blur**2 + hidden


def find_square(first: Shape, second: Shape, nuclear: float) -> float:
    """The squared distance of two shapes after the best rotation: |F|^2 + |G|^2 - 2 |F'G|_*."""
    square = first.square + second.square - 2 * nuclear
    if square > _ALIKE * (first.square + second.square):
        return square
    left, _, right = np.linalg.svd(first.points.T @ second.points)
    one, other = first.points @ left, second.points @ right.T
    n_common = min(one.shape[1], other.shape[1])
    apart = one[:, :n_common] - other[:, :n_common]
    rest = one[:, n_common:], other[:, n_common:]
    return float(sum(np.einsum("ij,ij", part, part) for part in (apart, *rest)))


def find_chance(shape: Shape) -> float:
    """|F'G|_* / (|F|_F |G|_F) of a layer F and itself with its stimuli permuted, G: what chance alone aligns.

    Few stimuli can be rotated on each other whatever they are, the better the more dimensions there are (Pospisil,
    Larsen, Harvey and Williams 2023). One permutation is enough: others differ by hundredths.
    """
    order = np.random.default_rng(0).permutation(len(shape.points))
    aligned = np.linalg.svd(shape.points.T @ shape.points[order], compute_uv=False)
    return float(aligned.sum() / shape.square) if shape.square > 0 else 0.0


def _find_blur(representation: Representation, spectrum: Spectrum) -> float:
    """How far a layer may be from itself: rounding of its activations, and what errors s of its Gram matrix do.

    The squared Bures distance of K and K + E is about sum_kl E_kl^2 / (l_k + l_l) / 2, l the eigenvalues.
    """
    entry = representation.gram_error / max(representation.n_stimuli, 1)
    inverse = 1 / np.add.outer(spectrum.values, spectrum.values)
    noise = representation.activation_noise
    return math.sqrt(entry**2 * float(inverse.sum()) / 2 + float(noise @ noise))


class Procrustes(_ShapeComparator):
    """Orthogonal Procrustes distance, squared: |X|_F^2 + |Y|_F^2 - 2 |X'Y|_* = min_Q |X - YQ|_F^2.

    Columns centred, neither layer scaled (Schoenemann 1966; Ding, Denain and Steinhardt 2021, NeurIPS, who scale
    both to length 1: that is 2 - 2 cos of `angular-procrustes`). Layers of different scale are far apart.
    """

    name = "procrustes"
    description = "orthogonal Procrustes distance, squared and unscaled"
    value_range = (0.0, None)
    invariant_to = _RIGID

    def read(self, square: float) -> float:
        """As it is."""
        return square


class AngularProcrustes(_ShapeComparator):
    """Angular shape distance: arccos(|X'Y|_* / (|X|_F |Y|_F)) in radians; a metric (Williams et al. 2021).

    2 arcsin(d / 2), d the distance of the layers scaled to length 1: an arccos near 1 would lose half of the digits.
    """

    name = "angular-procrustes"
    description = "angular shape distance, in radians"
    value_range = (0.0, math.pi / 2)
    invariant_to = _RIGID | {"isotropic-scaling"}

    def prepare(self, representation: Representation) -> Shape:
        """Scaled to length 1."""
        return super().prepare(representation).scaled

    def read(self, square: float) -> float:
        """The angle."""
        return 2 * math.asin(min(math.sqrt(max(square, 0) / 2), 1.0) / math.sqrt(2))

    def error(self, value: float, first: Shape, second: Shape) -> float:
        """That of a squared angle over twice the angle."""
        return super().error(value**2, first, second) / max(2 * value, math.hypot(first.blur, second.blur))


class Bures(_ShapeComparator):
    """Bures distance of the centred Gram matrices: sqrt(tr K + tr L - 2 tr (K^1/2 L K^1/2)^1/2).

    A metric on positive semi-definite matrices (Bhatia, Jain and Lim 2019), and the same as the Procrustes
    size-and-shape distance: the root of `procrustes` (Harvey, Lipshutz and Williams 2024).
    """

    name = "bures"
    description = "Bures distance of the centred Gram matrices: the root of procrustes"
    value_range = (0.0, None)
    invariant_to = _RIGID

    def read(self, square: float) -> float:
        """The root."""
        return math.sqrt(max(square, 0))

    def error(self, value: float, first: Shape, second: Shape) -> float:
        """That of the square over twice the root."""
        return super().error(value**2, first, second) / max(2 * value, math.hypot(first.blur, second.blur))
