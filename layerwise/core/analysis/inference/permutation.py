"""The Mantel test: could two layers be this alike if the stimuli of one had nothing to do with those of the other?

The stimuli of the row's layer are permuted, rows and columns together (Mantel 1967), which keeps the structure
within each layer and breaks the tie between them. Permuting single pairs would not: pairs share stimuli.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from layerwise.core.analysis.inference.correction import PValues
from layerwise.core.analysis.inference.replicates import Values
from layerwise.core.history.intervals import Alternative


def permutation_p(
    estimate: Values, permuted: Values, kind: Literal["similarity", "distance"], alternative: Alternative = "alike"
) -> PValues:
    """p-values (1 + count) / (1 + N): the arrangement as it is counts as one of the permutations.

    Args:
        estimate: (...); the measure as it is.
        permuted: (N, ...); with the stimuli of one layer permuted.
        kind: Whether larger values mean more alike, or less.
        alternative: `alike` counts permutations that make the layers at least as alike. `two-sided` also asks
            whether they are less alike than chance: twice the smaller of the two p-values.

    Returns:
        (...); NaN where the measure or one of its permutations is undefined.
    """
    slack = 1e-6 * np.maximum(np.abs(estimate), 1e-6)  # rounding must not make an equal value smaller
    p_high = (1 + (permuted >= estimate - slack).sum(axis=0)) / (1 + len(permuted))
    p_low = (1 + (permuted <= estimate + slack).sum(axis=0)) / (1 + len(permuted))
    one_sided = p_high if kind == "similarity" else p_low
    p = one_sided if alternative == "alike" else np.minimum(1.0, 2 * np.minimum(p_high, p_low))
    defined = np.isfinite(estimate) & np.isfinite(permuted).all(axis=0)
    return np.where(defined, p, np.nan)
