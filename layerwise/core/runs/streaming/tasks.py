"""What there is to do for one pass over a segment, in pieces that anybody can do who has the plan and the rows.

Two kinds of pieces. `compute_batches` and `spread` are the network's: some stimuli through the segment, the
activations of each wanted layer cut into chunks of columns. `sum_values` is the arithmetic's: one chunk, all stimuli,
to its `PartialSums`. Both are functions of a job (a model, stimuli, a plan) and of a place in its plan, and change
nothing but what they are handed; threads of this process (`local`) and workers of a cluster call the same ones.
Batches are those of the plan wherever a piece begins, so that it never shows who computed what.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from layerwise.core.base.errors import PluginError
from layerwise.core.host.jobs import StreamJob
from layerwise.core.host.kinds import UnitTransform
from layerwise.core.host.plans import StreamPlan, Target
from layerwise.core.host.validation import check_transformed
from layerwise.core.network.ablating.ablation import Replaced
from layerwise.core.network.arrays import Arrays
from layerwise.core.network.model import Compiled, Floats
from layerwise.core.network.partial import PartialSums, refuse_not_finite
from layerwise.core.network.products import multiplies_double
from layerwise.core.network.representation import read_only
from layerwise.core.runs.streaming.states import Listener

_CELLS_AT_ONCE = 2**17  # of units that are transformed, float64 copies of so many stay in the cache
_ROWS_AT_ONCE = 64  # that a streamed statistic is handed


@dataclass(frozen=True)
class ChunkPlace:
    """Some columns of one target, for all stimuli.

    Attributes:
        target: The target.
        n_features: Of all of the target.
        number: Place among the chunks of the pass.
        columns: Which columns of the target.
    """

    target: Target
    n_features: int
    number: int
    columns: slice

    @property
    def width(self) -> int:
        """Number of columns."""
        return int(self.columns.stop - self.columns.start)


@dataclass(frozen=True)
class LayerWork:
    """One target's share of a pass: which output of the compiled function feeds which chunks."""

    target: Target
    output: int
    chunks: tuple[ChunkPlace, ...]


@dataclass(frozen=True)
class PassWork:
    """All that one pass over a segment has to do.

    Attributes:
        segment: Place of the segment in the plan.
        start: Node whose tensor goes in.
        outputs: Nodes whose tensors are computed.
        end: Place among the outputs of the tensor that is kept for later segments; None where none is, or not by this
            pass.
        layers: What becomes of the outputs.
        number: Which pass over the segment it is.
    """

    segment: int
    start: str
    outputs: tuple[str, ...]
    end: int | None
    layers: tuple[LayerWork, ...]
    number: int = 0

    @property
    def chunks(self) -> list[ChunkPlace]:
        """All chunks, in the order in which they are summed."""
        return [chunk for layer in self.layers for chunk in layer.chunks]


def deal(plan: StreamPlan, segment_index: int, pass_index: int) -> PassWork:
    """The work of one pass; the first one over a segment keeps its end."""
    segment = plan.segments[segment_index]
    spans = segment.passes[pass_index]
    outputs = list(dict.fromkeys(span.target.layer.node for span in spans))
    end = segment.end if pass_index == 0 else None
    if end is not None and end not in outputs:
        outputs.append(end)
    layers = []
    number = 0
    for span in spans:
        chunks = []
        for index in range(span.first, span.last):
            first = index * plan.chunk_width
            columns = slice(first, min(first + plan.chunk_width, span.n_features))
            chunks.append(ChunkPlace(span.target, span.n_features, number, columns))
            number += 1
        layers.append(LayerWork(span.target, outputs.index(span.target.layer.node), tuple(chunks)))
    place = None if end is None else outputs.index(end)
    return PassWork(segment_index, segment.start, tuple(outputs), place, tuple(layers), pass_index)


def compute_batches(
    job: StreamJob, work: PassWork, source: Callable[[int, int], Any], rows: slice | None = None
) -> Iterator[tuple[int, Sequence[Any]]]:
    """The tensors of each batch of some stimuli, with its first stimulus.

    Args:
        job: The job.
        work: The pass.
        source: Gives what goes into the segment for the stimuli from one place to another.
        rows: Which stimuli, from the beginning of a batch on; all by default.
    """
    function = job.model.compile(work.start, work.outputs)
    first, last = (rows.start, rows.stop) if rows else (0, job.plan.n_stimuli)
    for start in range(first, last, job.plan.batch_size):
        stop = min(start + job.plan.batch_size, last)
        yield start, call_at(function, start, source(start, stop))


def call_at(function: Compiled, start: int, batch: Any) -> Sequence[Any]:
    """What a compiled function gives for a batch that begins with stimulus `start`.

    Of a model without some layers it depends on which stimuli these are.
    """
    return function.at(start, batch) if isinstance(function, Replaced) else function(batch)


def preprocess(job: StreamJob, start: int, stop: int) -> Floats:
    """What goes into the first segment."""
    return job.model.preprocess(job.stimuli.read(start, stop))


def spread(
    layer: LayerWork, start: int, tensor: Any, arrays: Arrays, put: Callable[[ChunkPlace, int, Any], None]
) -> None:
    """Cut a batch of a layer's activations into chunks, transformed where that is done stimulus by stimulus.

    Args:
        layer: Which layer.
        start: The first stimulus of the batch.
        tensor: (batch, ...); what the network gave.
        arrays: Where that is.
        put: Called with each chunk, the first stimulus, and (batch, width) values of the same device.

    Raises:
        PluginError: If a transform does not keep its promise.
        LayerwiseError: If a transform fails because activations are not finite.
    """
    transform = layer.target.transform
    if transform is not None and not isinstance(transform.offer, UnitTransform):
        given = np.asarray(arrays.fetch(tensor), dtype=np.float32)
        changed = transform.call(transform.offer.apply, read_only(given))
        try:
            found = check_transformed(transform, changed, len(given), layer.chunks[0].n_features)
        except PluginError:
            refuse_not_finite(layer.target.described, given, start)  # which is not the transform's fault
            raise
        tensor = arrays.send(found)
    activations = tensor.reshape(len(tensor), -1)
    for chunk in layer.chunks:
        put(chunk, start, activations[:, chunk.columns])


def sum_values(
    job: StreamJob, chunk: ChunkPlace, values: Any, arrays: Arrays, listeners: Sequence[Listener] = ()
) -> PartialSums:
    """The sums of one chunk, once all stimuli have come.

    Args:
        job: The job.
        chunk: Which chunk.
        values: (n, width) on the device; units may be transformed in place.
        arrays: Where that is.
        listeners: Streamed statistics that are to see it.
    """
    transform = chunk.target.transform
    settle_units(chunk, values, arrays)
    in_double = multiplies_double(job.plan.n_stimuli, chunk.n_features)
    sums = arrays.sum_chunk(values, in_double=in_double)
    if listeners:  # once the sums are there: where a device has no memory for them, all of this is done again
        tell(listeners, chunk, np.asarray(arrays.fetch(values), dtype=np.float32))
    if chunk.target.layer.name in job.keep and transform is None:
        sums.activations = np.array(arrays.fetch(values), dtype=np.float32)
    return sums


def settle_units(chunk: ChunkPlace, values: Any, arrays: Arrays) -> None:
    """Transform the units of a chunk in place, where its transform needs all stimuli of one."""
    transform = chunk.target.transform
    if transform is None or not isinstance(transform.offer, UnitTransform):
        return
    found = np.array(arrays.fetch(values), dtype=np.float32)
    if np.isfinite(found).all():  # else left alone, so that the stimulus can be named
        _transform_units(transform, transform.offer, found)
    arrays.write(values, arrays.send(found))


def _transform_units(transform: Any, offer: UnitTransform, values: Floats) -> None:
    """Replace units, some at a time: a unit is told from all of its activations."""
    n_stimuli, width = values.shape
    n_units = max(1, _CELLS_AT_ONCE // n_stimuli)
    for start in range(0, width, n_units):
        units = values[:, start : start + n_units]
        changed = transform.call(offer.apply_units, read_only(units))
        units[:] = check_transformed(transform, changed, n_stimuli, units.shape[1])


def tell(listeners: Sequence[Listener], chunk: ChunkPlace, values: Floats) -> None:
    """Show a chunk, (n, width) and settled, to streamed statistics."""
    for listener in listeners:
        first = listener.first_unit
        units = slice(first + chunk.columns.start, first + chunk.columns.stop)
        for start in range(0, len(values), _ROWS_AT_ONCE):
            rows = values[start : start + _ROWS_AT_ONCE]
            listener.state.update(rows, slice(start, start + len(rows)), units)
