"""Canonical correlation: how well the directions of two layers can be turned into each other by linear maps.

With U and V the layers' kept directions (orthonormal columns in the space of stimuli), the canonical correlations are
the singular values of U'V. Where the directions kept of two layers together outnumber the n - 1 there are, some of
their correlations are 1 by counting alone; a layer with as many directions as that shares all of any other.
"""

from __future__ import annotations

import numpy as np

from layerwise.core.base.parameters import Parameter
from layerwise.core.host.kinds import Comparator
from layerwise.core.network.representation import Representation
from layerwise.plugins.comparators.spectra import (
    RANK,
    Spectrum,
    canonical_correlations,
    find_spectrum,
    variance_parameter,
)

_SHAPE = frozenset({"orthogonal", "isotropic-scaling", "translation", "stimulus-permutation"})
_PARALLEL = 1e-14  # squared sines that are nothing but rounding
_LINEAR = _SHAPE | {"invertible-linear"}


class Cca(Comparator):
    """Base: keep directions, then look at their canonical correlations."""

    kind = "similarity"
    symmetric = True
    value_range = (0.0, 1.0)
    threaded = True

    def prepare(self, representation: Representation) -> Spectrum:
        """The layer's directions, as many as are asked for."""
        settings = self.settings
        return find_spectrum(representation, self.name, settings["variance"], settings["rank"])

    def warn(self, representation: Representation, state: Spectrum) -> str:
        """Where correlations of 1 come from counting directions, or it is not known which directions there are."""
        del representation
        if state.doubt:
            return state.doubt
        if 2 * state.rank <= state.n_dimensions:
            return ""
        text = f"{state.rank} of the {state.n_dimensions} directions there can be are kept"
        if state.is_whole:
            return f"{text}, so every layer correlates with it perfectly"
        return f"{text}, so two such layers share some by counting alone; keep fewer (`--rank`, `--variance`)"


class Svcca(Cca):
    """SVCCA: the mean canonical correlation of the directions with 99 % of the variance (Raghu et al. 2017, NIPS).

    The cut is on squared singular values. The mean is over min(r_1, r_2) correlations, r the number of directions
    kept.
    """

    name = "svcca"
    description = "SVCCA: mean canonical correlation of the directions with 99 % of the variance"
    parameters = (variance_parameter(0.99), RANK)
    invariant_to = _SHAPE

    def compare(self, first: Spectrum, second: Spectrum) -> float:
        """Mean of the canonical correlations."""
        if first.is_whole or second.is_whole:
            return 1.0
        return float(canonical_correlations(first, second).mean())


class MeanCca(Svcca):
    """Mean canonical correlation of all directions (Hotelling 1936), the mean over the smaller layer's.

    Meaningless where a layer has as many units as there are stimuli: it is 1 then.
    """

    name = "cca-mean"
    description = "mean canonical correlation, of all directions"
    revision = 2  # 1 took other directions for nothing
    parameters = (variance_parameter(1.0), RANK)
    invariant_to = _LINEAR


class Pwcca(Cca):
    """Projection-weighted CCA: sum_i a_i rho_i / sum_i a_i, a_i how much of the first layer direction i carries.

    Of the first layer towards the second (Morcos, Raghu and Bengio 2018, NeurIPS). h_i are the first layer's
    canonical directions and rho_i their correlations. The weights are not the published ones: Morcos et al. sum
    |<h_i, x_j>| over the units x_j, and single units are no longer known to a representation. `variance` weights
    are a_i = sum_j <h_i, x_j>^2, `norm` weights their square root, to which the published ones are proportional for
    units in general position. `variance` is the default because it alone does not depend on which directions are
    picked among equal correlations.
    """

    name = "pwcca"
    revision = 2  # 1 took other directions for nothing
    description = "projection-weighted CCA, weighted by variance (single units are not kept)"
    symmetric = False
    parameters = (
        variance_parameter(1.0),
        RANK,
        Parameter("weights", "variance", "what a direction counts by", choices=("variance", "norm")),
    )
    invariant_to = _SHAPE

    def compare(self, first: Spectrum, second: Spectrum) -> float:
        """The weighted mean over the first layer's canonical directions."""
        if first.is_whole or second.is_whole:
            return 1.0
        n_rest = second.rest.shape[1]
        if self.settings["weights"] == "variance" and n_rest < first.rank:
            return _weigh_by_rest(first, second)
        product = first.vectors.T @ second.vectors
        squares, directions = np.linalg.eigh(product @ product.T)
        kept = min(product.shape)
        correlations = np.sqrt(np.clip(squares[-kept:], 0, 1))
        weights = first.values @ directions[:, -kept:] ** 2
        if self.settings["weights"] == "norm":
            weights = np.sqrt(weights)
        return float(weights @ correlations / weights.sum())


def _weigh_by_rest(first: Spectrum, second: Spectrum) -> float:
    """The mean weighted by variance, from the few directions of the first layer that the second does not keep all of.

    These are the left singular vectors of U'V*, V* what the second layer does not keep, and their singular values are
    the sines of the angles whose cosines are the correlations. All other directions have correlation 1, and what they
    weigh together is what is left of the first layer's variance.
    """
    product = first.vectors.T @ second.rest
    squares, turned = np.linalg.eigh(product.T @ product)
    squares, turned = squares[squares > _PARALLEL], turned[:, squares > _PARALLEL]
    weights = first.values @ (product @ turned) ** 2 / squares
    correlations = np.sqrt(np.clip(1 - squares, 0, 1))
    n_without = max(first.rank - second.rank, 0)  # directions that have no counterpart, with a sine of 1
    total = first.values.sum() - weights[len(weights) - n_without :].sum()
    counted = slice(0, len(weights) - n_without)
    return float(1 - weights[counted] @ (1 - correlations[counted]) / total)


class SymmetricPwcca(Pwcca):
    """The mean of projection-weighted CCA in both directions."""

    name = "pwcca-symmetric"
    description = "projection-weighted CCA weighted by variance, the mean of both directions"
    symmetric = True

    def compare(self, first: Spectrum, second: Spectrum) -> float:
        """Mean of both directions."""
        return (super().compare(first, second) + super().compare(second, first)) / 2
