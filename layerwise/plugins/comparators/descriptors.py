"""Comparing one number a layer: how concentric, how uniform, how large its cloud of stimuli is.

These say little about which stimuli a layer finds alike, and are quick to tell that two layers differ. Names and
definitions as among the descriptive statistics of Klabunde et al. 2025, "Similarity of Neural Network Models", ACM
Computing Surveys, and as in the code of their benchmark ReSi.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.host.kinds import Comparator
from layerwise.core.network.representation import Representation
from layerwise.core.network.resolution import SURE

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Described:
    """A layer's number, and the standard deviation of its error."""

    value: float
    error: float


class _DescriptorDifference(Comparator):
    """Base: the absolute difference of a number."""

    kind = "distance"
    symmetric = True
    threaded = True

    def compare(self, first: Described, second: Described) -> float:
        """The absolute difference."""
        return abs(first.value - second.value)

    def compare_all(self, rows: Sequence[Described], columns: Sequence[Described]) -> Vector:
        """All absolute differences."""
        values = [np.array([item.value for item in items]) for items in (rows, columns)]
        differences: Vector = np.subtract.outer(*values)
        return np.abs(differences)

    def error(self, value: float, first: Described, second: Described) -> float:
        """Of a difference."""
        del value
        return math.hypot(first.error, second.error)


@dataclass(frozen=True, eq=False)
class _MeanStimulus:
    """The mean stimulus as it follows from distances and lengths.

    Attributes:
        square: Its squared length, 0 where that may be nothing but error.
        error: The standard deviation of the error of that.
        squared_distances: (n,); of each stimulus from it.
    """

    square: float
    error: float
    squared_distances: Vector


def _find_mean(representation: Representation) -> _MeanStimulus:
    """|xbar|^2 is the mean of |x|^2 less that of |x - xbar|^2, which follows from distances."""
    lengths = representation.length
    squared = representation.squared_distances()
    across = squared.mean(axis=1)
    from_mean = across - across.mean() / 2
    square = float(np.mean(lengths**2) - from_mean.mean())
    error = float(np.sqrt(np.sum((2 * lengths * representation.length_errors) ** 2))) / len(lengths)
    return _MeanStimulus(square if square > SURE * error else 0.0, error, np.maximum(from_mean, 0))


class ConcentricityDifference(_DescriptorDifference):
    """Difference of concentricity, the mean cosine between a stimulus and the mean stimulus (Wang et al. 2022).

    | mean_i cos(x_i, xbar) - mean_i cos(y_i, ybar) |, from 1 - cos, of which there is little where all stimuli are
    nearly the same.
    """

    name = "concentricity-difference"
    description = "difference of the mean cosine between stimuli and their mean"
    value_range = (0.0, 2.0)
    invariant_to = frozenset({"orthogonal", "isotropic-scaling", "stimulus-permutation"})

    def prepare(self, representation: Representation) -> Described:
        """One minus the concentricity.

        Raises:
            InputError: If a stimulus, or the mean stimulus, has activations of zeros.
        """
        lengths = representation.length
        n_zero = int((lengths == 0).sum())
        if n_zero:
            raise InputError(f"{n_zero} of {len(lengths)} stimuli have activations of zeros, which have no direction")
        middle = _find_mean(representation)
        if not middle.square > 0:
            raise InputError(
                "the mean activation is zero, as far as the layer's resolution tells, which has no direction"
            )
        length = math.sqrt(middle.square)
        apart = (middle.squared_distances - (lengths - length) ** 2) / (2 * lengths * length)
        slopes = (lengths - length) / (lengths * length)
        off = math.sqrt(float(np.sum((slopes * representation.length_errors) ** 2))) / len(lengths)
        shift = middle.error / (2 * length) * abs(float(np.mean(slopes - apart / length)))
        return Described(float(apart.mean()), math.hypot(off, shift))


class UniformityDifference(_DescriptorDifference):
    """Difference of uniformity, log (1 / n^2 sum_ij e^(-2 |x_i - x_j|^2)) (Wang and Isola 2020, ICML).

    Made for activations of length 1: of larger ones nothing but the diagonal counts, and every layer has -log n.
    """

    name = "uniformity-difference"
    description = "difference of uniformity, the log mean of exp(-2 squared distance)"
    value_range = (0.0, None)
    invariant_to = frozenset({"orthogonal", "translation", "stimulus-permutation"})

    def prepare(self, representation: Representation) -> Described:
        """The uniformity."""
        squared = representation.squared_distances()
        lost = np.expm1(-2 * squared)
        mean = float(lost.mean())
        errors = 2 * (1 + lost) * representation.squared_distance_errors()
        off = math.sqrt(2 * float(np.einsum("ij,ij", errors, errors))) / errors.size  # each pair is there twice
        return Described(math.log1p(mean), off / (1 + mean))

    def warn(self, representation: Representation, state: Described) -> str:
        """Where stimuli are too far apart for it."""
        if state.value > -math.log(representation.n_stimuli) + 1e-6:
            return ""
        return "its stimuli are so far apart that only the diagonal counts: it is as uniform as can be"


class MagnitudeDifference(_DescriptorDifference):
    """Difference of magnitude, the length of the mean stimulus: | |xbar| - |ybar| | (Wang et al. 2022)."""

    name = "magnitude-difference"
    description = "difference of the length of the mean activation"
    value_range = (0.0, None)
    invariant_to = frozenset({"orthogonal", "stimulus-permutation"})

    def prepare(self, representation: Representation) -> Described:
        """The length of the mean activation."""
        middle = _find_mean(representation)
        if not middle.square > 0:
            return Described(0.0, math.sqrt(middle.error))
        length = math.sqrt(middle.square)
        return Described(length, middle.error / (2 * length))
