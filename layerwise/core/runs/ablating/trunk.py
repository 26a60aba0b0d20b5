"""The tensor of one cut point of the intact network for all stimuli, moved on from start to start."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from layerwise.core.base.spool import Spool
from layerwise.core.network.ablating.ablation import Read
from layerwise.core.network.model import Floats, Model

Advance = Callable[[int], None]
_MOST_IN_MEMORY = 2**30  # bytes; a larger tensor lies in a file that nobody else sees


class _Rows:
    """float32 rows, (n, *shape), in memory or in a file."""

    def __init__(self, n_stimuli: int, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self._n_cells = math.prod(shape)
        is_large = 4 * n_stimuli * self._n_cells > _MOST_IN_MEMORY
        self._spool = Spool(None) if is_large else None
        self._rows = np.empty((0 if is_large else n_stimuli, *shape), dtype=np.float32)

    def put(self, start: int, rows: Floats) -> None:
        if self._spool is None:
            self._rows[start : start + len(rows)] = rows
        else:
            self._spool.write(4 * start * self._n_cells, np.ascontiguousarray(rows, dtype=np.float32))

    def read(self, start: int, stop: int) -> Floats:
        if self._spool is None:
            return self._rows[start:stop]
        found = np.empty((stop - start, *self.shape), dtype=np.float32)
        self._spool.read(4 * start * self._n_cells, found)
        return found

    def close(self) -> None:
        if self._spool is not None:
            self._spool.close()


class Trunk:
    """Holds the tensor at one cut point for all stimuli; it can only be moved on.

    Args:
        model: The intact model.
        read: Gives the stimuli.
        n_stimuli: Number of stimuli.
        batch_size: Stimuli per call of the network.
        tell: Told of progress: how many stimuli have gone from one cut point to the next, and which these are.
    """

    def __init__(
        self,
        model: Model,
        read: Read,
        n_stimuli: int,
        batch_size: int,
        tell: Callable[[int, str, str], None] = lambda *_: None,
    ) -> None:
        self.model = model
        self.n_stimuli = n_stimuli
        self.place = model.graph.input
        self._read, self._batch_size, self._tell = read, batch_size, tell
        self._rows: _Rows | None = None

    def move_to(self, node: str) -> None:
        """Compute the intact network up to a cut point that is not before the present one."""
        if node == self.place:
            return
        function = self.model.compile(self.place, [node])
        rows = _Rows(self.n_stimuli, self.model.graph[node].shape)
        for start in range(0, self.n_stimuli, self._batch_size):
            stop = min(start + self._batch_size, self.n_stimuli)
            rows.put(start, self.fetch(function(self.tensor(start, stop))[0]))
            self._tell(stop - start, self.place, node)
        self.close()
        self.place, self._rows = node, rows

    def rows(self, start: int, stop: int) -> Floats:
        """What the cut point gives for some stimuli, (stop - start, ...), not to be changed."""
        if self._rows is None:
            return self.fetch(self.tensor(start, stop))
        return self._rows.read(start, stop)

    def tensor(self, start: int, stop: int) -> Any:
        """The same where the model computes."""
        if self._rows is None:
            return self.model.preprocess(self._read(start, stop))
        return self.send(self._rows.read(start, stop))

    def send(self, rows: Floats) -> Any:
        """Rows where the model computes."""
        arrays = self.model.arrays
        return rows if arrays is None else arrays.send(np.ascontiguousarray(rows))

    def fetch(self, tensor: Any) -> Floats:
        """A tensor of the model as an array of NumPy."""
        arrays = self.model.arrays
        return np.asarray(tensor if arrays is None else arrays.fetch(tensor), dtype=np.float32)

    def close(self) -> None:
        """Give back what is held."""
        if self._rows is not None:
            self._rows.close()
            self._rows = None
