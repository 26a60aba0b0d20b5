"""The noise ceiling of an area that several recordings have: how like it anything could be that knows it perfectly.

Nili et al. (2014), *A toolbox for representational similarity analysis*, PLOS Computational Biology 10: each
recording against the mean of all (an upper end, because it is in that mean), and against the mean of the others (a
lower end). Where the measure is a correlation of one number a pair of stimuli, the mean is that of the standardised
numbers z, and nothing but the correlations C of the recordings with each other is needed:

    corr(z_i, sum of z_j over j in S) = sum over j in S of C_ij / sqrt(sum over j, k in S of C_jk)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.inference.pairwise import PairwiseCorrelation
from layerwise.plugins.sections.recordings.queries import Area
from layerwise.report.content import ReportContext
from layerwise.report.queries import chosen_measure, compare

LEAST_RECORDINGS = 2


@dataclass(frozen=True)
class Ceiling:
    """Between which values the best possible network lies.

    Attributes:
        areas: The same area of each recording.
        low: Mean correlation of a recording with the mean of the others.
        high: Mean correlation of a recording with the mean of all.
    """

    areas: tuple[Area, ...]
    low: float
    high: float

    @property
    def name(self) -> str:
        """What the recordings call it."""
        return self.areas[0].own_name


def find_ceilings(context: ReportContext, areas: Sequence[Area]) -> list[Ceiling]:
    """The ceilings of all areas that two recordings or more have; none where the measure allows none."""
    if not isinstance(chosen_measure(context).comparator.offer, PairwiseCorrelation):
        return []
    shared: dict[str, list[Area]] = {}
    for area in areas:
        shared.setdefault(area.own_name, []).append(area)
    found = []
    for same in shared.values():
        if len(same) >= LEAST_RECORDINGS:
            low, high = measure_ceiling(compare(context, [area.address for area in same]))
            if np.isfinite([low, high]).all():
                found.append(Ceiling(tuple(same), low, high))
    return found


def measure_ceiling(correlations: NDArray[np.float64]) -> tuple[float, float]:
    """Both ends of the noise ceiling.

    Args:
        correlations: (n, n), of each recording with each, 1 on the diagonal.

    Returns:
        The lower and the upper end; NaN where recordings disagree so much that they have no mean.
    """
    n = len(correlations)
    everyone = np.ones((n, n))
    ends = []
    for chosen in (everyone - np.eye(n), everyone):
        together = (chosen * correlations).sum(axis=1)
        size = np.einsum("ij,jk,ik->i", chosen, correlations, chosen)
        with np.errstate(invalid="ignore", divide="ignore"):
            ends.append(float(np.mean(together / np.sqrt(np.where(size > 0, size, np.nan)))))
    return ends[0], ends[1]
