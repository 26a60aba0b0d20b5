"""What is gathered of one layer while it streams by: products, moments and counts.

Each batch of activations is taken apart into chunks of columns small enough for the processor's cache, and all
that is wanted of a chunk is computed while it is there.

Activations are centred twice. First, as they come, on a mean per stimulus that is a float32 sum: a large common
offset would cost products of raw activations all their digits. Then, at the end and in closed form, on what that mean
was off by, which is the sum of the centred values: exact to float32 of small numbers. Neither would do alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import LayerwiseError
from layerwise.core.host.plans import Target
from layerwise.core.network.model import Floats
from layerwise.core.network.representation import Products
from layerwise.core.network.summary import LayerSummary, Vector
from layerwise.core.runs.streaming.arena import Chunk, Rooms
from layerwise.core.runs.streaming.states import Listener
from layerwise.core.runs.streaming.sums import Scratch, StimulusSums, UnitSums

_ROWS_AT_ONCE = 256  # rows (and columns) of a matrix that is corrected in place


class LayerAccumulator:
    """Everything gathered of one target; its columns may come in several passes.

    The matrix of sums is made when the first product is added, and handed over when the last one was: all layers of a
    segment stream side by side, but their products come one layer after the other, so that one matrix is alive at a
    time and not one for each layer.

    Args:
        target: What it gathers of.
        n_stimuli: Number of stimuli n.
        n_features: Number of units.
        listeners: The streamed statistics that see its activations.
        keeps: Whether the raw activations are kept as well.
    """

    def __init__(
        self, target: Target, n_stimuli: int, n_features: int, listeners: Sequence[Listener], *, keeps: bool
    ) -> None:
        self.target = target
        self.n_features = n_features
        self.listeners = listeners
        self.sums = StimulusSums(n_stimuli)
        self.kept = np.empty((n_stimuli, n_features), dtype=np.float32) if keeps else None
        self._n_stimuli = n_stimuli
        self._first_mean = np.zeros(n_stimuli)
        self._gram: Vector | None = None
        self._n_added = 0
        self._n_dead = 0
        self._lifetime_sum = 0.0
        self._unit_variance2 = 0.0

    @property
    def is_complete(self) -> bool:
        """Whether the products of all columns have been added."""
        return self._n_added == self.n_features

    def begin_batch(self, rows: slice, activations: Floats) -> Floats:
        """The mean that this batch is centred on, (batch, 1)."""
        if self.kept is not None:
            self.kept[rows] = activations
        mean: Floats = np.add.reduce(activations, axis=1, keepdims=True)
        mean /= np.float32(self.n_features)
        self._first_mean[rows] = mean[:, 0]
        return mean

    def add(self, products: Floats, units: UnitSums) -> None:
        """Add a complete chunk: its products, (n_stimuli, n_stimuli), and its units."""
        if self._gram is None:
            self._gram = np.zeros((self._n_stimuli, self._n_stimuli))
        self._gram += products  # float32 products add up in float64, or layers of many chunks lose digits
        self._add_units(units)
        self._n_added += len(units.sums)

    def _add_units(self, units: UnitSums) -> None:
        live = units.squares > 0
        self._n_dead += int(np.count_nonzero(~live))
        variances = np.maximum(units.squares - units.sums**2 / self._n_stimuli, 0) / self._n_stimuli
        self._unit_variance2 += float(variances @ variances)
        if (self.sums.minimum < 0).any() or self._n_stimuli < 2:
            self._lifetime_sum = float("nan")
            return
        ratio = units.sums[live] ** 2 / (self._n_stimuli * units.squares[live])
        self._lifetime_sum += float(np.clip((1 - ratio) / (1 - 1 / self._n_stimuli), 0, 1).sum())

    def finish(self) -> tuple[Products, LayerSummary]:
        """Correct for what the first mean was off by, and hand everything over; nothing is kept here.

        Raises:
            LayerwiseError: If some activation is not finite.
        """
        refuse_not_finite(self.target, np.stack([self.sums.minimum, self.sums.maximum, self._first_mean], axis=1))
        gram, self._gram = self._gram, None
        if gram is None:
            raise LayerwiseError(f"layer '{self.target.layer.name}' has no products")
        shift = self.sums.residual / self.n_features
        constant = self.sums.minimum == self.sums.maximum
        mean = np.where(constant, self.sums.minimum, self._first_mean + shift)
        correct(gram, self.sums.residual, shift, constant)
        return Products(gram, mean, self.n_features), self._summarize(mean, shift, constant)

    def _summarize(self, mean: Vector, shift: Vector, constant: NDArray[np.bool_]) -> LayerSummary:
        count = self.n_features
        second, third, fourth = self.sums.powers
        return LayerSummary(
            n_features=count,
            mean=mean,
            power2=np.where(constant, 0, np.maximum(second - count * shift**2, 0)),
            power3=np.where(constant, 0, third - 3 * shift * second + 2 * count * shift**3),
            power4=np.where(constant, 0, fourth - 4 * shift * third + 6 * shift**2 * second - 3 * count * shift**4),
            minimum=self.sums.minimum,
            maximum=self.sums.maximum,
            n_zeros=self.sums.n_zeros,
            absolute=self.sums.absolute,
            n_dead=self._n_dead,
            lifetime_sum=self._lifetime_sum,
            unit_variance2=self._unit_variance2,
        )


def correct(gram: Vector, residual: Vector, shift: Vector, constant: NDArray[np.bool_]) -> None:
    """Take what the first mean was off by out of summed products (n, n), and make them exactly symmetric.

    In place, some rows at a time: the matrix is the largest thing there is when there are many stimuli.
    """
    starts = range(0, len(gram), _ROWS_AT_ONCE)
    for start in starts:
        rows = slice(start, start + _ROWS_AT_ONCE)
        gram[rows] -= np.outer(residual[rows], shift)
    for start in starts:
        rows = slice(start, start + _ROWS_AT_ONCE)
        for other in range(start, len(gram), _ROWS_AT_ONCE):
            columns = slice(other, other + _ROWS_AT_ONCE)
            middle = (gram[rows, columns] + gram[columns, rows].T) / 2
            gram[rows, columns] = middle
            gram[columns, rows] = middle.T
    gram[constant, :] = 0
    gram[:, constant] = 0


def refuse_not_finite(target: Target, values: Floats | Vector, first_stimulus: int = 0) -> None:
    """Refuse activations that are not finite; `values` have a row for each stimulus from the first one on.

    Raises:
        LayerwiseError: If some are not; names the layer and the first such stimulus.
    """
    finite = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    if not finite.all():
        index = first_stimulus + int(np.argmin(finite))
        raise LayerwiseError(
            f"layer '{target.layer.name}' (transform {target.transform_name}): "
            f"activations of stimulus {index} are not finite"
        )


class ChunkTask:
    """One chunk of one layer in the present pass: where it is stored, and which columns it holds."""

    def __init__(self, accumulator: LayerAccumulator, chunk: Chunk, first_column: int) -> None:
        self.accumulator = accumulator
        self.chunk = chunk
        self.columns = slice(first_column, first_column + chunk.width)
        self.sums = accumulator.sums
        self.units = UnitSums(chunk.width)

    def begin_batch(self, rows: slice, activations: Floats) -> Floats:
        """The mean that this batch is centred on, (batch, 1); asked of a layer's first chunk, for all of them."""
        return self.accumulator.begin_batch(rows, activations)

    def take(self, start: int, activations: Floats, mean: Floats, scratch: Scratch) -> None:
        """Take this chunk's columns out of a batch of activations, (batch, n_features)."""
        rows = slice(start, start + len(activations))
        values = activations[:, self.columns]
        centred = self.chunk.rows(rows.start, rows.stop, scratch.rows)
        self.gather(rows, values, mean, centred, scratch)
        self.chunk.store(start, centred)

    def gather(self, rows: slice, values: Floats, mean: Floats, centred: Floats, scratch: Scratch) -> None:
        """Centre these columns of some stimuli into `centred`, and gather all that is wanted of them."""
        self.sums.take(rows, values, mean, centred, scratch)
        self.units.take(values, scratch)
        for listener in self.accumulator.listeners:
            first = listener.first_unit
            listener.state.update(values, rows, slice(first + self.columns.start, first + self.columns.stop))

    def multiply(self, rooms: Rooms, scratch: Callable[[], Scratch]) -> Floats:
        """The chunk's products, (n_stimuli, n_stimuli), once all stimuli have come.

        Args:
            rooms: Where to load a spooled chunk.
            scratch: The thread's temporary arrays.
        """
        del scratch
        with np.errstate(invalid="ignore", over="ignore"), self.chunk.loaded(rooms) as centred:
            return centred @ centred.T

    def add(self, products: Floats) -> None:
        """Add the chunk's products and its units to the layer."""
        with np.errstate(invalid="ignore", over="ignore"):
            self.accumulator.add(products, self.units)
