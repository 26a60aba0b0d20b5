"""Statistics: what a layer's activations, its Gram matrix or a weight tensor look like, in a number each.

One module a family. A statistic that is undefined says why instead of giving a number; where only some
stimuli had to be left out, the number comes with a note that says how many.
"""

from __future__ import annotations

from collections.abc import Sequence

from layerwise.core.host.hookspecs import hookimpl
from layerwise.core.host.kinds import Statistic
from layerwise.plugins.statistics import (
    decov,
    dimensionality,
    intrinsic,
    moments,
    silence,
    similarity,
    sparseness,
    spectrum,
    weights,
)


@hookimpl
def register_statistics() -> Sequence[Statistic]:
    """The built-in statistics."""
    families = (moments, silence, sparseness, similarity, dimensionality, spectrum, intrinsic, decov, weights)
    return [statistic() for family in families for statistic in family.STATISTICS]
