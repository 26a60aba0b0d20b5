"""Where to cut a network into segments: dynamic programming over its cut points.

A cut costs writing and reading its tensor, a segment wider than the buffer costs the disk, and every segment costs a
start.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_SEGMENT_OVERHEAD = 16 * 2**20  # what starting another segment costs, in bytes that could be copied meanwhile
_SPOOL_PENALTY = 4  # a byte on disk is written and read, each at half the speed of memory or less


@dataclass(frozen=True)
class Shares:
    """What is there for layers, and for each of the two boundaries in use, in bytes of memory and of disk."""

    arena: int
    boundary_memory: int
    spool: int
    boundary_spool: int


def choose_cuts(
    steps: Sequence[int], boundaries: Sequence[int], shares: Shares, transits: Sequence[int]
) -> list[int]:
    """The steps at which a segment begins, and the end, of the cheapest way to cut.

    Cut points, not nodes, are what is decided about: between two of them nothing can be cut, so that the work
    grows with the square of their number however many branches lie between them.

    Args:
        steps: Bytes of the wanted layers of each step between neighbouring cut points.
        boundaries: Bytes of the tensor at which each step ends; the last one is not kept.
        shares: What is there, beside what the widest step hands over batch by batch.
        transits: Bytes that each step hands over so; what a segment hands over at once is that of all its steps.
    """
    n_steps = len(steps)
    # A larger buffer than the widest step needs would not save a pass, only touch more fresh pages, which cost
    # more than the cut that it spares: hence at most half as much again.
    limit = max(steps) + max(steps) // 2
    before, handed_before = (np.concatenate([[0], np.cumsum(each, dtype=np.int64)]) for each in (steps, transits))
    # State: the cheapest way to have done the steps before `last`, and where its last segment begins. What comes
    # later does not depend on how it was reached, since a boundary is all that the rest of the network needs.
    cheapest = np.full(n_steps + 1, math.inf)
    cheapest[0] = 0
    begin = [0] * (n_steps + 1)
    for last in range(1, n_steps + 1):
        kept = 0 if last == n_steps else boundaries[last - 1]
        if kept > max(shares.boundary_memory, shares.boundary_spool):
            continue
        moved = (_SPOOL_PENALTY if kept > shares.boundary_memory else 2) * kept
        handed = np.maximum(handed_before[last] - handed_before[:last] - max(transits), 0)
        room = np.minimum(limit, shares.arena - handed)
        excess = np.maximum(before[last] - before[:last] - room, 0)
        costs = cheapest[:last] + moved + _SPOOL_PENALTY * excess + _SEGMENT_OVERHEAD
        begin[last] = int(np.argmin(costs))
        cheapest[last] = costs[begin[last]]
    bounds = [n_steps]
    while bounds[-1]:
        bounds.append(begin[bounds[-1]])
    return bounds[::-1]
