"""Comparing one number a layer: how concentric, how uniform, how large its cloud of stimuli is.

These say little about which stimuli a layer finds alike, and are quick to tell that two layers differ. Names and
definitions as among the descriptive statistics of Klabunde et al. 2025, "Similarity of Neural Network Models", ACM
Computing Surveys, and as in the code of their benchmark ReSi.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.host.kinds import Comparator
from layerwise.core.network.representation import Representation


class _DescriptorDifference(Comparator):
    """Base: the absolute difference of a number."""

    kind = "distance"
    symmetric = True
    threaded = True

    def compare(self, first: float, second: float) -> float:
        """The absolute difference."""
        return abs(first - second)

    def compare_all(self, rows: Sequence[float], columns: Sequence[float]) -> NDArray[np.float64]:
        """All absolute differences."""
        differences: NDArray[np.float64] = np.subtract.outer(np.asarray(rows), np.asarray(columns))
        return np.abs(differences)


class ConcentricityDifference(_DescriptorDifference):
    """Difference of concentricity, the mean cosine between a stimulus and the mean stimulus (Wang et al. 2022).

    | mean_i cos(x_i, xbar) - mean_i cos(y_i, ybar) |.
    """

    name = "concentricity-difference"
    description = "difference of the mean cosine between stimuli and their mean"
    value_range = (0.0, 2.0)
    invariant_to = frozenset({"orthogonal", "isotropic-scaling", "stimulus-permutation"})

    def prepare(self, representation: Representation) -> float:
        """The concentricity.

        Raises:
            InputError: If a stimulus, or the mean stimulus, has activations of zeros.
        """
        gram = representation.gram()
        lengths, to_mean = np.sqrt(np.diagonal(gram)), gram.mean(axis=1)
        n_zero = int((lengths == 0).sum())
        if n_zero:
            raise InputError(f"{n_zero} of {len(gram)} stimuli have activations of zeros, which have no direction")
        squared = float(to_mean.mean())
        if squared <= 1e-14 * float((lengths**2).mean()):
            raise InputError("the mean activation is zero, which has no direction")
        return float((to_mean / lengths).mean() / math.sqrt(squared))


class UniformityDifference(_DescriptorDifference):
    """Difference of uniformity, log (1 / n^2 sum_ij e^(-2 |x_i - x_j|^2)) (Wang and Isola 2020, ICML).

    Made for activations of length 1: of larger ones nothing but the diagonal counts, and every layer has -log n.
    """

    name = "uniformity-difference"
    description = "difference of uniformity, the log mean of exp(-2 squared distance)"
    value_range = (0.0, None)
    invariant_to = frozenset({"orthogonal", "translation", "stimulus-permutation"})

    def prepare(self, representation: Representation) -> float:
        """The uniformity."""
        return math.log(float(np.exp(-2 * representation.squared_distances()).mean()))

    def warn(self, representation: Representation, state: float) -> str:
        """Where stimuli are too far apart for it."""
        if state > -math.log(representation.n_stimuli) + 1e-6:
            return ""
        return "its stimuli are so far apart that only the diagonal counts: it is as uniform as can be"


class MagnitudeDifference(_DescriptorDifference):
    """Difference of magnitude, the length of the mean stimulus: | |xbar| - |ybar| | (Wang et al. 2022)."""

    name = "magnitude-difference"
    description = "difference of the length of the mean activation"
    value_range = (0.0, None)
    invariant_to = frozenset({"orthogonal", "stimulus-permutation"})

    def prepare(self, representation: Representation) -> float:
        """The length of the mean activation."""
        return math.sqrt(max(float(representation.gram().mean()), 0.0))
