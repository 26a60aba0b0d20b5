"""How much two layers' spaces of linear readouts have in common: eigenspace overlap, and GULP.

Both compare the n x n operators that project the stimuli's targets on what each layer can express: sharply, or with a
ridge penalty. An operator a layer, and a product for all pairs.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.parameters import Parameter
from layerwise.core.host.kinds import Comparator
from layerwise.core.network.representation import Representation
from layerwise.core.network.resolution import NOT_DETERMINED, SURE
from layerwise.plugins.comparators.spectra import RANK, Spectrum, find_spectrum, variance_parameter
from layerwise.plugins.comparators.vectors import flatten

Vector = NDArray[np.float64]
_ALIKE = 1e-4  # of the squares: what is left below this share of them has lost digits
_SHARP = 1e-3  # an operator that is off by less does not feel where its directions end


@dataclass(frozen=True, eq=False)
class Operator:
    """A layer's operator.

    Attributes:
        flat: The symmetric (n, n) operator as a vector with the same inner products.
        rank: How many directions it keeps.
        n_dimensions: How many there can be.
        blur: The length of its error.
        doubt: Why it is not determined which directions are kept.
    """

    flat: Vector
    rank: int
    n_dimensions: int
    blur: float = 0.0
    doubt: str = ""

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
    revision = 2  # 1 took other directions for nothing
    description = "eigenspace overlap: shared share of the spaces that two layers' units span"
    kind = "similarity"
    value_range = (0.0, 1.0)
    invariant_to = frozenset({"orthogonal", "isotropic-scaling", "invertible-linear", "stimulus-permutation"})
    parameters = (variance_parameter(1.0), RANK)

    def prepare(self, representation: Representation) -> Operator:
        """The projector on the space that the layer's units span."""
        variance, rank = self.settings["variance"], self.settings["rank"]
        if variance >= 1 and not rank:
            basis, doubt = find_span(representation, self.name)
        else:
            spectrum = find_spectrum(representation, self.name, variance, rank, centred=False)
            basis, doubt = spectrum.vectors, spectrum.doubt
        return Operator(flatten(basis @ basis.T), basis.shape[1], len(basis), doubt=doubt)

    def read(self, products: Vector, rows: Sequence[Operator], columns: Sequence[Operator]) -> Vector:
        """Over the larger rank."""
        ranks = np.maximum.outer([row.rank for row in rows], [column.rank for column in columns])
        return np.clip(products / ranks, 0, 1)

    def warn(self, representation: Representation, state: Operator) -> str:
        """Where overlap comes from counting directions, or it is not known which directions there are."""
        del representation
        if state.doubt:
            return state.doubt
        if 2 * state.rank <= state.n_dimensions:
            return ""
        spanned = f"{state.rank} of {state.n_dimensions} dimensions"
        return f"its units span {spanned}, so two such layers overlap by counting alone"


def find_span(representation: Representation, owner: str) -> tuple[Vector, str]:
    """Orthonormal columns that span what the layer's units span, (n, r), and why that is in doubt, if it is.

    From the directions U of the activations less the mean stimulus m, which are known however large m is. Where m is
    no combination of what stimuli differ by, its direction, the same for all stimuli, comes on top. Otherwise
    X = (I + 1 w') X_c with X_c = X - 1 m' and w'X_c = m', and the span is that of the columns u_k + 1 w'u_k.

    Raises:
        InputError: As `find_spectrum`.
    """
    spectrum = find_spectrum(representation, owner)
    along = representation.gram().mean(axis=0)
    square = float(along.mean())
    along -= square
    coefficients = spectrum.vectors.T @ along / spectrum.values
    left = square - float(coefficients**2 @ spectrum.values)
    off = float(np.mean((representation.length * representation.length_errors) ** 2))
    noise = representation.activation_noise
    allowed = 2 * np.sqrt(off * coefficients @ coefficients) + off * float((1 / spectrum.values).sum())
    allowed = SURE * (allowed + float(np.mean(noise**2)))
    n_stimuli = len(along)
    if left > allowed and spectrum.rank < representation.n_features:
        alike = np.full((n_stimuli, 1), 1 / np.sqrt(n_stimuli))
        return np.hstack([spectrum.vectors, alike]), spectrum.doubt
    basis = np.linalg.qr(spectrum.vectors + coefficients)[0]
    if spectrum.doubt or allowed < _SHARP * square or spectrum.rank == representation.n_features:
        return basis, spectrum.doubt
    return basis, f"its {NOT_DETERMINED}: whether the mean stimulus is a direction of its own is not known"


def _find_blur(representation: Representation, spectrum: Spectrum, penalty: float) -> float:
    """How far off a hat matrix K (K + c I)^-1 may be: sum_kl (E_kl c / ((l_k + c) (l_l + c)))^2, E errors of K.

    What is no direction counts as one with an eigenvalue of 0.
    """
    ridge = penalty * float(spectrum.values.sum())
    inverse = float((1 / (spectrum.values + ridge) ** 2).sum())
    inverse += (spectrum.n_dimensions - spectrum.rank) / ridge**2
    return representation.gram_error / max(representation.n_stimuli, 1) * ridge * inverse


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
        penalty = self.settings["penalty"]
        shrunk = variances / (variances + penalty)
        hat = (spectrum.vectors * shrunk) @ spectrum.vectors.T
        if not penalty:  # a projector, which is off by what its directions are
            return Operator(flatten(hat), spectrum.rank, spectrum.n_dimensions, 0.0, spectrum.doubt)
        blur = _find_blur(representation, spectrum, penalty)
        doubt = "" if blur < _SHARP else spectrum.doubt
        return Operator(flatten(hat), spectrum.rank, spectrum.n_dimensions, blur, doubt)

    def read(self, products: Vector, rows: Sequence[Operator], columns: Sequence[Operator]) -> Vector:
        """Squared distance between the hat matrices; where that is small, from their difference."""
        squares = np.add.outer([row.square for row in rows], [column.square for column in columns])
        found = squares - 2 * products
        for i, j in np.argwhere(found < _ALIKE * squares):
            apart = rows[i].flat - columns[j].flat
            found[i, j] = np.einsum("i,i", apart, apart)
        return np.asarray(found)

    def error(self, value: float, first: Operator, second: Operator) -> float:
        """That of a squared distance of operators that are each off by so much."""
        blur = math.hypot(first.blur, second.blur)
        aligned = blur / math.sqrt(len(first.flat))
        return 2 * math.sqrt(max(value, 0)) * aligned + blur**2

    def warn(self, representation: Representation, state: Operator) -> str:
        """Without a penalty, where every layer can predict everything, or directions are not known."""
        del representation
        if state.doubt:
            return state.doubt
        if self.settings["penalty"] > 0 or state.rank < state.n_dimensions:
            return ""
        return "it can express every target, so without a penalty it is like any other such layer; set `penalty`"
