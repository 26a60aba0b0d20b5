"""The rank correlation of two short lists."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def correlate_ranks(first: ArrayLike, second: ArrayLike) -> float:
    """Spearman's rank correlation (1904), with mean ranks for ties; NaN where it is undefined.

    Args:
        first: (n,).
        second: (n,).

    Returns:
        From -1 to 1; NaN for fewer than three values, or where all of one list are equal.
    """
    ones, others = (_rank(np.asarray(values, dtype=np.float64)) for values in (first, second))
    if len(ones) < 3 or not np.isfinite(ones).all() or not np.isfinite(others).all():
        return float("nan")
    ones, others = ones - ones.mean(), others - others.mean()
    scale = np.sqrt((ones @ ones) * (others @ others))
    return float(np.clip(ones @ others / scale, -1, 1)) if scale > 0 else float("nan")


def _rank(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1, equal values sharing their mean rank."""
    if not np.isfinite(values).all():
        return np.full(len(values), np.nan)
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[places], dtype=np.float64)
