"""What is gathered of one layer while it streams by: products, moments and counts.

Each batch of activations is taken apart into chunks of columns small enough for the processor's cache, and all
that is wanted of a chunk is computed while it is there. Activations are centred on a first mean per stimulus; what
that mean was off by is measured on the centred values and corrected exactly at the end, so that a large
common offset costs no precision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from layerwise.core.base.errors import LayerwiseError
from layerwise.core.host.kinds import StatisticValue, StreamedStatistic
from layerwise.core.host.plans import Target
from layerwise.core.host.registry import Registered
from layerwise.core.host.validation import check_statistic
from layerwise.core.network.model import Floats
from layerwise.core.network.representation import Products, read_only
from layerwise.core.network.summary import LayerSummary, Vector
from layerwise.core.runs.streaming.arena import Chunk
from layerwise.core.runs.streaming.sums import Scratch, StimulusSums, UnitSums


class StreamedState:
    """One streamed statistic of one layer, fed from the layer or from the branches it consists of.

    Where its plugin fails it is not fed any more, and has a reason in place of a number; the run goes on.

    Attributes:
        statistic: The statistic.
        failure: What its plugin failed with; empty where it did not.
    """

    def __init__(self, statistic: Registered[StreamedStatistic], n_stimuli: int, n_features: int) -> None:
        self.statistic = statistic
        self.failure = ""
        self._state: Any = self._call(statistic.offer.start, n_stimuli, n_features)

    def update(self, activations: Floats, stimuli: slice, units: slice) -> None:
        """Pass activations on."""
        if not self.failure:
            self._call(self.statistic.offer.update, self._state, read_only(activations), stimuli, units)

    def finish(self) -> tuple[Registered[Any], StatisticValue]:
        """The validated value, or the reason why there is none."""
        value = None if self.failure else self._call(self.statistic.offer.finish, self._state)
        if not self.failure:
            try:
                return self.statistic, check_statistic(self.statistic, value)
            except LayerwiseError as error:
                self.failure = str(error)
        return self.statistic, StatisticValue(None, self.failure)

    def _call(self, method: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return self.statistic.call(method, *arguments)
        except LayerwiseError as error:
            self.failure = str(error)
        return None


class LayerAccumulator:
    """Everything gathered of one target; its columns may come in several passes."""

    def __init__(self, target: Target, n_stimuli: int, n_features: int) -> None:
        self.target = target
        self.n_features = n_features
        self.listeners: list[tuple[StreamedState, int]] = []
        self._first_mean = np.zeros(n_stimuli)
        self.sums = StimulusSums(n_stimuli)
        self._gram = np.zeros((n_stimuli, n_stimuli))
        self._n_dead = 0
        self._lifetime_sum = 0.0
        self._unit_variance2 = 0.0

    def begin_batch(self, rows: slice, activations: Floats) -> Floats:
        """The mean that this batch is centred on, (batch, 1)."""
        mean: Floats = np.add.reduce(activations, axis=1, keepdims=True)
        mean /= np.float32(self.n_features)
        self._first_mean[rows] = mean[:, 0]
        return mean

    def add_products(self, products: Floats) -> None:
        """Add the products of a complete chunk, (n_stimuli, n_stimuli)."""
        self._gram += products

    def add_units(self, units: UnitSums, n_stimuli: int) -> None:
        """Add the units of a complete chunk."""
        live = units.squares > 0
        self._n_dead += int(np.count_nonzero(~live))
        variances = np.maximum(units.squares - units.sums**2 / n_stimuli, 0) / n_stimuli
        self._unit_variance2 += float(variances @ variances)
        if (self.sums.minimum < 0).any() or n_stimuli < 2:
            self._lifetime_sum = float("nan")
            return
        ratio = units.sums[live] ** 2 / (n_stimuli * units.squares[live])
        self._lifetime_sum += float(np.clip((1 - ratio) / (1 - 1 / n_stimuli), 0, 1).sum())

    def finish(self) -> tuple[Products, LayerSummary]:
        """Correct for what the first mean was off by, and hand everything over.

        Raises:
            LayerwiseError: If some activation is not finite.
        """
        refuse_not_finite(self.target, np.stack([self.sums.minimum, self.sums.maximum, self._first_mean], axis=1))
        count = self.n_features
        shift = self.sums.residual / count
        constant = self.sums.minimum == self.sums.maximum
        gram = self._gram - np.outer(self.sums.residual, shift)
        gram = (gram + gram.T) / 2
        gram[constant, :] = 0
        gram[:, constant] = 0
        mean = np.where(constant, self.sums.minimum, self._first_mean + shift)
        second, third, fourth = self.sums.powers
        summary = LayerSummary(
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
        return Products(gram, mean, count), summary


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
        for state, offset in self.accumulator.listeners:
            units = slice(offset + self.columns.start, offset + self.columns.stop)
            state.update(values, rows, units)

    def multiply(self, room: Callable[[], Floats], scratch: Callable[[], Scratch]) -> Floats:
        """The chunk's products, (n_stimuli, n_stimuli), once all stimuli have come.

        Args:
            room: Where to load a spooled chunk.
            scratch: The thread's temporary arrays.
        """
        del scratch
        with np.errstate(invalid="ignore", over="ignore"):
            centred = self.chunk.load(room)
            return centred @ centred.T

    def add(self, products: Floats) -> None:
        """Add the chunk's products and its units to the layer."""
        with np.errstate(invalid="ignore", over="ignore"):
            self.accumulator.add_products(products)
            self.accumulator.add_units(self.units, len(products))


def digest(tasks: Sequence[ChunkTask], start: int, activations: Floats, scratch: Scratch) -> None:
    """Take a batch of one layer's activations into all of its chunks of the present pass."""
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is reported when the layer is finished
        mean = tasks[0].begin_batch(slice(start, start + len(activations)), activations)
        for task in tasks:
            task.take(start, activations, mean, scratch)
