"""How fast this machine runs a network, told from a batch of it before a run begins.

Half a batch goes through every segment twice, or a few times where that takes no time. What the first time takes
besides, tracing functions and loading libraries, the run need not do any more; the others are timed. One chunk of the
widest layer is summed by as many threads as the run will have, and one representation is made and measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from layerwise.core.base.blas import single_threaded_blas
from layerwise.core.base.machine import n_cores
from layerwise.core.history.costs import Pace, Rates
from layerwise.core.history.left_out import MOST_STIMULI
from layerwise.core.host import kinds
from layerwise.core.host.jobs import StreamJob
from layerwise.core.host.registered import Registered
from layerwise.core.network.arrays import Arrays
from layerwise.core.network.matrices.tiles import MOST_WHOLE, TILE
from layerwise.core.network.products import Products, multiplies_double
from layerwise.core.runs.costing.amounts import Amounts, count_amounts
from layerwise.core.runs.streaming.host_arrays import HostArrays
from layerwise.core.runs.streaming.tasks import PassWork, compute_batches, deal, preprocess

MIN_BATCHES = 16
"""A run of fewer is not worth two batches beforehand."""

_MOST_BATCHES, _SHORT = 5, 0.2  # seconds
_MOST_PAIRED = 1000  # stimuli of the representation that is tried

Statistics = Sequence[Registered[Any]]


def is_worth_it(job: StreamJob) -> bool:
    """Whether a run is long enough for its first batch to be tried."""
    return job.plan.n_stimuli >= MIN_BATCHES * job.plan.batch_size


def load_sums(job: StreamJob) -> None:
    """Load what is compiled for sums, which the run would do anyway: it is no memory of the run's."""
    arrays = job.model.arrays or HostArrays()
    values = arrays.empty(16).reshape(2, 8)
    arrays.write(values, arrays.send(np.eye(2, 8, dtype=np.float32)))
    arrays.sum_chunk(values, in_double=False)


def try_out(job: StreamJob, statistics: Statistics) -> Rates:
    """How fast a run will go, from a batch of it.

    Args:
        job: The run, in this process.
        statistics: What is measured of each representation.

    Raises:
        Exception: What the network raises on its first batch.
    """
    began = _now()
    arrays = job.model.arrays or HostArrays()
    with single_threaded_blas():
        n_rows = _count_tried(job)
        _pass_once(job, arrays, n_rows)
        network = _pass_some(job, arrays, n_rows)
        sums = _sum_once(job, arrays)
        layers = _measure_once(job, statistics)
    start = _now().plus(began.times(-1))
    return Rates(start, network, sums, layers)


def _count_tried(job: StreamJob) -> int:
    """Half a batch goes about as fast as a whole one, where the network is not on a device."""
    whole = min(job.plan.batch_size, job.plan.n_stimuli)
    return whole if job.model.arrays is not None else max(1, whole // 2)


def _pass_some(job: StreamJob, arrays: Arrays, n_rows: int) -> Pace:
    """Likewise; of a few batches where they are short, since one says little then, the median."""
    began = time.perf_counter()
    found: list[Pace] = []
    while not found or (len(found) < _MOST_BATCHES and time.perf_counter() - began < _SHORT):
        found.append(_pass_once(job, arrays, n_rows))
    return sorted(found, key=lambda pace: pace.seconds)[len(found) // 2]


def _pass_once(job: StreamJob, arrays: Arrays, n_rows: int) -> Pace:
    """Some stimuli through every segment, their activations put in their place; per stimulus and forward pass."""
    ends: dict[int | None, Any] = {None: None}
    spent = Pace()
    for index, segment in enumerate(job.plan.segments):
        work = deal(job.plan, index, 0)
        given = ends[segment.parent]
        source = partial(preprocess, job) if given is None else partial(_same, given)
        with _timed() as clock:
            (_, tensors), *_ = compute_batches(job, work, source, slice(0, n_rows))
            _copy(work, tensors, arrays, n_rows)
        spent = spent.plus(clock().times(len(segment.passes)))
        ends[index] = None if work.end is None else tensors[work.end]
    return spent.times(job.plan.n_stimuli / n_rows / count_amounts(job.plan).passes)


def _same(tensor: Any, _start: int, _stop: int) -> Any:
    return tensor


def _copy(work: PassWork, tensors: Sequence[Any], arrays: Arrays, n_rows: int) -> None:
    """What becomes of a batch's activations; the last one is fetched, which waits for the device."""
    for output in {layer.output for layer in work.layers}:
        flat = tensors[output].reshape(n_rows, -1)
        kept = arrays.empty(n_rows * flat.shape[1]).reshape(n_rows, -1)
        arrays.write(kept, flat)
        arrays.fetch(kept[:1, :1])


def _sum_once(job: StreamJob, arrays: Arrays) -> Pace:
    """A chunk's sums, by each thread at the same time; per 1e9 products. Of many stimuli those of a few tiles."""
    plan = job.plan
    in_tiles = job.model.arrays is None and plan.n_stimuli > MOST_WHOLE
    n_stimuli = min(plan.n_stimuli, 2 * TILE) if in_tiles else plan.n_stimuli
    n_features = max(span.n_features for segment in plan.segments for spans in segment.passes for span in spans)
    width = min(plan.chunk_width, n_features, 4096)
    values = arrays.empty(n_stimuli * width).reshape(n_stimuli, width)
    noise = np.random.default_rng(0).standard_normal((n_stimuli, width), dtype=np.float32)
    arrays.write(values, arrays.send(np.maximum(noise, 0, out=noise)))
    in_double = multiplies_double(plan.n_stimuli, n_features)

    def add(_: int) -> None:
        sums = arrays.sum_chunk(values, in_double=in_double)
        if not in_tiles:
            arrays.fetch(sums.gram[:1, :1])

    n_threads = plan.concurrency.n_workers
    with ThreadPoolExecutor(n_threads) as workers:
        list(workers.map(add, range(n_threads)))  # which loads what is compiled
        with _timed() as clock:
            list(workers.map(add, range(n_threads)))
    share = width / plan.n_features
    products = count_amounts(replace(plan, n_stimuli=n_stimuli, n_landmarks=None)).products
    return clock().times(1 / (n_threads * share * products))


def _measure_once(job: StreamJob, statistics: Statistics) -> Pace:
    """A representation made, and measured; per million pairs. Beside the network, on a thread of its own."""
    n_stimuli = min(job.plan.n_stimuli, _MOST_PAIRED)
    rows = np.random.default_rng(0).standard_normal((n_stimuli, n_stimuli))
    centred = rows - rows.mean(axis=0)
    products = Products(centred @ centred.T, rows.mean(axis=1), np.linalg.norm(rows, axis=1), MOST_STIMULI)
    is_large = job.plan.n_stimuli > MOST_STIMULI
    with _timed() as clock:
        representation = products.represent()
        for statistic in statistics:
            offer = statistic.offer
            if isinstance(offer, kinds.RepresentationStatistic) and not (is_large and offer.cubic):
                statistic.call(offer.compute, representation)
    spent = clock()  # on one thread, while all cores have other things to do
    shared = Pace((spent.processor or spent.seconds) / n_cores(), spent.processor)
    return shared.times(1 / Amounts.of_layer(n_stimuli))


@contextmanager
def _timed() -> Iterator[Callable[[], Pace]]:
    """Gives what the block took, once it has ended."""
    began = _now()
    ended: list[Pace] = []
    yield lambda: ended[0]
    ended.append(_now().plus(began.times(-1)))


def _now() -> Pace:
    return Pace(time.perf_counter(), time.process_time())
