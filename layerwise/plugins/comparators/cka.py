"""Centred kernel alignment and its relatives: the cosine between two layers' centred kernels.

Linear CKA with centred columns is the RV coefficient. As it is usually computed it is biased: the diagonals, which
are positive in every layer, make unrelated layers alike, the more the more dimensions they fill. The debiased
form and RV2 leave the diagonals out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.base.parameters import Parameter
from layerwise.core.network.matrices.pairs import Pairs
from layerwise.core.network.representation import Representation, strict_upper
from layerwise.core.network.resolution import SURE
from layerwise.plugins.comparators.panelled import KernelPanels, Means
from layerwise.plugins.comparators.vectors import CosineComparator, centred_gram, flatten
from layerwise.plugins.metrics import EuclideanMetric

Vector = NDArray[np.float64]
CHANCE_WORTH_A_WARNING = 0.2
_SHAPE = frozenset({"orthogonal", "isotropic-scaling", "translation", "stimulus-permutation"})


class LinearCka(KernelPanels, CosineComparator):
    """Linear CKA, biased: <HKH, HLH>_F / (|HKH|_F |HLH|_F), K = XX' and L = YY' (Kornblith et al. 2019, ICML).

    The same as |Y'X|_F^2 / (|X'X|_F |Y'Y|_F) with centred columns, and as the RV coefficient (Robert and Escoufier
    1976).
    """

    name = "cka"
    description = "linear CKA (the RV coefficient); biased by few stimuli, which cka-debiased is not"
    value_range = (0.0, 1.0)
    invariant_to = _SHAPE
    moves_with_stimuli = True
    is_vector_cosine = True
    panelled = True
    landmarked = True
    owner = "CKA"

    def check_sums(self, survey: Means, squared: float) -> str:
        """A warning where chance alone gives much, too.

        Raises:
            InputError: If it is nothing but error.
        """
        super().check_sums(survey, squared)
        return describe_chance(survey.trace**2 / squared, len(survey.across))

    def vector(self, representation: Representation) -> Vector:
        """The centred Gram matrix."""
        return flatten(centred_gram(representation, "CKA"))

    def read(self, cosine: Vector) -> Vector:
        """Two positive semi-definite matrices have no negative cosine."""
        return np.clip(cosine, 0, 1)

    def warn(self, representation: Representation, state: Vector) -> str:
        """Where an unrelated layer like this one would score high: few stimuli against many dimensions."""
        del representation
        return warn_of_chance(state)


def warn_of_chance(state: Vector) -> str:
    """A warning where chance alone gives much; `state` is a flattened kernel of length 1."""
    n_stimuli = round((np.sqrt(8 * len(state) + 1) - 1) / 2)
    return describe_chance(float(state[:n_stimuli].sum()) ** 2, n_stimuli)


def describe_chance(effective: float, n_stimuli: int) -> str:
    """The same, of a layer with so many effective dimensions: tr(K)^2 / |K|^2."""
    chance = effective / (n_stimuli - 1)
    if chance < CHANCE_WORTH_A_WARNING:
        return ""
    return f"biased by few stimuli: an unrelated layer like it would score {chance:.2f}; cka-debiased is not"


class DebiasedCka(KernelPanels, CosineComparator):
    """Linear CKA from the unbiased HSIC estimator (Song et al. 2012, JMLR 13; Nguyen et al. 2021, ICLR).

    HSIC_1(K, L) = [tr K~L~ + 1'K~1 1'L~1 / ((n-1)(n-2)) - 2 / (n-2) 1'K~L~1] / (n (n-3)), K~ and L~ with zero
    diagonals; HSIC_1(K, L) / sqrt(HSIC_1(K, K) HSIC_1(L, L)). Equal to the cosine of the U-centred matrices
    (Szekely and Rizzo 2014), which is how it is computed. About 0 for unrelated layers, and as often below as
    above.
    """

    name = "cka-debiased"
    nothing = "nothing remains off the diagonal once it is U-centred, as where all pairs are equally far apart"
    description = "linear CKA, debiased: 0 on average for unrelated layers"
    value_range = (-1.0, 1.0)
    invariant_to = _SHAPE
    corrects_few_units = True
    moves_with_stimuli = True
    is_vector_cosine = True
    panelled = True
    landmarked = True
    with_diagonal = False
    owner = "debiased CKA"
    n_least = 4

    def find_means(self, layer: Pairs) -> Vector:
        """U-centring: sums of the rows of H K H without its diagonal, which are less that diagonal."""
        across, n_stimuli = layer.centred_means, layer.n_stimuli
        diagonal = layer.deviation**2 - 2 * across + across.mean()
        sums = -diagonal / (n_stimuli - 2)
        return np.asarray(super().find_means(layer) + sums - sums.sum() / (2 * (n_stimuli - 1)))

    def vector(self, representation: Representation) -> Vector:
        """The U-centred Gram matrix.

        Raises:
            InputError: If there are fewer than four stimuli.
        """
        gram = centred_gram(representation, "debiased CKA", 4)
        n_stimuli = len(gram)
        np.fill_diagonal(gram, 0)
        sums = gram.sum(axis=0) / (n_stimuli - 2)
        gram += sums.sum() / (n_stimuli - 1) - sums[:, None] - sums[None, :]
        np.fill_diagonal(gram, 0)
        return flatten(gram)


class RbfCka(CosineComparator):
    """CKA with a Gaussian kernel: K_ij = exp(-d_ij^2 / (2 (sigma m)^2)), then as linear CKA (Kornblith et al. 2019).

    m is the median of the Euclidean distances d_ij of different stimuli (i < j), of an even number of pairs the mean
    of the middle two. The published notebook takes the root of the median square, of all i and j: it counts the zeros
    of the diagonal, and its kernel is a little narrower.
    """

    name = "cka-rbf"
    description = "CKA with a Gaussian kernel (biased); sigma times the median distance is its width"
    value_range = (0.0, 1.0)
    invariant_to = _SHAPE
    moves_with_stimuli = True
    is_vector_cosine = True
    revision = 2  # 1 took the root of the median square, which is another number where pairs are even in number
    parameters = (Parameter("sigma", 1.0, "the kernel's width over the median distance", 1e-3, 1e3),)

    def vector(self, representation: Representation) -> Vector:
        """The centred kernel.

        Raises:
            InputError: If more than half of the pairs have the same activations.
        """
        centred_gram(representation, "CKA")  # refuses what has no differences
        metric = EuclideanMetric()
        distances = metric.compute(representation)
        errors = strict_upper(metric.errors(representation, distances))
        median = float(np.median(strict_upper(distances)))
        if median <= SURE * float(np.median(errors)):
            raise InputError(
                "CKA's width is undefined: most pairs of stimuli have the same activations, as far as the layer's "
                "resolution tells"
            )
        kernel = np.exp(-0.5 * (distances / (self.settings["sigma"] * median)) ** 2)
        across = kernel.mean(axis=0)
        return flatten(kernel - across[:, None] - across[None, :] + across.mean())

    def read(self, cosine: Vector) -> Vector:
        """Two positive semi-definite matrices have no negative cosine."""
        return np.clip(cosine, 0, 1)

    def floor(self, representation: Representation) -> float:
        """The kernel's: of squared distances over sigma^2 times twice the mean square of the deviations."""
        width: float = 2 * self.settings["sigma"] ** 2 * float(np.mean(representation.deviation**2))
        return super().floor(representation) / width

    def warn(self, representation: Representation, state: Vector) -> str:
        """Where an unrelated layer like this one would score high."""
        del representation
        return warn_of_chance(state)


class Rv2(KernelPanels, CosineComparator):
    """The modified RV coefficient: <K~, L~>_F / (|K~|_F |L~|_F), K~ = HKH with a zero diagonal (Smilde et al. 2009).

    Bioinformatics 25:401-405. Negative for layers that contradict each other; about 0 for unrelated ones.
    """

    name = "rv2"
    description = "modified RV coefficient: linear CKA without the diagonals"
    value_range = (-1.0, 1.0)
    invariant_to = _SHAPE
    moves_with_stimuli = True
    is_vector_cosine = True
    panelled = True
    landmarked = True
    with_diagonal = False
    owner = "RV2"

    def vector(self, representation: Representation) -> Vector:
        """The centred Gram matrix with a zero diagonal."""
        gram = centred_gram(representation, "RV2")
        np.fill_diagonal(gram, 0)
        return flatten(gram)
