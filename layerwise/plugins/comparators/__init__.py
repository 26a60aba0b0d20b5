"""Comparators: how alike two layers' representations of the same stimuli are. One module a family."""

from __future__ import annotations

from collections.abc import Sequence

from layerwise.core.host.hookspecs import hookimpl
from layerwise.core.host.kinds import Comparator
from layerwise.plugins.comparators import (
    cca,
    cka,
    descriptors,
    distances,
    kendall,
    neighbours,
    prediction,
    rsa,
    shapes,
    subspaces,
)


@hookimpl
def register_comparators() -> Sequence[Comparator]:
    """The built-in comparators."""
    return [
        rsa.PearsonRsa(),
        rsa.SpearmanRsa(),
        kendall.KendallRsa(),
        rsa.RhoARsa(),
        rsa.CosineRsa(),
        cka.LinearCka(),
        cka.DebiasedCka(),
        cka.RbfCka(),
        cka.Rv2(),
        cca.Svcca(),
        cca.Pwcca(),
        cca.SymmetricPwcca(),
        cca.MeanCca(),
        shapes.Procrustes(),
        shapes.AngularProcrustes(),
        shapes.Bures(),
        neighbours.MutualKnn(),
        neighbours.CycleKnn(),
        neighbours.Cknna(),
        neighbours.Jaccard(),
        neighbours.RankSimilarity(),
        neighbours.SecondOrderCosine(),
        prediction.LinearPredictivity(),
        subspaces.EigenspaceOverlap(),
        subspaces.Gulp(),
        distances.DistanceCorrelation(),
        distances.RsmNormDifference(),
        distances.Imd(),
        descriptors.ConcentricityDifference(),
        descriptors.UniformityDifference(),
        descriptors.MagnitudeDifference(),
    ]
