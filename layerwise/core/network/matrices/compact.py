"""Dissimilarities d = 1 - cos as float32, with all of its digits wherever they are needed.

A float32 has seven digits, counted from the first that is not 0. Of d = 1 - cos they are in the right place for
stimuli that are nearly the same, and of cos for those that have nothing in common, of which a layer with many classes
has thousands of pairs whose cosines differ in the seventh place. So cos is kept up to 1/2, and beyond it 1 / d, which
is larger than any cosine and tells by that what it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_NEAR = 0.5


def compact(dissimilarity: NDArray[np.float64]) -> NDArray[np.float32]:
    """Float32 numbers that `expand` makes dissimilarities of again; infinite where they are 0, NaN where NaN."""
    with np.errstate(divide="ignore", over="ignore"):
        return np.where(dissimilarity < _NEAR, 1 / dissimilarity, 1 - dissimilarity).astype(np.float32)


def expand(entries: NDArray[np.float32]) -> NDArray[np.float64]:
    """The dissimilarities in float64."""
    values = entries.astype(np.float64)
    near = values > 1
    with np.errstate(divide="ignore"):
        np.divide(1, values, out=values, where=near)
    np.subtract(1, values, out=values, where=~near)
    return values


def rounded_part(dissimilarity: NDArray[np.float64]) -> NDArray[np.float64]:
    """What `compact` rounds: its relative error is that of float32, whatever the size."""
    return np.minimum(dissimilarity, np.abs(1 - dissimilarity))
