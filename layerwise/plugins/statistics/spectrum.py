"""How a layer's variance is spread over its principal components: the eigenspectrum, and how fast it decays.

The eigenvalues are those of the covariance between units, in order of size, over their sum. With n stimuli there are
at most n - 1; the last of them are always too small, because so few stimuli cannot show more dimensions.
"""

from __future__ import annotations

import numpy as np

from layerwise.core.host.kinds import RepresentationStatistic, StatisticValue
from layerwise.core.network.representation import Representation
from layerwise.plugins.statistics.dimensionality import ALL_EQUAL
from layerwise.plugins.statistics.usable import Vector, keep_finite

FIRST_RANK = 10
"""Where the power law is fitted from: what comes before is shaped by single strong components."""

LAST_RANK = 500
MIN_RANKS = 10


class EigenspectrumStatistic(RepresentationStatistic):
    """Eigenvalues of the covariance between units over their sum: the first as the value, all as the vector.

    Those of the column-centred Gram matrix H K H. Eigenvalues that are nothing but the rounding of stored
    correlations are left out, so the vector is as long as the rank that can be told, at most n - 1.
    """

    name = "eigenspectrum"
    description = "share of variance of the first principal component; all shares as the vector"
    cubic = True

    def compute(self, representation: Representation) -> StatisticValue:
        """Stimuli that are not finite are left out, which is noted."""
        usable, note = keep_finite(representation)
        values = usable.spectrum
        if not len(values):
            return StatisticValue(None, ALL_EQUAL)
        shares = values / values.sum()
        return StatisticValue(float(shares[0]), note, shares)


class PowerLawExponentStatistic(RepresentationStatistic):
    """Exponent alpha of the eigenspectrum's decay, l_k ~ k^-alpha (Stringer et al. 2019).

    Weighted least squares of log l_k on log k with weights 1/k, so that each octave of ranks counts alike, from rank
    10 to the smaller of 500 and half of the eigenvalues that there are: beyond, the spectrum of n stimuli falls off
    whatever the layer does. About 1 is where a code is as rich as it can be while still smooth. It is the plain
    spectrum, with no cross-validation over repeats, as networks have no noise. The vector is (first rank, last
    rank, R^2 of the fit), by which a spectrum that is no power law is known.
    """

    name = "power-law-exponent"
    description = "exponent of the eigenspectrum's decay, ranks 10 to half of the spectrum; vector: ranks, R^2"
    cubic = True

    def compute(self, representation: Representation) -> StatisticValue:
        """None with fewer than ten ranks to fit, for which 38 eigenvalues are needed."""
        usable, note = keep_finite(representation)
        values = usable.spectrum
        last = min(LAST_RANK, len(values) // 2)
        if last - FIRST_RANK + 1 < MIN_RANKS:
            needed = 2 * (FIRST_RANK + MIN_RANKS - 1)
            return StatisticValue(None, f"there are {len(values)} dimensions, and the fit needs {needed}")
        exponent, quality = fit_power_law(values, FIRST_RANK, last)
        return StatisticValue(exponent, note, np.array([FIRST_RANK, last, quality]))


def fit_power_law(values: Vector, first: int, last: int) -> tuple[float, float]:
    """Exponent and R^2 of l_k ~ k^-exponent over the ranks first..last, which count from 1 and are weighted by 1/k.

    Args:
        values: Eigenvalues, largest first, all positive.
        first: Rank of the first one that counts.
        last: Rank of the last one.
    """
    ranks = np.arange(first, last + 1, dtype=np.float64)
    weights = (1 / ranks) / (1 / ranks).sum()
    x, y = np.log(ranks), np.log(values[first - 1 : last])
    x, y = x - weights @ x, y - weights @ y
    slope = float((weights * x) @ y / ((weights * x) @ x))
    spread = float((weights * y) @ y)
    left = y - slope * x
    return -slope, 1 - float((weights * left) @ left) / spread if spread > 0 else 1.0


STATISTICS: tuple[type[RepresentationStatistic], ...] = (EigenspectrumStatistic, PowerLawExponentStatistic)
