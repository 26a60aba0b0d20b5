"""Multidimensional scaling: points on a plane whose distances are as close as can be to those of a matrix.

A map starts from classical scaling (Torgerson 1952), the leading eigenvectors of the doubly centred squared
distances, and is then improved by majorisation (SMACOF, de Leeuw 1977). Two dimensions seldom hold what hundreds of
stimuli are to a layer, so a map always comes with what it leaves out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from layerwise.core.network.representation import strict_upper

Points = NDArray[np.float64]
N_STEPS = 20
N_SMALL = 700  # points of which a map takes no time to speak of


@dataclass(frozen=True, eq=False)
class Scaled:
    """Points and how well they keep the distances.

    Attributes:
        points: float64 (n, 2), centred.
        stress: Kruskal's stress-1, sqrt(sum (d - D)^2 / sum D^2) over pairs, with the map's distances D scaled to
            fit best; None where there is no distance to keep.
        kept: Squared Pearson correlation of the distances with those of the map; None where one does not vary.
    """

    points: Points
    stress: float | None
    kept: float | None


def to_distances(matrix: NDArray[np.floating], kind: Literal["similarity", "distance"]) -> NDArray[np.float64]:
    """Distances of an (n, n) matrix of a metric, which has no NaN.

    A similarity that is 1 of everything with itself (a correlation, a cosine) becomes 1 - s; any other is taken for
    an inner product, of which sqrt(s_ii + s_jj - 2 s_ij) is the distance.
    """
    values = matrix.astype(np.float64)
    if kind == "similarity":
        own = np.diagonal(values)
        if np.allclose(own, 1, atol=1e-5):
            values = 1 - values
        else:
            values = np.sqrt(np.clip(np.add.outer(own, own) - 2 * values, 0, None))
    values = np.clip((values + values.T) / 2, 0, None)
    np.fill_diagonal(values, 0)
    return values


def scale_classically(distances: NDArray[np.float64], n_dimensions: int = 2) -> Points:
    """Torgerson's solution: eigenvectors of -J D^2 J / 2 times the roots of their eigenvalues; (n, n_dimensions).

    Each axis is turned so that its largest coordinate is positive, which eigenvectors leave open.
    """
    n = len(distances)
    inner = -0.5 * distances**2
    inner -= inner.mean(axis=0)[None, :] + inner.mean(axis=1)[:, None] - inner.mean()
    n_found = min(n_dimensions, n)
    values, vectors = _largest_eigenvectors(inner, n_found)
    points = np.zeros((n, n_dimensions))
    points[:, :n_found] = (vectors * np.sqrt(np.clip(values, 0, None)))[:, ::-1]
    largest = points[np.abs(points).argmax(axis=0), np.arange(n_dimensions)]
    return points * np.where(largest < 0, -1, 1)


def _largest_eigenvectors(matrix: NDArray[np.float64], count: int) -> tuple[Points, Points]:
    """The largest eigenvalues of a symmetric matrix, ascending, and their vectors; by iteration where it is large."""
    from scipy.linalg import eigh
    from scipy.sparse.linalg import eigsh

    n = len(matrix)
    if n <= N_SMALL:
        values, vectors = eigh(matrix, subset_by_index=[n - count, n - 1])
        return values, vectors
    start = np.random.default_rng(0).normal(size=n)  # the same each time, and so the same map
    values, vectors = eigsh(matrix, k=count, which="LA", v0=start, tol=1e-6)
    order = np.argsort(values)
    return values[order], vectors[:, order]


def majorise(distances: NDArray[np.float64], start: Points, n_steps: int = N_STEPS) -> Points:
    """Guttman's transform again and again, with steps of double length but the last (de Leeuw and Heiser 1980)."""
    points = start.astype(np.float32)
    wanted = distances.astype(np.float32)
    for step in range(n_steps):
        ratio = _distances_between(points)
        np.divide(wanted, ratio, out=ratio)
        np.fill_diagonal(ratio, 0)
        moved = (ratio.sum(axis=1)[:, None] * points - ratio @ points) / np.float32(len(points))
        points = moved if step == n_steps - 1 else 2 * moved - points
    finished = points.astype(np.float64)
    centred: Points = finished - finished.mean(axis=0)
    return centred


def _distances_between(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Distances of at least 1e-9, so that they can be divided by."""
    squares = (points * points).sum(axis=1)
    between: NDArray[np.float32] = points @ (np.float32(-2) * points.T)
    between += squares[:, None]
    between += squares[None, :]
    np.maximum(between, np.float32(1e-18), out=between)
    return np.sqrt(between, out=between)


def steps_for(n_points: int) -> int:
    """How many steps a map is improved by: fewer where each of them takes long."""
    return max(4, min(N_STEPS, int(N_STEPS * (N_SMALL / n_points) ** 2)))


def scale(distances: NDArray[np.float64], n_steps: int | None = None) -> Scaled:
    """A map of n points, with what it keeps."""
    n_steps = steps_for(len(distances)) if n_steps is None else n_steps
    points = (
        majorise(distances, scale_classically(distances), n_steps) if len(distances) > 2 else _place_few(distances)
    )
    return judge(distances, points)


def _place_few(distances: NDArray[np.float64]) -> Points:
    """One point in the middle, or two on a line."""
    points = np.zeros((len(distances), 2))
    if len(distances) == 2:
        points[:, 0] = np.array([-0.5, 0.5]) * distances[0, 1]
    return points


def judge(distances: NDArray[np.float64], points: Points) -> Scaled:
    """How well points keep distances."""
    from scipy.spatial.distance import pdist

    wanted = strict_upper(distances)
    shown = pdist(points)
    total = float(wanted @ wanted)
    drawn = float(shown @ shown)
    stress = None
    if total > 0:
        fit = float(wanted @ shown) / drawn if drawn > 0 else 0.0
        stress = float(np.sqrt(((wanted - fit * shown) ** 2).sum() / total))
    kept = None
    if wanted.size > 1 and np.ptp(wanted) > 1e-9 * wanted.max() and np.ptp(shown) > 0:
        kept = float(np.corrcoef(wanted, shown)[0, 1] ** 2)
    return Scaled(points, stress, kept)


def align(points: Points, reference: Points) -> Points:
    """Points turned and mirrored, not stretched, to lie as close as possible to a reference (Schoenemann 1966).

    Rows with NaN in either do not count; rows with NaN in `points` stay so. Points are centred on those that count.
    """
    both = np.isfinite(points).all(axis=1) & np.isfinite(reference).all(axis=1)
    if not both.any():
        return points
    middle = points[both].mean(axis=0)
    left, _, right = np.linalg.svd((points[both] - middle).T @ (reference[both] - reference[both].mean(axis=0)))
    turned: Points = (points - middle) @ (left @ right)
    return turned


def to_same_size(points: Points) -> Points:
    """Points scaled to a root mean square distance of 1 from their middle; all in the middle where they coincide."""
    middle = np.nanmean(points, axis=0) if np.isfinite(points).any() else np.zeros(2)
    size = float(np.sqrt(np.nanmean(((points - middle) ** 2).sum(axis=1)))) if np.isfinite(points).any() else 0.0
    shifted: Points = points - middle
    return shifted / size if size > 0 else shifted
