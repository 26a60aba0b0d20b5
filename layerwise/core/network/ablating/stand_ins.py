"""What stands in for the tensor of a silenced layer: a constant, or what other stimuli gave.

Every stand-in gives rows for stimuli from one place to another, so that a shuffled layer gets the same row for a
stimulus whatever the batch it comes in.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.spool import Spool
from layerwise.core.network.model import Compiled, Floats

_MOST_IN_MEMORY = 2**28  # bytes of a layer's activations; more lie in a file that nobody else sees


class StandIn(ABC):
    """What is put in place of one node's tensor."""

    @abstractmethod
    def read(self, start: int, stop: int) -> Floats:
        """float32 (stop - start, *the node's shape) for these stimuli."""


class Constant(StandIn):
    """The same for every stimulus.

    Args:
        value: float32 of the node's shape.
    """

    def __init__(self, value: Floats) -> None:
        self._value = np.ascontiguousarray(value, dtype=np.float32)

    def read(self, start: int, stop: int) -> Floats:
        """The value so many times."""
        return np.broadcast_to(self._value, (stop - start, *self._value.shape))


class Shuffled(StandIn):
    """What the node gave for another stimulus.

    Args:
        n_stimuli: Number of stimuli.
        shape: The node's.
        partners: (n,); whose row each stimulus gets.
    """

    def __init__(self, n_stimuli: int, shape: tuple[int, ...], partners: NDArray[np.intp]) -> None:
        self._shape, self._partners = shape, partners
        self._n_cells = math.prod(shape)
        is_large = 4 * n_stimuli * self._n_cells > _MOST_IN_MEMORY
        self._spool = Spool(None) if is_large else None
        self._rows = np.empty((0 if is_large else n_stimuli, self._n_cells), dtype=np.float32)

    def put(self, start: int, rows: Floats) -> None:
        """Keep what the node gave for some stimuli, from `start` on."""
        flat = np.ascontiguousarray(rows, dtype=np.float32).reshape(len(rows), -1)
        if self._spool is None:
            self._rows[start : start + len(rows)] = flat
        else:
            self._spool.write(4 * start * self._n_cells, flat)

    def read(self, start: int, stop: int) -> Floats:
        """The rows of their partners."""
        partners = self._partners[start:stop]
        if self._spool is None:
            return self._rows[partners].reshape(len(partners), *self._shape)
        found = np.empty((len(partners), self._n_cells), dtype=np.float32)
        for row, partner in zip(found, partners, strict=True):
            self._spool.read(4 * int(partner) * self._n_cells, row)
        return found.reshape(len(partners), *self._shape)


def draw_partners(n_stimuli: int, seed: int) -> NDArray[np.intp]:
    """Another stimulus for each, (n,): a cycle through all in a drawn order, so that nobody gets its own.

    Args:
        n_stimuli: Number of stimuli, two at least.
        seed: Of the order.
    """
    order = np.random.default_rng(seed).permutation(n_stimuli)
    partners = np.empty(n_stimuli, dtype=np.intp)
    partners[order] = np.roll(order, -1)
    return partners


def average(function: Compiled, nodes: Sequence[str], batches: Iterable[Floats]) -> dict[str, Floats]:
    """The mean over all batches of what a compiled function gives, by the node of each output; summed in float64."""
    sums: dict[str, NDArray[np.float64]] = {}
    n_stimuli = 0
    for batch in batches:
        n_stimuli += len(batch)
        for node, tensor in zip(nodes, function(batch), strict=True):
            total = np.asarray(tensor).sum(axis=0, dtype=np.float64)
            sums[node] = sums[node] + total if node in sums else total
    return {node: (total / n_stimuli).astype(np.float32) for node, total in sums.items()}
