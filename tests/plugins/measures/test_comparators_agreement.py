"""Every comparator against its definition on the activations themselves, written with NumPy, SciPy and sklearn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.linalg as sl
from scipy.sparse.csgraph import laplacian
from scipy.spatial.distance import cdist, cosine, pdist
from scipy.stats import kendalltau, rankdata, spearmanr
from sklearn.linear_model import Ridge
from sklearn.neighbors import NearestNeighbors, kneighbors_graph

from layerwise.core.host.kinds import Comparator
from layerwise.core.network.products import represent
from layerwise.plugins.comparators import register_comparators

COMPARATORS = {comparator.name: comparator for comparator in register_comparators()}
Rows = np.ndarray
Measure = Callable[[Rows, Rows], float]


def centre(rows: Rows) -> Rows:
    return rows - rows.mean(axis=0)


def triangle(rows: Rows) -> Rows:
    return np.corrcoef(rows)[np.triu_indices(len(rows), k=1)]


def tau_a(x: Rows, y: Rows) -> float:
    signs = [np.sign(np.subtract.outer(pairs, pairs)) for pairs in (x, y)]
    return float((signs[0] * signs[1]).sum() / (len(x) * (len(x) - 1)))


def rho_a(x: Rows, y: Rows) -> float:
    m = len(x)
    return 12 * (rankdata(x) @ rankdata(y)) / (m**3 - m) - 3 * (m + 1) / (m - 1)


def linear_cka(x: Rows, y: Rows) -> float:
    x, y = centre(x), centre(y)
    return np.linalg.norm(y.T @ x) ** 2 / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))


def unbiased_hsic(k: Rows, m: Rows) -> float:
    n, one = len(k), np.ones(len(k))
    k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
    middle = (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2))
    return (np.trace(k @ m) + middle - 2 / (n - 2) * one @ k @ m @ one) / (n * (n - 3))


def debiased_cka(x: Rows, y: Rows) -> float:
    k, m = x @ x.T, y @ y.T
    return unbiased_hsic(k, m) / np.sqrt(unbiased_hsic(k, k) * unbiased_hsic(m, m))


def rbf_cka(x: Rows, y: Rows) -> float:
    n = len(x)
    hat = np.eye(n) - np.ones((n, n)) / n
    k, m = (hat @ np.exp(-(cdist(r, r) ** 2) / (2 * np.median(pdist(r)) ** 2)) @ hat for r in (x, y))
    return np.trace(k @ m) / np.sqrt(np.trace(k @ k) * np.trace(m @ m))


def rv2(x: Rows, y: Rows) -> float:
    k, m = ((c := centre(r)) @ c.T - np.diag((centre(r) ** 2).sum(axis=1)) for r in (x, y))
    return (k * m).sum() / (np.linalg.norm(k) * np.linalg.norm(m))


def orthonormal(rows: Rows, variance: float = 1.0) -> Rows:
    """Scores of the leading components, orthonormalised by QR."""
    left, values, _ = sl.svd(centre(rows), full_matrices=False)
    values = values[values > 1e-5 * values[0]]
    n_kept = (
        int((np.cumsum(values**2) / (values**2).sum() < variance - 1e-12).sum()) + 1 if variance < 1 else len(values)
    )
    return sl.qr(left[:, :n_kept] * values[:n_kept], mode="economic")[0]


def canonical_correlations(variance: float) -> Callable[[Rows, Rows], Rows]:
    return lambda x, y: np.cos(sl.subspace_angles(orthonormal(x, variance), orthonormal(y, variance)))


def pwcca(x: Rows, y: Rows, power: float = 2.0) -> float:
    q, r = orthonormal(x), orthonormal(y)
    turn, correlations, _ = sl.svd(q.T @ r, full_matrices=False)
    weights = ((q @ turn).T @ centre(x)) ** 2
    weights = weights.sum(axis=1) ** (power / 2)
    return weights @ np.clip(correlations, 0, 1) / weights.sum()


def procrustes(x: Rows, y: Rows) -> float:
    width = max(x.shape[1], y.shape[1])
    x, y = (np.pad(centre(r), ((0, 0), (0, width - r.shape[1]))) for r in (x, y))
    turn, _ = sl.orthogonal_procrustes(x, y)
    return np.linalg.norm(x @ turn - y) ** 2


def angle(x: Rows, y: Rows) -> float:
    x, y = centre(x), centre(y)
    return np.arccos(sl.svdvals(x.T @ y).sum() / (np.linalg.norm(x) * np.linalg.norm(y)))


def bures(x: Rows, y: Rows) -> float:
    """In the space of n - 1 differences, where the matrices are not singular."""
    basis = sl.null_space(np.ones((1, len(x))))
    k, m = (basis.T @ r @ r.T @ basis for r in (x, y))
    root = sl.sqrtm(k).real
    return np.sqrt(np.trace(k) + np.trace(m) - 2 * np.trace(sl.sqrtm(root @ m @ root).real))


def neighbours(rows: Rows, k: int = 10) -> Rows:
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return NearestNeighbors(n_neighbors=k + 1).fit(unit).kneighbors(unit, return_distance=False)[:, 1:]


def sets(rows: Rows) -> list[set[int]]:
    return [set(found) for found in neighbours(rows)]


def over_stimuli(score: Callable[[set[int], set[int]], float]) -> Measure:
    return lambda x, y: float(np.mean([score(a, b) for a, b in zip(sets(x), sets(y), strict=True)]))


def cycle_knn(x: Rows, y: Rows) -> float:
    first, second = sets(x), sets(y)
    return float(np.mean([any(i in first[j] for j in second[i]) for i in range(len(x))]))


def cknna(x: Rows, y: Rows) -> float:
    first, second = sets(x), sets(y)
    k, m = (1 - cdist(r, r, "cosine") for r in (x, y))
    k, m = k - k.mean(axis=1, keepdims=True), m - m.mean(axis=1, keepdims=True)

    def align(a: Rows, b: Rows, inside: Callable[[int, int], bool]) -> float:
        return sum(a[i, j] * b[i, j] for i in range(len(a)) for j in range(len(a)) if inside(i, j))

    both = align(k, m, lambda i, j: j in first[i] and j in second[i])
    return both / np.sqrt(align(k, k, lambda i, j: j in first[i]) * align(m, m, lambda i, j: j in second[i]))


def rank_similarity(x: Rows, y: Rows) -> float:
    scores = []
    for a, b in zip(neighbours(x).tolist(), neighbours(y).tolist(), strict=True):
        ranks = [(a.index(j) + 1, b.index(j) + 1) for j in a if j in b]
        harmonic = sum(1 / place for place in range(1, len(ranks) + 1))
        scores.append(sum(2 / ((1 + abs(r - s)) * (r + s)) for r, s in ranks) / harmonic if ranks else 0)
    return float(np.mean(scores))


def second_order_cosine(x: Rows, y: Rows) -> float:
    k, m = (1 - cdist(r, r, "cosine") for r in (x, y))
    unions = [sorted(a | b) for a, b in zip(sets(x), sets(y), strict=True)]
    return float(np.mean([1 - cosine(k[i, near], m[i, near]) for i, near in enumerate(unions)]))


def linear_predictivity(x: Rows, y: Rows) -> float:
    fold_of, error, total = np.arange(len(x)) % 5, 0.0, 0.0
    for fold in range(5):
        train, test = fold_of != fold, fold_of == fold
        penalty = 0.1 * (centre(x[train]) ** 2).sum() / train.sum()
        predicted = Ridge(alpha=penalty, solver="svd").fit(x[train], y[train]).predict(x[test])
        error += ((y[test] - predicted) ** 2).sum()
        total += ((y[test] - y[train].mean(axis=0)) ** 2).sum()
    return 1 - error / total


def eigenspace_overlap(x: Rows, y: Rows) -> float:
    u, v = (sl.orth(rows, rcond=1e-5) for rows in (x, y))
    return np.linalg.norm(u.T @ v) ** 2 / max(u.shape[1], v.shape[1])


def gulp(x: Rows, y: Rows, penalty: float = 0.01) -> float:
    n = len(x)
    x, y = (np.sqrt(n) * centre(r) / np.linalg.norm(centre(r)) for r in (x, y))
    s_x, s_y, s_xy = x.T @ x / n, y.T @ y / n, x.T @ y / n
    inverse_x, inverse_y = (np.linalg.inv(s + penalty * np.eye(len(s))) for s in (s_x, s_y))
    own = sum(np.trace(s @ inverse @ s @ inverse) for s, inverse in ((s_x, inverse_x), (s_y, inverse_y)))
    return own - 2 * np.trace(inverse_x @ s_xy @ inverse_y @ s_xy.T)


def distance_correlation(x: Rows, y: Rows) -> float:
    n = len(x)
    hat = np.eye(n) - np.ones((n, n)) / n
    a, b = (hat @ cdist(r, r) @ hat for r in (x, y))
    return np.sqrt((a * b).mean() / np.sqrt((a * a).mean() * (b * b).mean()))


def heat(rows: Rows, times: Rows) -> Rows:
    graph = kneighbors_graph(rows, 5).toarray()
    values = sl.eigvalsh(laplacian(np.maximum(graph, graph.T), normed=True))
    return np.exp(-np.outer(times, values)).mean(axis=1)


def imd(x: Rows, y: Rows) -> float:
    times = np.logspace(-1, 1, 256)
    return float((np.exp(-2 * (times + 1 / times)) * np.abs(heat(x, times) - heat(y, times))).max())


def concentricity(rows: Rows) -> float:
    return float(np.mean([1 - cosine(row, rows.mean(axis=0)) for row in rows]))


def uniformity(rows: Rows) -> float:
    return float(np.log(np.exp(-2 * cdist(rows, rows, "sqeuclidean")).mean()))


DEFINITIONS: dict[str, Measure] = {
    "rsa-pearson": lambda x, y: np.corrcoef(triangle(x), triangle(y))[0, 1],
    "rsa-spearman": lambda x, y: spearmanr(triangle(x), triangle(y)).statistic,
    "rsa-kendall": lambda x, y: tau_a(triangle(x), triangle(y)),
    "rsa-rho-a": lambda x, y: rho_a(triangle(x), triangle(y)),
    "rsa-cosine": lambda x, y: 1 - cosine(triangle(x), triangle(y)),
    "cka": linear_cka,
    "cka-debiased": debiased_cka,
    "cka-rbf": rbf_cka,
    "rv2": rv2,
    "svcca": lambda x, y: canonical_correlations(0.99)(x, y).mean(),
    "cca-mean": lambda x, y: canonical_correlations(1.0)(x, y).mean(),
    "pwcca": pwcca,
    "pwcca-symmetric": lambda x, y: (pwcca(x, y) + pwcca(y, x)) / 2,
    "procrustes": procrustes,
    "angular-procrustes": angle,
    "bures": bures,
    "mutual-knn": over_stimuli(lambda a, b: len(a & b) / 10),
    "cycle-knn": cycle_knn,
    "cknna": cknna,
    "jaccard": over_stimuli(lambda a, b: len(a & b) / len(a | b)),
    "rank-similarity": rank_similarity,
    "second-order-cosine": second_order_cosine,
    "linear-predictivity": linear_predictivity,
    "eigenspace-overlap": eigenspace_overlap,
    "gulp": gulp,
    "distance-correlation": distance_correlation,
    "rsm-norm-difference": lambda x, y: np.linalg.norm(cdist(x, x) - cdist(y, y)),
    "imd": imd,
    "concentricity-difference": lambda x, y: abs(concentricity(x) - concentricity(y)),
    "uniformity-difference": lambda x, y: abs(uniformity(x) - uniformity(y)),
    "magnitude-difference": lambda x, y: abs(np.linalg.norm(x.mean(axis=0)) - np.linalg.norm(y.mean(axis=0))),
}
RELATIVE = 1e-6
# Heat traces differ in their last digits only, and differences of large numbers lose theirs to float32 correlations.
ABSOLUTE = {"imd": 1e-9}


def ask(comparator: Comparator, x: Rows, y: Rows) -> float:
    return comparator.compare(comparator.prepare(represent(x)), comparator.prepare(represent(y)))


def layers(n: int, p: int, q: int) -> tuple[Rows, Rows]:
    """Activations of two layers that share five directions, with different spectra."""
    rng = np.random.default_rng([n, p, q])
    common = rng.normal(size=(n, 5))
    spread = np.linspace(0.5, 1.0, p)
    x = common @ rng.normal(size=(5, p)) * 0.6 + rng.normal(size=(n, p)) * spread + 0.3
    return 0.3 * x, 0.2 * (common @ rng.normal(size=(5, q)) * 0.4 + rng.normal(size=(n, q)) + 0.5)


def test_every_comparator_has_a_definition_here():
    assert set(DEFINITIONS) == set(COMPARATORS)


@pytest.mark.parametrize("shape", [(40, 12, 17), (40, 17, 12), (30, 70, 90)], ids=str)
@pytest.mark.parametrize("name", sorted(DEFINITIONS))
def test_a_comparator_is_its_definition_on_random_activations(name: str, shape: tuple[int, int, int]):
    x, y = layers(*shape)
    expected = DEFINITIONS[name](x, y)
    assert ask(COMPARATORS[name], x, y) == pytest.approx(expected, rel=RELATIVE, abs=ABSOLUTE.get(name, 1e-7))


@pytest.mark.parametrize("n", [4, 5, 8])
def test_the_width_of_an_rbf_kernel_is_the_median_distance_of_an_even_number_of_pairs_too(n: int):
    rng = np.random.default_rng(3)  # few pairs, so that the middle two are far apart
    x, y = rng.normal(size=(n, 3)) ** 3, rng.normal(size=(n, 4)) ** 3
    assert ask(COMPARATORS["cka-rbf"], x, y) == pytest.approx(rbf_cka(x, y), rel=RELATIVE)


def three_directions(x: Rows, y: Rows) -> float:
    left, right = (sl.svd(centre(rows))[0][:, :3] for rows in (x, y))
    return np.cos(sl.subspace_angles(left, right)).mean()


def three_neighbours(x: Rows, y: Rows) -> float:
    pairs = zip(neighbours(x, 3), neighbours(y, 3), strict=True)
    return float(np.mean([len({*a} & {*b}) / 3 for a, b in pairs]))


@pytest.mark.parametrize(
    ("name", "settings", "definition"),
    [
        ("svcca", {"variance": 0.8}, lambda x, y: canonical_correlations(0.8)(x, y).mean()),
        ("svcca", {"rank": 3}, three_directions),
        ("pwcca", {"weights": "norm"}, lambda x, y: pwcca(x, y, 1.0)),
        ("gulp", {"penalty": 0.5}, lambda x, y: gulp(x, y, 0.5)),
        ("mutual-knn", {"k": 3}, three_neighbours),
    ],
)
def test_settings_do_what_they_say(name: str, settings: dict[str, Any], definition: Measure):
    x, y = layers(40, 12, 17)
    assert ask(COMPARATORS[name].configured(**settings), x, y) == pytest.approx(definition(x, y), rel=RELATIVE)


def test_pwcca_by_norm_is_nearly_morcos_own_where_units_are_in_general_position():
    rng = np.random.default_rng(0)
    x, y = (rows @ rng.normal(size=(rows.shape[1], 3000)) for rows in layers(60, 12, 17))
    q, r = orthonormal(x), orthonormal(y)
    turn, correlations, _ = sl.svd(q.T @ r, full_matrices=False)
    weights = np.abs((q @ turn).T @ centre(x)).sum(axis=1)
    morcos = weights @ correlations / weights.sum()
    assert ask(COMPARATORS["pwcca"].configured(weights="norm"), x, y) == pytest.approx(morcos, rel=5e-3)


@pytest.mark.parametrize("name", ["rsa-pearson", "rsa-spearman", "rsa-kendall", "rsa-rho-a", "rsa-cosine"])
def test_rsa_is_rsatoolbox_s(name: str):
    rdm = pytest.importorskip("rsatoolbox.rdm", reason="needs rsatoolbox: pip install 'layerwise[test]'")
    data = pytest.importorskip("rsatoolbox.data")
    method = {"rsa-pearson": "corr", "rsa-spearman": "spearman", "rsa-kendall": "tau-a", "rsa-rho-a": "rho-a"}
    from layerwise.plugins.metrics import CorrelationDistanceMetric

    rows = layers(40, 60, 90)
    rdms = [rdm.calc_rdm(data.Dataset(item), method="correlation") for item in rows]
    expected = float(rdm.compare(*rdms, method=method.get(name, "cosine"))[0, 0])
    comparator = COMPARATORS[name].with_metric(CorrelationDistanceMetric())
    assert ask(comparator, *rows) == pytest.approx(expected, rel=RELATIVE)


def test_kendall_counts_ties_for_neither_side():
    rng = np.random.default_rng(4)
    x, y = (rng.integers(0, 2, size=(9, 4)).astype(float) + np.arange(4) for _ in range(2))
    pairs = [represent(rows).correlation[np.triu_indices(9, 1)].astype(float) for rows in (x, y)]
    assert len(np.unique(pairs[0])) < len(pairs[0])
    expected = tau_a(*pairs)
    assert abs(expected - kendalltau(*pairs).statistic) > 1e-3
    assert ask(COMPARATORS["rsa-kendall"], x, y) == pytest.approx(expected, abs=1e-12)


@pytest.fixture(scope="module")
def real_layers(data_dir: Path, load: Any) -> tuple[Rows, Rows]:
    """Activations of every so many units of a block and of its pooling for 60 photos, in float64."""
    from PIL import Image

    model = load("googlenet", weights=str(data_dir / "googlenet" / "bvlc_googlenet.caffemodel"))
    photos = sorted((data_dir / "imagenet500").glob("*.JPEG"))[::8][:60]
    pixels = np.stack([np.asarray(Image.open(path).convert("RGB").resize((224, 224))) for path in photos])
    found = model.compile("input", ["mixed5b", "avgpool0"])(model.preprocess(pixels))
    first, second = (np.asarray(layer, dtype=np.float64).reshape(len(photos), -1) for layer in found)
    return first[:, ::128], second[:, ::3]


@pytest.mark.data
@pytest.mark.parametrize("name", sorted(DEFINITIONS))
def test_a_comparator_is_its_definition_on_real_activations(name: str, real_layers: tuple[Rows, Rows]):
    expected = DEFINITIONS[name](*real_layers)
    assert ask(COMPARATORS[name], *real_layers) == pytest.approx(expected, rel=RELATIVE, abs=ABSOLUTE.get(name, 1e-7))
