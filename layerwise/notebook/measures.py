"""Every comparator as a function of two arrays: `lw.cka(X, Y)`.

    import layerwise as lw

    lw.cka(activations, others)                   # built-in comparators: a name each, hyphens as underscores
    lw.compare(activations, others, "my-measure") # any comparator that is installed

Rows are stimuli, the same ones in both arrays; whatever follows the first axis is units.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from layerwise.core.base.errors import InputError

if TYPE_CHECKING:
    from layerwise.core.base.parameters import Setting
    from layerwise.core.host.registry import Registry
    from layerwise.core.network.representation import Representation

MeasureFunction = Callable[..., float]

__all__ = [
    "MeasureWarning",
    "angular_procrustes",
    "bures",
    "cca_mean",
    "cka",
    "cka_debiased",
    "cka_rbf",
    "cknna",
    "compare",
    "concentricity_difference",
    "cycle_knn",
    "distance_correlation",
    "eigenspace_overlap",
    "gulp",
    "imd",
    "jaccard",
    "linear_predictivity",
    "magnitude_difference",
    "mutual_knn",
    "procrustes",
    "pwcca",
    "pwcca_symmetric",
    "rank_similarity",
    "rsa_cosine",
    "rsa_kendall",
    "rsa_pearson",
    "rsa_rho_a",
    "rsa_spearman",
    "rsm_norm_difference",
    "rv2",
    "second_order_cosine",
    "svcca",
    "uniformity_difference",
]


class MeasureWarning(UserWarning):
    """Why a number says little."""


def compare(
    first: ArrayLike,
    second: ArrayLike,
    measure: str = "rsa-pearson",
    *,
    metric: str | None = None,
    registry: Registry | None = None,
    **settings: Setting,
) -> float:
    """How alike two sets of activations are, of the same stimuli in the same order.

    Args:
        first: (n, ...); a row for each stimulus.
        second: (n, ...); the number of units may differ.
        measure: Name of a comparator; `layerwise plugins --hook comparators` lists them.
        metric: The metric whose matrices it compares, where it compares any.
        registry: What plugins offer; all that are installed if not given.
        settings: Values of the comparator's parameters.

    Raises:
        InputError: If the arrays are not of the same stimuli, not finite, or the measure is undefined for them.
        PluginError: If the comparator fails.

    Warns:
        MeasureWarning: Where the comparator says why the number means little.
    """
    from layerwise.core.analysis.measure import find_measure
    from layerwise.notebook.opening import all_plugins

    found = find_measure(registry or all_plugins(), measure, settings, metric)
    arrays = [_as_rows(values, which) for values, which in ((first, "first"), (second, "second"))]
    n_first, n_second = (len(array) for array in arrays)
    if n_first != n_second:
        raise InputError(f"the first array has {n_first} rows and the second {n_second}: one for each stimulus")
    sides = [_represent(array, which) for array, which in zip(arrays, ("first", "second"), strict=True)]
    states = [found.prepare(side) for side in sides]
    for which, side, state in zip(("first", "second"), sides, states, strict=True):
        remark = found.warn(side, state)
        if remark:
            warnings.warn(f"{which} array: {remark}", MeasureWarning, stacklevel=2)
    return found.compare(*states)


def _as_rows(values: ArrayLike, which: str) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError) as error:  # of tensors, each framework has its own
        raise InputError(f"the {which} array holds no numbers: {error}") from error
    if array.ndim < 2 or len(array) < 2 or not array.size:
        raise InputError(f"the {which} array has shape {array.shape}: (n, units) of at least two stimuli is expected")
    if not np.isfinite(array).all():
        row = int(np.argmin(np.isfinite(array.reshape(len(array), -1)).all(axis=1)))
        raise InputError(f"the {which} array: activations of stimulus {row} are not finite")
    return array.reshape(len(array), -1)


def _represent(array: np.ndarray[tuple[int, int], np.dtype[np.float64]], which: str) -> Representation:
    from layerwise.core.network.products import represent

    try:
        return represent(array)
    except InputError as error:
        raise InputError(f"the {which} array: {error}") from error


def _named(name: str) -> MeasureFunction:
    def measured(first: ArrayLike, second: ArrayLike, *, metric: str | None = None, **settings: Any) -> float:
        return compare(first, second, f"layerwise:{name}", metric=metric, **settings)

    measured.__name__ = measured.__qualname__ = name.replace("-", "_")
    measured.__doc__ = f"`{name}` of two arrays of activations; see `compare`, and docs/measures.md for the measure."
    return measured


rsa_pearson = _named("rsa-pearson")
rsa_spearman = _named("rsa-spearman")
rsa_kendall = _named("rsa-kendall")
rsa_rho_a = _named("rsa-rho-a")
rsa_cosine = _named("rsa-cosine")
cka = _named("cka")
cka_debiased = _named("cka-debiased")
cka_rbf = _named("cka-rbf")
rv2 = _named("rv2")
svcca = _named("svcca")
pwcca = _named("pwcca")
pwcca_symmetric = _named("pwcca-symmetric")
cca_mean = _named("cca-mean")
procrustes = _named("procrustes")
angular_procrustes = _named("angular-procrustes")
bures = _named("bures")
mutual_knn = _named("mutual-knn")
cycle_knn = _named("cycle-knn")
cknna = _named("cknna")
jaccard = _named("jaccard")
rank_similarity = _named("rank-similarity")
second_order_cosine = _named("second-order-cosine")
linear_predictivity = _named("linear-predictivity")
eigenspace_overlap = _named("eigenspace-overlap")
gulp = _named("gulp")
distance_correlation = _named("distance-correlation")
rsm_norm_difference = _named("rsm-norm-difference")
imd = _named("imd")
concentricity_difference = _named("concentricity-difference")
uniformity_difference = _named("uniformity-difference")
magnitude_difference = _named("magnitude-difference")
