"""Ranks of many numbers, fast: for Spearman correlations of pairs, and for ranks of activations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def average_ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Ranks from 1, ties averaged: what `scipy.stats.rankdata` gives, several times as fast for float32.

    Args:
        values: (n,); finite. Numbers that float32 can hold are sorted as such.
    """
    order = sort_order(values)
    ordered = values[order]
    is_first = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    starts = np.flatnonzero(is_first)
    ends = np.append(starts[1:], len(values))
    ranks = np.empty(len(values))
    ranks[order] = np.repeat((starts + ends + 1) / 2, ends - starts)
    return ranks


def sort_order(values: NDArray[np.floating]) -> NDArray[np.intp]:
    """Indices that sort finite numbers: float32 by radix sort over the two halves of their bits, others by NumPy.

    NumPy sorts 16-bit integers by radix, in linear time. Seen as an unsigned integer a positive float keeps its
    order once its sign bit is set, a negative one once all of its bits are flipped.
    """
    short = values.astype(np.float32, copy=False)
    if short.dtype != values.dtype and not np.array_equal(short, values):
        return np.argsort(values, kind="stable")
    bits = np.ascontiguousarray(short + np.float32(0)).view(np.uint32)  # + 0 makes -0 a 0, which it equals
    keys = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
    low = np.argsort((keys & 0xFFFF).astype(np.uint16), kind="stable")
    return low[np.argsort((keys >> 16).astype(np.uint16)[low], kind="stable")]
