"""Worker threads that centre and sum a batch of activations while the network computes the next one."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from layerwise.core.base.errors import PluginError
from layerwise.core.host.plans import StreamPlan, Target
from layerwise.core.host.validation import check_transformed
from layerwise.core.network.model import Floats
from layerwise.core.network.representation import read_only
from layerwise.core.runs.streaming.accumulate import ChunkTask, refuse_not_finite
from layerwise.core.runs.streaming.sums import Scratch


@dataclass(frozen=True)
class LayerWork:
    """One target's share of a pass: which output of the compiled function feeds which chunks."""

    target: Target
    output: int
    tasks: list[ChunkTask]


class Digester:
    """Gathers what is wanted of each batch; a layer a worker, so that no two of them write to one layer's sums.

    Attributes:
        n_columns: Columns of the widest chunk there is.
    """

    def __init__(self, plan: StreamPlan, workers: ThreadPoolExecutor) -> None:
        widest = max((span.n_features for s in plan.segments for spans in s.passes for span in spans), default=1)
        self.n_columns = min(plan.chunk_width, widest)
        self._batch_size = plan.batch_size
        self._workers = workers
        self._local = threading.local()

    def submit(self, work: Sequence[LayerWork], start: int, tensors: Sequence[Floats]) -> list[Future[None]]:
        """Begin with a batch, the stimuli from `start` on; the widest layers first, or they would be waited for."""
        return [
            self._workers.submit(self._digest, layer, start, tensors[layer.output])
            for layer in sorted(work, key=lambda layer: -layer.tasks[-1].columns.stop)
        ]

    def scratch(self) -> Scratch:
        """The calling thread's temporary arrays, made when it first asks: fresh pages cost more than the sums."""
        if not hasattr(self._local, "scratch"):
            self._local.scratch = Scratch(self._batch_size, self.n_columns)
        scratch: Scratch = self._local.scratch
        return scratch

    def _digest(self, layer: LayerWork, start: int, tensor: Floats) -> None:
        transform = layer.target.transform
        if transform is not None:
            changed = transform.call(transform.offer.apply, read_only(tensor))
            try:
                tensor = check_transformed(transform, changed, len(tensor), layer.tasks[0].accumulator.n_features)
            except PluginError:
                refuse_not_finite(layer.target, tensor, start)  # which is not the transform's fault
                raise
        activations = tensor.reshape(len(tensor), -1)
        scratch = self.scratch()
        with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is reported when a layer is finished
            mean = layer.tasks[0].begin_batch(slice(start, start + len(activations)), activations)
            for task in layer.tasks:
                task.take(start, activations, mean, scratch)
