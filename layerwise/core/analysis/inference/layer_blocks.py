"""Layers in blocks that fit into a budget of memory, for questions that need many of them at once, many times over.

Resamples and permutations compare all layers of a block on each draw of the stimuli. Where not all layers fit, they
are halved into groups and every two groups make a block, so that every two layers meet in one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import overload

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.machine import n_cores
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import LayerAddress
from layerwise.core.network.representation import Representation

Places = NDArray[np.intp]
PredictBytes = Callable[[int, int], int]
_READ_AT_ONCE = 16
_READ_BYTES = 1 << 28  # of representations that are read together, as they are unpacked


class StoredLayers(Sequence[Representation]):
    """Layers of a history as a sequence that reads each one when it is asked for, and keeps none."""

    def __init__(self, history: HistoryProtocol, addresses: Sequence[LayerAddress]) -> None:
        """Nothing is read yet.

        Args:
            history: Where the representations are.
            addresses: Theirs, of runs on the same stimuli.
        """
        self._history = history
        self._addresses = list(addresses)

    def __len__(self) -> int:
        """How many layers there are."""
        return len(self._addresses)

    @overload
    def __getitem__(self, index: int) -> Representation: ...
    @overload
    def __getitem__(self, index: slice) -> StoredLayers: ...
    def __getitem__(self, index: int | slice) -> Representation | StoredLayers:
        """One layer, read now; or some of them, to be read later."""
        if isinstance(index, slice):
            return StoredLayers(self._history, self._addresses[index])
        return self._history.read_representations([self._addresses[index]])[0]

    def __iter__(self) -> Iterator[Representation]:
        """One layer after the other, a few of them read together where they are small: one query is faster."""
        n_read = 1
        start = 0
        while start < len(self):
            for found in self._history.read_representations(self._addresses[start : start + n_read]):
                n_stimuli = found.n_stimuli
                yield found
            start += n_read
            n_read = max(1, min(_READ_AT_ONCE, _READ_BYTES // (8 * n_stimuli**2)))

    def pick(self, places: Places) -> StoredLayers:
        """Some of the layers, in this order."""
        return StoredLayers(self._history, [self._addresses[place] for place in places])


def pick_layers(layers: Sequence[Representation], places: Places) -> Sequence[Representation]:
    """Some of the layers, in this order; those of a history are not read yet."""
    return layers.pick(places) if isinstance(layers, StoredLayers) else [layers[place] for place in places]


def list_blocks(n_layers: int, n_most: int) -> list[Places]:
    """Blocks of at most so many layers (two at least), in each of which every layer meets every other of it."""
    if n_layers <= n_most:
        return [np.arange(n_layers)]
    groups = np.array_split(np.arange(n_layers), -(-n_layers // max(1, n_most // 2)))
    return [np.concatenate(two) for two in combinations(groups, 2)]


def choose_block_size(n_layers: int, n_bytes: int, predict: PredictBytes, *, threaded: bool) -> tuple[int, int]:
    """How many layers a block has and how many threads work on it, so that all of it is done soonest.

    Args:
        n_layers: How many layers there are.
        n_bytes: The budget; two layers and one thread are the least, whatever they take.
        predict: Bytes that so many layers on so many threads take.
        threaded: Whether there may be several threads.

    Returns:
        Layers a block, and threads.
    """
    best, least = (min(2, n_layers), 1), float("inf")
    for n_threads in range(n_cores() if threaded else 1, 0, -1):
        n_fitting = next((n for n in range(n_layers, 1, -1) if predict(n, n_threads) <= n_bytes), 0)
        if n_fitting:
            # Preparing goes with the layers of all blocks together, and is most of the work.
            work = sum(len(block) for block in list_blocks(n_layers, n_fitting)) / n_threads
            if work < least:
                best, least = (n_fitting, n_threads), work
    return best
