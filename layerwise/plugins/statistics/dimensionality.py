"""How many dimensions a layer's representation of the stimuli fills."""

from __future__ import annotations

import math

import numpy as np

from layerwise.core.host.kinds import RepresentationStatistic, StatisticValue
from layerwise.core.network.matrices.pairs import Pairs
from layerwise.core.network.representation import Representation
from layerwise.plugins.statistics.usable import keep_finite

ALL_EQUAL = "all stimuli have the same activations"


class ParticipationRatioStatistic(RepresentationStatistic):
    """Participation ratio (sum l)^2 / sum l^2, l the eigenvalues of the covariance between units.

    The non-zero eigenvalues are those of the Gram matrix K of the column-centred activations, so it is
    tr(K)^2 / |K|_F^2, and no eigenvalue has to be found (Gao et al. 2017). Between 1 and n - 1.
    """

    name = "participation-ratio"
    description = "participation ratio: the effective number of dimensions, at most n - 1"
    unit = "dimensions"
    panelled = True
    landmarked = True

    def compute(self, representation: Pairs) -> StatisticValue:
        """Stimuli whose activations are not finite are left out, which is noted; constant ones are not."""
        usable, note = keep_finite(representation)
        trace, squared = usable.centred_sums
        if usable.n_stimuli < 2 or squared <= (2 * usable.gram_error) ** 2:
            return StatisticValue(None, ALL_EQUAL)
        return StatisticValue(trace**2 / squared, note)


class EffectiveRankStatistic(RepresentationStatistic):
    """Effective rank exp(-sum p log p), p the singular values of the activations over their sum.

    Of the activations with each unit centred over stimuli, whose singular values are the roots of the
    eigenvalues of the column-centred Gram matrix (Roy and Vetterli 2007). Between 1 and n - 1, and never
    smaller than the participation ratio, which squares what this takes the root of.
    """

    name = "effective-rank"
    description = "effective rank: exp of the entropy of the normalised singular values, at most n - 1"
    unit = "dimensions"
    cubic = True

    def compute(self, representation: Representation) -> StatisticValue:
        """Eigenvalues that are nothing but rounding are left out; stimuli that are not finite too, which is noted."""
        usable, note = keep_finite(representation)
        values = usable.spectrum
        if not len(values):
            return StatisticValue(None, ALL_EQUAL)
        shares = np.sqrt(values / values[0])
        shares /= shares.sum()
        return StatisticValue(math.exp(-float((shares * np.log(shares)).sum())), note)


STATISTICS: tuple[type[RepresentationStatistic], ...] = (ParticipationRatioStatistic, EffectiveRankStatistic)
