"""Comparators whose whole comparison is an inner product of one vector a layer.

All of the work is in the vector; then a layer x layer matrix is one product of matrices.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.host.kinds import Comparator
from layerwise.core.network.representation import Representation, strict_upper
from layerwise.core.network.resolution import SURE

Vector = NDArray[np.float64]
_NOTHING = 2.0  # times the error that is to be expected: a vector no longer than that may be error alone


class CosineComparator(Comparator):
    """Base: the cosine between what two layers are boiled down to."""

    kind = "similarity"
    symmetric = True
    threaded = True
    nothing: ClassVar[str] = "the layer makes no difference between stimuli"
    """What is so where the vector is zero, or nothing but error."""
    is_vector_cosine: ClassVar[bool] = False
    """Whether the value is the cosine itself, so that other layers can be taken out of it."""
    moves_with_stimuli: ClassVar[bool] = False
    """Whether the vector is a matrix as `flatten` has it, whose rows and columns move when stimuli are permuted."""

    @abstractmethod
    def vector(self, representation: Representation) -> Vector:
        """What is compared, of any length but the same for all layers of as many stimuli; not all zeros.

        Raises:
            InputError: If the measure is undefined for the layer.
        """

    def prepare(self, representation: Representation) -> Vector:
        """The vector, of length 1."""
        vector = self.vector(representation)
        length = math.sqrt(float(np.einsum("i,i", vector, vector)))
        if length <= self.floor(representation):
            raise InputError(f"{self.name} is undefined: {self.nothing}, as far as its resolution tells")
        return vector / length

    def floor(self, representation: Representation) -> float:
        """How long the vector may be where it is nothing but error."""
        return _NOTHING * representation.gram_error

    def read(self, cosine: Vector) -> Vector:
        """The measure from cosines; an array of the same shape."""
        return np.clip(cosine, -1, 1)

    def compare(self, first: Vector, second: Vector) -> float:
        """The inner product."""
        return float(self.read(np.atleast_1d(first @ second))[0])

    def compare_all(self, rows: Sequence[Vector], columns: Sequence[Vector]) -> Vector:
        """All inner products at once."""
        left = np.stack(list(rows))
        return self.read(left @ (left if rows is columns else np.stack(list(columns))).T)


def flatten(matrix: NDArray[np.float64]) -> Vector:
    """A symmetric matrix as a vector with the same inner products: the diagonal, then sqrt(2) times the rest."""
    return np.concatenate([np.diagonal(matrix), math.sqrt(2) * strict_upper(matrix)])


def centred_gram(representation: Representation, owner: str, n_least: int = 3) -> NDArray[np.float64]:
    """H K H, the Gram matrix of the activations with each unit centred on its mean over stimuli.

    A stimulus with constant activations is a vector like any other here, so nothing is left out.

    Raises:
        InputError: If there are fewer stimuli than `n_least`, or the layer does the same with all of them.
    """
    if representation.n_stimuli < n_least:
        raise InputError(f"{owner} needs at least {n_least} stimuli, here are {representation.n_stimuli}")
    gram = representation.column_centred_gram()
    size = float(np.trace(gram))
    if not size > 0:
        raise InputError(f"{owner} is undefined: all stimuli have the same activations")
    if size <= SURE**2 * float(representation.activation_noise @ representation.activation_noise):
        raise InputError(
            f"{owner} is undefined: the layer's resolution does not tell the stimuli's activations apart"
        )
    return gram
