"""Aligning the layers of two networks by dynamic time warping: which layer is the counterpart of which.

Pure functions of a layer x layer matrix between two networks. The *best path* leads from both first layers to both
last ones without ever going back, through the most similar pairs on the way: dynamic time warping, with layers for
moments. How far it leaves the path of equal relative depth, and what it gains by that, says how differently two
networks pace the same work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Kind = Literal["similarity", "distance"]
Path = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Alignment:
    """The best path through a matrix of n by m layers, and that of equal relative depth for comparison.

    Attributes:
        path: Cells (row, column) from (0, 0) to (n - 1, m - 1); each is one row, one column, or both further on.
        mean: The measure's mean along `path`, weighted as in `find_best_path`; None where no cell of it is defined.
        even: The path nearest to equal relative depth.
        even_mean: The measure's mean along `even`, weighted likewise.
        bend: Largest difference in relative depth between the two layers of a cell of `path`, from 0 to 1.
        bend_at: The cell where it is.
    """

    path: Path
    mean: float | None
    even: Path
    even_mean: float | None
    bend: float
    bend_at: tuple[int, int]


def align_layers(matrix: ArrayLike, kind: Kind = "similarity") -> Alignment:
    """Align the layers of two networks.

    Args:
        matrix: (n, m); the measure between each layer of one and each of the other, both in order of computation;
            NaN where it is undefined, which counts as the worst value there is.
        kind: Whether larger means more alike, or less.

    Raises:
        ValueError: If the matrix is empty.
    """
    values = np.asarray(matrix, dtype=np.float64)
    path = find_best_path(values, kind)
    even = find_best_path(_depth_gap(*values.shape), "distance")
    gaps = [abs(_depth(row, values.shape[0]) - _depth(column, values.shape[1])) for row, column in path]
    widest = int(np.argmax(gaps))
    return Alignment(path, measure_path(values, path), even, measure_path(values, even), gaps[widest], path[widest])


def find_best_path(matrix: ArrayLike, kind: Kind = "similarity") -> Path:
    """The monotone path with the largest sum of similarities (the smallest of distances), by dynamic programming.

    A step moves on by one row, one column, or both. The symmetric weights of Sakoe and Chiba (1978, "Dynamic
    programming algorithm optimization for spoken word recognition") count a cell once for each row and each column
    that it moves on, the first one twice, so that every path has the same total weight n + m: a detour does not
    win by being long. Of two equally good ways the more direct one is taken.

    Args:
        matrix: (n, m); NaN counts as the worst value there is.
        kind: What the matrix holds.

    Raises:
        ValueError: If the matrix is empty.
    """
    gains = _gains(np.asarray(matrix, dtype=np.float64), kind)
    n_rows, n_columns = gains.shape
    best = np.full((n_rows + 1, n_columns + 1), -np.inf)
    best[0, 0] = 0.0
    came = np.zeros((n_rows, n_columns), dtype=np.int8)
    for row in range(n_rows):
        for column in range(n_columns):
            gain = gains[row, column]
            ways = (best[row, column] + 2 * gain, best[row, column + 1] + gain, best[row + 1, column] + gain)
            came[row, column] = choice = int(np.argmax(ways))
            best[row + 1, column + 1] = ways[choice]
    row, column = n_rows - 1, n_columns - 1
    path = [(row, column)]
    while (row, column) != (0, 0):
        row, column = ((row - 1, column - 1), (row - 1, column), (row, column - 1))[came[row, column]]
        path.append((row, column))
    return tuple(reversed(path))


def measure_path(matrix: ArrayLike, path: Path) -> float | None:
    """The measure's mean along a path, with the weights of `find_best_path`; None where no cell of it is defined.

    Args:
        matrix: (n, m); undefined cells are left out of the mean.
        path: Cells (row, column).
    """
    values = np.asarray(matrix, dtype=np.float64)
    before = ((-1, -1), *path[:-1])
    weights = np.array([sum(here) - sum(there) for here, there in zip(path, before, strict=True)], dtype=np.float64)
    along = np.array([values[cell] for cell in path])
    defined = np.isfinite(along)
    return float(weights[defined] @ along[defined] / weights[defined].sum()) if defined.any() else None


def _gains(values: NDArray[np.float64], kind: Kind) -> NDArray[np.float64]:
    """What each cell adds to a path: larger is better, and finite everywhere."""
    if values.ndim != 2 or not values.size:
        raise ValueError(f"there is no path through a matrix of shape {values.shape}")
    gains = values if kind == "similarity" else -values
    finite = gains[np.isfinite(gains)]
    return np.where(np.isfinite(gains), gains, finite.min() if finite.size else 0.0)


def _depth(index: int, n_layers: int) -> float:
    return index / (n_layers - 1) if n_layers > 1 else 0.0


def _depth_gap(n_rows: int, n_columns: int) -> NDArray[np.float64]:
    """(n, m); how far apart two layers are in relative depth."""
    rows, columns = (np.linspace(0, 1, count) for count in (n_rows, n_columns))
    return np.asarray(np.abs(rows[:, None] - columns[None, :]), dtype=np.float64)
