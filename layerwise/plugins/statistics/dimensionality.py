"""How many dimensions a layer's representation of the stimuli fills."""

from __future__ import annotations

import numpy as np

from layerwise.core.kinds import RepresentationStatistic, StatisticValue
from layerwise.core.representation import Representation


class ParticipationRatioStatistic(RepresentationStatistic):
    """Participation ratio (sum l)^2 / sum l^2, l the eigenvalues of the covariance between units.

    The non-zero eigenvalues are those of the Gram matrix K of the column-centred activations, so it is
    tr(K)^2 / |K|_F^2, and no eigenvalue has to be found (Gao et al. 2017). Between 1 and n - 1.
    """

    name = "participation-ratio"
    description = "participation ratio: the effective number of dimensions, at most n - 1"
    unit = "dimensions"

    def compute(self, representation: Representation) -> StatisticValue:
        """Stimuli whose activations are not finite are left out, which is noted; constant ones are not."""
        usable = np.flatnonzero(np.isfinite(representation.norm) & np.isfinite(representation.mean))
        n_left_out = representation.n_stimuli - len(usable)
        gram = (representation.take(usable) if n_left_out else representation).column_centred_gram()
        squared = float((gram**2).sum())
        if len(usable) < 2 or squared == 0:
            return StatisticValue(None, "all stimuli have the same activations")
        note = f"{n_left_out} stimuli have activations that are not finite and are left out" if n_left_out else ""
        return StatisticValue(float(np.trace(gram)) ** 2 / squared, note)


STATISTICS: tuple[type[RepresentationStatistic], ...] = (ParticipationRatioStatistic,)
