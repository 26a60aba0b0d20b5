"""What is gathered of one layer while it streams by: products, moments and counts.

Each batch of activations is taken apart into chunks of columns small enough for the processor's cache, and all
that is wanted of a chunk is computed while it is there.

Moments are taken about a mean per stimulus that is a float32 sum, and corrected at the end, in closed form, for what
that mean was off by. Products wait until all stimuli have come, when the mean stimulus is known (`blocks`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import LayerwiseError
from layerwise.core.host.plans import Target
from layerwise.core.network.model import Floats
from layerwise.core.network.products import Products, multiplies_double
from layerwise.core.network.resolution import tell_rounding
from layerwise.core.network.summary import LayerSummary, Vector
from layerwise.core.runs.streaming.arena import Chunk, Rooms
from layerwise.core.runs.streaming.blocks import (
    DOUBLE_PRODUCTS,
    SINGLE_PRODUCTS,
    ChunkSums,
    dead_units,
    multiply_chunk,
)
from layerwise.core.runs.streaming.states import Listener
from layerwise.core.runs.streaming.sums import Scratch, StimulusSums

_N_SAMPLES = 8
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
        self._total = np.zeros(n_stimuli)
        self._inner = np.zeros(n_stimuli)
        self._reference_sum = 0.0
        self._gram: Vector | None = None
        self._n_added = 0
        self._is_hard = True  # until a chunk is not
        self._samples: list[Floats] = []
        self._n_dead = 0
        self._lifetime_sum = 0.0
        self._unit_variance2 = 0.0

    @property
    def is_complete(self) -> bool:
        """Whether the products of all columns have been added."""
        return self._n_added == self.n_features

    def begin_batch(self, rows: slice, activations: Floats) -> Floats:
        """The mean that the moments of this batch are about, (batch, 1)."""
        if self.kept is not None:
            self.kept[rows] = activations
        mean: Floats = np.add.reduce(activations, axis=1, keepdims=True)
        if not np.isfinite(mean).all():  # the sum of large numbers, or numbers that are not finite
            mean = np.add.reduce(activations, axis=1, keepdims=True, dtype=np.float64)
        mean = (mean / self.n_features).astype(np.float32)
        self._first_mean[rows] = mean[:, 0]
        return mean

    @property
    def levels(self) -> Vector:
        """The mean of each stimulus's activations, roughly, (n,)."""
        return self._first_mean

    @property
    def peak(self) -> float:
        """The size of the largest activation that has come."""
        return float(max(-self.sums.minimum.min(), self.sums.maximum.max()))

    @property
    def in_double(self) -> bool:
        """Whether products are taken in float64."""
        return multiplies_double(self._n_stimuli, self.n_features)

    def add(self, chunk: ChunkSums, dead: NDArray[np.bool_], sample: Floats) -> None:
        """Add a complete chunk: its products, (n_stimuli, n_stimuli), its sums, and its units.

        Args:
            chunk: Products and sums.
            dead: (width,); which units are 0 for every stimulus.
            sample: A few of its activations, from which it is told how they were rounded.
        """
        if self._gram is None:
            self._gram = np.zeros((self._n_stimuli, self._n_stimuli))
        self._gram += chunk.gram
        self._is_hard &= chunk.is_hard
        self._total += chunk.total
        self._inner += chunk.inner
        self._reference_sum += chunk.reference_sum
        self._add_units(chunk, dead)
        self._n_added += len(dead)
        if len(self._samples) < _N_SAMPLES:
            self._samples.append(sample)

    def _add_units(self, chunk: ChunkSums, dead: NDArray[np.bool_]) -> None:
        self._n_dead += int(np.count_nonzero(dead))
        n_stimuli = self._n_stimuli
        means = chunk.unit_sums / n_stimuli
        shifts = chunk.reference - means  # what squares are about, less the mean
        variances = np.maximum(chunk.unit_squares / n_stimuli - shifts**2, 0)
        self._unit_variance2 += float(variances @ variances)
        if (self.sums.minimum < 0).any() or n_stimuli < 2:
            self._lifetime_sum = float("nan")
            return
        live = ~dead & (means > 0)
        ratio = 1 / (1 + variances[live] / means[live] ** 2)  # mean^2 / mean square
        self._lifetime_sum += float(np.clip((1 - ratio) / (1 - 1 / n_stimuli), 0, 1).sum())

    def finish(self) -> tuple[Products, LayerSummary]:
        """Correct for what references and means were off by, and hand everything over; nothing is kept here.

        Squares about a level that is nearly a stimulus's mean over units become those about the mean.

        Raises:
            LayerwiseError: If some activation is not finite.
        """
        refuse_not_finite(self.target, np.stack([self.sums.minimum, self.sums.maximum, self._first_mean], axis=1))
        gram, self._gram = self._gram, None
        if gram is None:
            raise LayerwiseError(f"layer '{self.target.layer.name}' has no products")
        count = self.n_features
        constant = self.sums.minimum == self.sums.maximum
        mean = self.levels.mean() + (self._reference_sum + self._total) / count
        norm = np.sqrt(np.maximum(self._inner - count * (mean - self.levels) ** 2, 0))
        norm[constant], mean[constant] = 0, self.sums.minimum[constant]
        refuse_not_finite(
            self.target, np.stack([np.diagonal(gram), mean, norm], axis=1), what="sums of the activations"
        )
        centre(gram)
        products = DOUBLE_PRODUCTS if self.in_double or self._is_hard else SINGLE_PRODUCTS
        resolution = replace(products, activations=tell_rounding(np.concatenate(self._samples)))
        found = Products(gram, mean, norm, count, resolution, self._is_hard)
        return found, self._summarize(mean, norm, constant)

    def _summarize(self, mean: Vector, norm: Vector, constant: NDArray[np.bool_]) -> LayerSummary:
        """Higher moments are moved from the mean that they were taken about to the exact one."""
        count, shift, second = self.n_features, mean - self._first_mean, norm**2
        raw_third, raw_fourth = self.sums.powers
        third = raw_third - 3 * shift * second - count * shift**3
        fourth = raw_fourth - 4 * shift * third - 6 * shift**2 * second - count * shift**4
        return LayerSummary(
            n_features=count,
            mean=mean,
            power2=second,
            power3=np.where(constant, 0, third),
            power4=np.where(constant, 0, fourth),
            minimum=self.sums.minimum,
            maximum=self.sums.maximum,
            n_zeros=self.sums.n_zeros,
            absolute=count * mean + 2 * self.sums.negative,
            n_dead=self._n_dead,
            lifetime_sum=self._lifetime_sum,
            unit_variance2=self._unit_variance2,
        )


def centre(gram: Vector) -> None:
    """Make summed products (n, n) those of deviations from the exact mean stimulus, and exactly symmetric.

    In place, some rows at a time: the matrix is the largest thing there is when there are many stimuli.
    """
    across = gram.mean(axis=0)
    shift = across - across.mean() / 2
    starts = range(0, len(gram), _ROWS_AT_ONCE)
    for start in starts:
        rows = slice(start, start + _ROWS_AT_ONCE)
        gram[rows] -= shift[rows, None] + shift
    for start in starts:
        rows = slice(start, start + _ROWS_AT_ONCE)
        for other in range(start, len(gram), _ROWS_AT_ONCE):
            columns = slice(other, other + _ROWS_AT_ONCE)
            middle = (gram[rows, columns] + gram[columns, rows].T) / 2
            gram[rows, columns] = middle
            gram[columns, rows] = middle.T


def refuse_not_finite(
    target: Target, values: Floats | Vector, first_stimulus: int = 0, what: str = "activations"
) -> None:
    """Refuse activations that are not finite; `values` have a row for each stimulus from the first one on.

    Raises:
        LayerwiseError: If some are not; names the layer and the first such stimulus.
    """
    finite = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    if not finite.all():
        index = first_stimulus + int(np.argmin(finite))
        raise LayerwiseError(
            f"layer '{target.layer.name}' (transform {target.transform_name}): "
            f"{what} of stimulus {index} are not finite"
        )


class ChunkTask:
    """One chunk of one layer in the present pass: where it is stored, and which columns it holds."""

    def __init__(self, accumulator: LayerAccumulator, chunk: Chunk, first_column: int) -> None:
        self.accumulator = accumulator
        self.chunk = chunk
        self.columns = slice(first_column, first_column + chunk.width)
        self.sums = accumulator.sums
        self.unit_sums: Vector = np.zeros(chunk.width)
        self.dead: NDArray[np.bool_] = np.zeros(chunk.width, dtype=np.bool_)
        self.sample: Floats = np.empty(0, dtype=np.float32)

    def begin_batch(self, rows: slice, activations: Floats) -> Floats:
        """The mean that moments are about, (batch, 1); asked of a layer's first chunk, for all of them."""
        return self.accumulator.begin_batch(rows, activations)

    def take(self, start: int, activations: Floats, mean: Floats, scratch: Scratch) -> None:
        """Take this chunk's columns out of a batch of activations, (batch, n_features)."""
        rows = slice(start, start + len(activations))
        kept = self.chunk.rows(rows.start, rows.stop, scratch.rows)
        np.copyto(kept, activations[:, self.columns])
        self.gather(rows, kept, mean, scratch)
        self.chunk.store(start, kept)

    def gather(self, rows: slice, values: Floats, mean: Floats, scratch: Scratch) -> None:
        """Gather all that is wanted of these columns of some stimuli."""
        self.sums.take(rows, values, mean, scratch)
        self.unit_sums += scratch.ones[: len(values)] @ values
        for listener in self.accumulator.listeners:
            first = listener.first_unit
            listener.state.update(values, rows, slice(first + self.columns.start, first + self.columns.stop))

    def multiply(self, rooms: Rooms, scratch: Callable[[], Scratch]) -> ChunkSums:
        """The chunk's products and sums, once all stimuli have come.

        Args:
            rooms: Where to load a spooled chunk.
            scratch: The thread's temporary arrays.
        """
        layer = self.accumulator
        with np.errstate(invalid="ignore", over="ignore"), self.chunk.loaded(rooms) as values:
            return self._multiply(values, layer.levels, layer.peak, scratch)

    def _multiply(self, values: Floats, levels: Vector, peak: float, scratch: Callable[[], Scratch]) -> ChunkSums:
        in_double = self.accumulator.in_double
        found = multiply_chunk(values, self.unit_sums, levels, peak, scratch, in_double=in_double)
        self.dead = dead_units(values, found)
        some = values[:: max(1, len(values) // 8), :: max(1, values.shape[1] // 128)]
        self.sample = some.flatten()
        return found

    def add(self, products: ChunkSums) -> None:
        """Add the chunk's products, sums and units to the layer."""
        with np.errstate(invalid="ignore", over="ignore"):
            self.accumulator.add(products, self.dead, self.sample)
