"""How much two layers' spaces of linear readouts have in common: eigenspace overlap, and GULP.

Both compare the n x n operators that project the stimuli's targets on what each layer can express: sharply, or with a
ridge penalty. An operator a layer, and a product for all pairs.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.parameters import Parameter
from layerwise.core.host.kinds import Comparator
from layerwise.core.network.representation import Representation
from layerwise.plugins.comparators.spectra import RANK, find_spectrum, variance_parameter
from layerwise.plugins.comparators.vectors import flatten

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Operator:
    """A layer's operator.

    Attributes:
        flat: The symmetric (n, n) operator as a vector with the same inner products.
        rank: How many directions it keeps.
        n_dimensions: How many there can be.
    """

    flat: Vector
    rank: int
    n_dimensions: int

    @property
    def square(self) -> float:
        """Its squared Frobenius norm."""
        return float(np.einsum("i,i", self.flat, self.flat))


class _OperatorComparator(Comparator):
    """Base: something of the inner product of two operators."""

    symmetric = True
    threaded = True

    def compare(self, first: Operator, second: Operator) -> float:
        """The measure for one pair."""
        return float(self.compare_all([first], [second])[0, 0])

    def compare_all(self, rows: Sequence[Operator], columns: Sequence[Operator]) -> Vector:
        """All pairs with one product."""
        left = np.stack([row.flat for row in rows])
        right = left if rows is columns else np.stack([column.flat for column in columns])
        return self.read(left @ right.T, rows, columns)

    @abstractmethod
    def read(self, products: Vector, rows: Sequence[Operator], columns: Sequence[Operator]) -> Vector:
        """The measure from the inner products."""


class EigenspaceOverlap(_OperatorComparator):
    """|U'V|_F^2 / max(r_1, r_2), U and V the left singular vectors of the activations (May et al. 2019, NeurIPS).

    Columns are not centred. r is the rank of each layer: the number of units, which May et al. divide by, wherever
    units are linearly independent.
    """

    name = "eigenspace-overlap"
    description = "eigenspace overlap: shared share of the spaces that two layers' units span"
    kind = "similarity"
    value_range = (0.0, 1.0)
    invariant_to = frozenset({"orthogonal", "isotropic-scaling", "invertible-linear", "stimulus-permutation"})
    parameters = (variance_parameter(1.0), RANK)

    def prepare(self, representation: Representation) -> Operator:
        """The projector on the space that the layer's units span."""
        variance, rank = self.settings["variance"], self.settings["rank"]
        spectrum = find_spectrum(representation, self.name, variance, rank, centred=False)
        return Operator(flatten(spectrum.vectors @ spectrum.vectors.T), spectrum.rank, spectrum.n_dimensions)

    def read(self, products: Vector, rows: Sequence[Operator], columns: Sequence[Operator]) -> Vector:
        """Over the larger rank."""
        ranks = np.maximum.outer([row.rank for row in rows], [column.rank for column in columns])
        return np.clip(products / ranks, 0, 1)

    def warn(self, representation: Representation, state: Operator) -> str:
        """Where overlap comes from counting directions."""
        del representation
        if 2 * state.rank <= state.n_dimensions:
            return ""
        spanned = f"{state.rank} of {state.n_dimensions} dimensions"
        return f"its units span {spanned}, so two such layers overlap by counting alone"


class Gulp(_OperatorComparator):
    """GULP: how differently ridge regressions on two layers predict (Boix-Adsera et al. 2022, NeurIPS).

    tr (S_X S_X^-l)^2 + tr (S_Y S_Y^-l)^2 - 2 tr (S_X^-l S_XY S_Y^-l S_YX), S covariances with 1/n, S^-l = (S + l
    I)^-1, columns centred and scaled so that tr S = 1: the square of the published distance, as its authors' code
    gives it. Equal to |P_X - P_Y|_F^2 with P = K (K + n l I)^-1. With l = 0 it depends on canonical correlations
    only, and is 0 between layers with as many units as there are stimuli.
    """

    name = "gulp"
    description = "GULP: difference between ridge predictions from two layers (squared distance)"
    kind = "distance"
    value_range = (0.0, None)
    invariant_to = frozenset({"orthogonal", "isotropic-scaling", "translation", "stimulus-permutation"})
    parameters = (Parameter("penalty", 0.01, "the ridge penalty l, of the total variance", minimum=0.0),)

    def prepare(self, representation: Representation) -> Operator:
        """The ridge regression's hat matrix."""
        spectrum = find_spectrum(representation, self.name)
        variances = spectrum.values / spectrum.values.sum()
        shrunk = variances / (variances + self.settings["penalty"])
        hat = (spectrum.vectors * shrunk) @ spectrum.vectors.T
        return Operator(flatten(hat), spectrum.rank, spectrum.n_dimensions)

    def read(self, products: Vector, rows: Sequence[Operator], columns: Sequence[Operator]) -> Vector:
        """Squared distance between the hat matrices."""
        squares = np.add.outer([row.square for row in rows], [column.square for column in columns])
        return np.clip(squares - 2 * products, 0, None)

    def warn(self, representation: Representation, state: Operator) -> str:
        """Without a penalty, where every layer can predict everything."""
        del representation
        if self.settings["penalty"] > 0 or state.rank < state.n_dimensions:
            return ""
        return "it can express every target, so without a penalty it is like any other such layer; set `penalty`"
