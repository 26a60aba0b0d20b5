"""Every comparator from its definition, on the activations themselves, in float64.

Slow and plain. NaN stands for undefined. What is a difference of nearly equal numbers is computed as a difference of
vectors, so that distances near 0 are as right as others. Nothing of Layerwise is used here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from exact_pairs import (
    DISTANCES,
    Pairs,
    Rows,
    centre_columns,
    find_distances,
    find_neighbours,
    find_values,
    has_no_neighbours,
    is_similar,
    reduce_columns,
    squared_chords,
    unit_rows,
)
from numpy.typing import NDArray
from scipy.linalg import eigvalsh, lstsq, orthogonal_procrustes, subspace_angles, svd
from scipy.sparse.csgraph import laplacian
from scipy.spatial.distance import pdist, squareform
from scipy.stats import rankdata

_ZERO = 1e-9  # of the largest: what is left of what cancels
_NO_DIRECTION = 1e-9  # of the largest singular value: what float64 leaves of a direction that is none


@dataclass(frozen=True, eq=False)
class Given:
    """Activations of one layer.

    Attributes:
        rows: (n, p); as the network gave them.
        n_directions: How many directions they fill with columns centred, where rounding to float32 has added others
            that mean nothing; None where all that there are count.
        n_plain: The same of activations as they are.
    """

    rows: Rows
    n_directions: int | None = None
    n_plain: int | None = None

    @property
    def centred(self) -> Rows:
        """(n, at most n); with columns centred."""
        return reduce_columns(centre_columns(self.rows))


Measure = Callable[[Given, Given], float]


def correlate(first: Pairs, second: Pairs) -> float:
    """Pearson correlation."""
    return align(first - first.mean(), second - second.mean())


def align(first: Pairs, second: Pairs) -> float:
    """The cosine."""
    lengths = np.linalg.norm(first), np.linalg.norm(second)
    return float(first.ravel() / lengths[0] @ (second.ravel() / lengths[1])) if min(lengths) > 0 else np.nan


# Pairs of stimuli


def _of_pairs(compare: Callable[[Pairs, Pairs], float], *, ranked: bool = False) -> Callable[..., float]:
    """Over the pairs that are defined in both."""

    def measure(x: Given, y: Given, metric: str = "pearson") -> float:
        first, second = (find_distances(item.rows, metric) for item in (x, y))
        if is_similar(metric):
            first, second = -first, -second
        both = np.isfinite(first) & np.isfinite(second)
        ends = [pairs[both] for pairs in (first, second)]
        if any(len(pairs) < 3 or np.ptp(pairs) == 0 for pairs in ends):
            return np.nan
        return compare(*(rankdata(pairs) if ranked else pairs for pairs in ends))

    return measure


def tau_a(first: Pairs, second: Pairs) -> float:
    balance = sum(
        float((np.sign(first[i] - first[i + 1 :]) * np.sign(second[i] - second[i + 1 :])).sum())
        for i in range(len(first) - 1)
    )
    return balance / (len(first) * (len(first) - 1) / 2)


def rho_a(first: Pairs, second: Pairs) -> float:
    m = len(first)
    return float(12 / (m**3 - m) * (first @ second) - 3 * (m + 1) / (m - 1))


def rsa_cosine(x: Given, y: Given, metric: str = "pearson") -> float:
    values = find_values(x.rows, metric), find_values(y.rows, metric)
    both = np.isfinite(values[0]) & np.isfinite(values[1])
    return align(values[0][both], values[1][both])


def rsm_norm_difference(x: Given, y: Given, metric: str = "euclidean") -> float:
    """Each pair counts twice; the diagonals are the same but for `dot`."""
    apart = find_values(x.rows, metric) - find_values(y.rows, metric)
    own = (x.rows**2).sum(axis=1) - (y.rows**2).sum(axis=1) if metric == "dot" else np.zeros(1)
    return float(np.sqrt(2 * apart @ apart + own @ own))


# Kernels


def _kernel(x: Given) -> Rows:
    return x.centred @ x.centred.T


def cka(x: Given, y: Given) -> float:
    return align(_kernel(x), _kernel(y))


def cka_debiased(x: Given, y: Given) -> float:
    def u_centre(item: Given) -> Rows:
        kernel = _kernel(item)
        n, size = len(kernel), np.linalg.norm(kernel)
        np.fill_diagonal(kernel, 0)
        sums = kernel.sum(axis=0)
        kernel = kernel - np.add.outer(sums, sums) / (n - 2) + sums.sum() / ((n - 1) * (n - 2))
        np.fill_diagonal(kernel, 0)
        return kernel if np.linalg.norm(kernel) > _ZERO * size else kernel * np.nan

    return align(u_centre(x), u_centre(y))


def cka_rbf(x: Given, y: Given) -> float:
    def gauss(item: Given) -> Rows:
        squared = pdist(item.rows, "sqeuclidean")
        kernel = np.expm1(-squareform(squared) / (2 * np.median(np.sqrt(squared)) ** 2))  # less 1, which is centred
        return kernel - kernel.mean(axis=0) - kernel.mean(axis=1)[:, None] + kernel.mean()

    with np.errstate(invalid="ignore", divide="ignore"):
        return align(gauss(x), gauss(y))


def rv2(x: Given, y: Given) -> float:
    kernels = [_kernel(item) for item in (x, y)]
    for kernel in kernels:
        size = np.linalg.norm(kernel)
        np.fill_diagonal(kernel, 0)
        if np.linalg.norm(kernel) <= _ZERO * size:
            return np.nan
    return align(*kernels)


def distance_correlation(x: Given, y: Given) -> float:
    def centre_doubly(item: Given) -> Rows:
        apart = squareform(pdist(item.rows))
        return apart - apart.mean(axis=0) - apart.mean(axis=1)[:, None] + apart.mean()

    return float(np.sqrt(max(align(centre_doubly(x), centre_doubly(y)), 0)))


# Directions


def find_directions(rows: Rows, n_directions: int | None, variance: float = 1.0) -> tuple[Rows, NDArray[np.float64]]:
    """Left singular vectors, (n, r), and their squared singular values."""
    left, values, _ = svd(rows, full_matrices=False)
    kept = int((values > _NO_DIRECTION * values[0]).sum()) if values[0] > 0 else 0
    kept = kept if n_directions is None else min(kept, n_directions)
    squares = values[:kept] ** 2
    if variance < 1:
        kept = int(np.searchsorted(np.cumsum(squares) / squares.sum(), variance - 1e-12)) + 1
    return left[:, :kept], squares[:kept]


def _mean_correlation(variance: float) -> Measure:
    def measure(x: Given, y: Given) -> float:
        ends = [find_directions(item.centred, item.n_directions, variance)[0] for item in (x, y)]
        return float(np.cos(subspace_angles(*ends)).mean())

    return measure


def pwcca(x: Given, y: Given) -> float:
    (left, squares), (right, _) = (find_directions(item.centred, item.n_directions) for item in (x, y))
    turn, correlations, _ = svd(left.T @ right, full_matrices=False)
    weights = squares @ turn**2
    return float(weights @ np.clip(correlations, 0, 1) / weights.sum())


def eigenspace_overlap(x: Given, y: Given) -> float:
    ends = [find_directions(reduce_columns(item.rows), item.n_plain)[0] for item in (x, y)]
    return float(np.linalg.norm(ends[0].T @ ends[1]) ** 2 / max(end.shape[1] for end in ends))


def gulp(x: Given, y: Given, penalty: float = 0.01) -> float:
    """From ridge regressions of the unit vectors."""

    def predict(item: Given) -> Rows:
        points = item.centred / np.linalg.norm(item.centred)
        return _ridge(points, np.eye(len(points)), penalty, points)

    return float(np.linalg.norm(predict(x) - predict(y)) ** 2)


def _ridge(inputs: Rows, targets: Rows, penalty: float, asked: Rows) -> Rows:
    """Predictions for `asked`; ridge regression as least squares with rows of zeros appended."""
    width = inputs.shape[1]
    stacked = np.vstack([inputs, np.sqrt(penalty) * np.eye(width)])
    weights = lstsq(stacked, np.vstack([targets, np.zeros((width, targets.shape[1]))]))[0]
    return asked @ weights


def linear_predictivity(x: Given, y: Given) -> float:
    points, wanted = x.centred / np.linalg.norm(x.centred), y.centred / np.linalg.norm(y.centred)
    fold_of, error, total = np.arange(len(points)) % 5, 0.0, 0.0
    for fold in range(5):
        train, test = fold_of != fold, fold_of == fold
        inputs, targets = points - points[train].mean(axis=0), wanted - wanted[train].mean(axis=0)
        penalty = 0.1 * float((inputs[train] ** 2).sum()) / train.sum()
        if penalty == 0:
            return np.nan
        error += ((targets[test] - _ridge(inputs[train], targets[train], penalty, inputs[test])) ** 2).sum()
        total += (targets[test] ** 2).sum()
    return float(1 - error / total) if total > 0 else np.nan


# Shapes


def procrustes(x: Given, y: Given) -> float:
    return _distance_of_shapes(x.centred, y.centred) ** 2


def bures(x: Given, y: Given) -> float:
    return _distance_of_shapes(x.centred, y.centred)


def angular_procrustes(x: Given, y: Given) -> float:
    ends = [item.centred / np.linalg.norm(item.centred) for item in (x, y)]
    return float(2 * np.arcsin(min(_distance_of_shapes(*ends) / 2, 1)))


def _distance_of_shapes(first: Rows, second: Rows) -> float:
    width = max(first.shape[1], second.shape[1])
    first, second = (np.pad(rows, ((0, 0), (0, width - rows.shape[1]))) for rows in (first, second))
    turn, _ = orthogonal_procrustes(first, second)
    return float(np.linalg.norm(first @ turn - second))


# Neighbours


def _of_neighbours(score: Callable[[list[int], list[int]], float]) -> Callable[..., float]:
    def measure(x: Given, y: Given, metric: str = "cosine", k: int = 10) -> float:
        if has_no_neighbours(x.rows, metric) or has_no_neighbours(y.rows, metric):
            return np.nan
        lists = [find_neighbours(item.rows, metric, k).tolist() for item in (x, y)]
        return float(np.mean([score(*both) for both in zip(*lists, strict=True)]))

    return measure


def _rank_similarity(first: list[int], second: list[int]) -> float:
    ranks = [(first.index(j) + 1, second.index(j) + 1) for j in first if j in second]
    harmonic = sum(1 / place for place in range(1, len(ranks) + 1))
    return sum(2 / ((1 + abs(r - s)) * (r + s)) for r, s in ranks) / harmonic if ranks else 0.0


def cycle_knn(x: Given, y: Given, metric: str = "cosine", k: int = 10) -> float:
    if has_no_neighbours(x.rows, metric) or has_no_neighbours(y.rows, metric):
        return np.nan
    first, second = (find_neighbours(item.rows, metric, k).tolist() for item in (x, y))
    return float(np.mean([any(i in first[j] for j in second[i]) for i in range(len(first))]))


def cknna(x: Given, y: Given, metric: str = "cosine", k: int = 10) -> float:
    if has_no_neighbours(x.rows, metric) or has_no_neighbours(y.rows, metric):
        return np.nan
    near, kernels = [], []
    for item in (x, y):
        inside = np.zeros((len(item.rows),) * 2, dtype=bool)
        np.put_along_axis(inside, find_neighbours(item.rows, metric, k), values=True, axis=1)
        kernel = -squareform(DISTANCES[metric](item.rows), checks=False)
        if metric == "dot":
            np.fill_diagonal(kernel, (item.rows**2).sum(axis=1))
        near.append(inside)
        kernels.append(kernel - kernel.mean(axis=1, keepdims=True))
    both = (kernels[0] * kernels[1])[near[0] & near[1]].sum()
    own = [float((kernel[inside] ** 2).sum()) for kernel, inside in zip(kernels, near, strict=True)]
    return float(both / np.sqrt(own[0]) / np.sqrt(own[1])) if min(own) > 0 else np.nan


def second_order_cosine(x: Given, y: Given, metric: str = "cosine", k: int = 10) -> float:
    if has_no_neighbours(x.rows, metric) or has_no_neighbours(y.rows, metric):
        return np.nan
    lists = [find_neighbours(item.rows, metric, k) for item in (x, y)]
    values = [squareform(find_values(item.rows, metric), checks=False) for item in (x, y)]
    unions = [sorted({*a, *b}) for a, b in zip(*(found.tolist() for found in lists), strict=True)]
    return float(np.mean([align(values[0][i, near], values[1][i, near]) for i, near in enumerate(unions)]))


def imd(x: Given, y: Given) -> float:
    times = np.logspace(-1, 1, 256)

    def heat(item: Given) -> NDArray[np.float64]:
        graph = np.zeros((len(item.rows),) * 2)
        np.put_along_axis(graph, find_neighbours(item.rows, "squared-euclidean", 5), 1.0, axis=1)
        values = eigvalsh(laplacian(np.maximum(graph, graph.T), normed=True))
        return np.exp(-np.outer(times, values)).mean(axis=1)

    if any(has_no_neighbours(item.rows, "squared-euclidean") for item in (x, y)):
        return np.nan
    return float((np.exp(-2 * (times + 1 / times)) * np.abs(heat(x) - heat(y))).max())


# One number a layer


def concentricity_difference(x: Given, y: Given) -> float:
    """Of cosines as differences from 1."""

    def eccentricity(item: Given) -> float:
        middle = item.rows[0] + (item.rows - item.rows[0]).mean(axis=0)
        units = unit_rows(np.vstack([middle, item.rows]))
        return float(np.mean([squared_chords(units[[0, i]])[0] for i in range(1, len(units))])) / 2

    return abs(eccentricity(x) - eccentricity(y))


def uniformity_difference(x: Given, y: Given) -> float:
    def uniformity(item: Given) -> float:
        lost = np.expm1(-2 * pdist(item.rows, "sqeuclidean"))
        return float(np.log1p(2 * lost.sum() / len(item.rows) ** 2))

    return abs(uniformity(x) - uniformity(y))


def magnitude_difference(x: Given, y: Given) -> float:
    lengths = [np.linalg.norm(item.rows[0] + (item.rows - item.rows[0]).mean(axis=0)) for item in (x, y)]
    return float(abs(lengths[0] - lengths[1]))


def _where_stimuli_differ(measure: Measure) -> Measure:
    """NaN where a layer does the same with all stimuli."""

    def of(x: Given, y: Given) -> float:
        return measure(x, y) if all(item.centred.any() for item in (x, y)) else np.nan

    return of


_OF_DIFFERENCES: dict[str, Measure] = {
    "cka": cka,
    "cka-debiased": cka_debiased,
    "cka-rbf": cka_rbf,
    "rv2": rv2,
    "svcca": _mean_correlation(0.99),
    "pwcca": pwcca,
    "pwcca-symmetric": lambda x, y: (pwcca(x, y) + pwcca(y, x)) / 2,
    "cca-mean": _mean_correlation(1.0),
    "procrustes": procrustes,
    "angular-procrustes": angular_procrustes,
    "bures": bures,
    "linear-predictivity": linear_predictivity,
    "eigenspace-overlap": eigenspace_overlap,
    "gulp": gulp,
    "distance-correlation": distance_correlation,
    "imd": imd,
}

MEASURES: dict[str, Callable[..., float]] = {
    "rsa-pearson": _of_pairs(correlate),
    "rsa-spearman": _of_pairs(correlate, ranked=True),
    "rsa-kendall": _of_pairs(tau_a),
    "rsa-rho-a": _of_pairs(rho_a, ranked=True),
    "rsa-cosine": rsa_cosine,
    "mutual-knn": _of_neighbours(lambda a, b: len({*a} & {*b}) / len(a)),
    "cycle-knn": cycle_knn,
    "cknna": cknna,
    "jaccard": _of_neighbours(lambda a, b: len({*a} & {*b}) / len({*a} | {*b})),
    "rank-similarity": _of_neighbours(_rank_similarity),
    "second-order-cosine": second_order_cosine,
    "rsm-norm-difference": rsm_norm_difference,
    "concentricity-difference": concentricity_difference,
    "uniformity-difference": uniformity_difference,
    "magnitude-difference": magnitude_difference,
    **{name: _where_stimuli_differ(measure) for name, measure in _OF_DIFFERENCES.items()},
}
"""By the comparator's name; those that compare a metric's matrices take `metric`, those of neighbours `k`."""
