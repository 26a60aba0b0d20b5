"""What a worker does: some stimuli through a segment, or the sums of one chunk. Called by Dask, in any process.

A worker is told by a `Ticket` where the job lies; it makes the job once, and keeps the last few. Both tasks may be
done again, by whoever: they read what is finished and write the same bytes to the same place.
"""

from __future__ import annotations

import functools
import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np

from layerwise.core.base.blas import single_threaded_blas
from layerwise.core.base.errors import LayerwiseError
from layerwise.core.host.jobs import ModelRecipe, StreamJob
from layerwise.core.host.registry import Registry
from layerwise.core.network.arrays import Arrays
from layerwise.core.network.matrices.tiles import TiledGram
from layerwise.core.network.model import Floats, Model
from layerwise.core.network.partial import PartialSums
from layerwise.core.runs.streaming.host_arrays import HostArrays
from layerwise.core.runs.streaming.tasks import (
    ChunkPlace,
    PassWork,
    compute_batches,
    deal,
    spread,
    sum_values,
)
from layerwise.plugins.engines.packing import load_from, unpack
from layerwise.plugins.engines.shared import SharedPlace, where_we_are

JOB, STIMULI = "job", "stimuli"
_N_KEPT = 3


@dataclass(frozen=True)
class Ticket:
    """Where a job lies.

    Attributes:
        url: The run's folder in the shared place.
        digest: Hex SHA-256 of the packed job; empty for one that lives in this process.
    """

    url: str
    digest: str


@dataclass
class OpenJob:
    """A job that this process can work at.

    Attributes:
        job: The job.
        place: Its shared place.
        arrays: Where its network's tensors are.
        turns: Held while a device is asked, which is by one thread at a time.
    """

    job: StreamJob
    place: SharedPlace
    arrays: Arrays
    turns: AbstractContextManager[Any] = field(default_factory=nullcontext)


LIVE: dict[str, StreamJob] = {}
"""Jobs of this process, by the URL of their place: workers that are threads of it take them from here."""

_JOBS: OrderedDict[Ticket, OpenJob] = OrderedDict()
_MODELS: OrderedDict[ModelRecipe, Model] = OrderedDict()
_OPENING = threading.Lock()
_KEPT = threading.local()


def end_name(segment: int) -> str:
    """The array of the tensor at the end of a segment."""
    return f"end-{segment}"


def chunk_name(work: PassWork, chunk: ChunkPlace) -> str:
    """The array of a chunk of a pass."""
    return f"chunk-{work.segment}-{work.number}-{chunk.number}"


def compute_rows(ticket: Ticket, segment: int, number: int, start: int, stop: int) -> int:
    """Stimuli `start` to `stop` through a segment, into the shared place; gives their number."""
    at = open_job(ticket)
    work = deal(at.job.plan, segment, number)
    blocks = _take_blocks(work, stop - start)
    ends: list[Floats] = []

    def put(chunk: ChunkPlace, first: int, values: Any) -> None:
        rows = blocks[chunk.number][first - start : first - start + len(values)]
        np.copyto(rows, at.arrays.fetch(values))

    with single_threaded_blas(), at.turns:
        for first, tensors in compute_batches(at.job, work, _source(at, work), slice(start, stop)):
            for layer in work.layers:
                spread(layer, first, tensors[layer.output], at.arrays, put)
            if work.end is not None:
                ends.append(np.asarray(at.arrays.fetch(tensors[work.end]), dtype=np.float32))
    if at.place.exists(JOB):  # else the run is over, and nobody would remove what is written now
        for chunk, block in zip(work.chunks, blocks, strict=True):
            at.place.write_block(chunk_name(work, chunk), start, block)
        if ends:
            at.place.write_block(end_name(segment), start, np.concatenate(ends))
    return stop - start


def compute_sums(ticket: Ticket, segment: int, number: int, chunk_number: int) -> PartialSums:
    """The sums of one chunk."""
    at = open_job(ticket)
    work = deal(at.job.plan, segment, number)
    place = work.chunks[chunk_number]
    with single_threaded_blas(), at.turns:
        room = _take_cells(at.job.plan.n_stimuli * place.width).reshape(-1, place.width)
        values = at.arrays.send(at.place.read(chunk_name(work, place), into=room))
        sums = sum_values(at.job, place, values, at.arrays)
        if not isinstance(sums.gram, TiledGram):
            sums.gram = np.asarray(at.arrays.fetch(sums.gram))
    return sums


def merge_sums(first: PartialSums, second: PartialSums) -> PartialSums:
    """The sums of some chunks of a layer with those of the next one; what is given stays as it is."""
    merged = replace(first, gram=first.gram.copy())
    with np.errstate(invalid="ignore", over="ignore"):
        merged.merge(second)
    return merged


def open_job(ticket: Ticket) -> OpenJob:
    """The job of a ticket; made once in a process.

    Raises:
        LayerwiseError: If it cannot be made here as it was meant.
    """
    with _OPENING:
        if ticket in _JOBS:
            _JOBS.move_to_end(ticket)
            return _JOBS[ticket]
        place = SharedPlace(ticket.url)
        job = LIVE[ticket.url] if not ticket.digest else _unpack(ticket, place)
        on_host = job.model.arrays is None
        found = OpenJob(job, place, job.model.arrays or HostArrays(), nullcontext() if on_host else threading.Lock())
        _keep(_JOBS, ticket, found)
        return found


def forget_live(url: str) -> None:
    """Let go of a job of this process."""
    LIVE.pop(url, None)
    with _OPENING:
        for ticket in [ticket for ticket in _JOBS if ticket.url == url]:
            del _JOBS[ticket]


def _unpack(ticket: Ticket, place: SharedPlace) -> StreamJob:
    packed = place.read_bytes(JOB)
    if hashlib.sha256(packed).hexdigest() != ticket.digest:
        raise LayerwiseError(f"{where_we_are()}: what lies at {ticket.url} is not what was put there")
    _limit_threads()
    return unpack(packed, _registry(), _load, where_we_are())


def _load(recipe: ModelRecipe) -> Model:
    """A model is kept for the next run of it: a sweep over stimuli loads it once."""
    if recipe not in _MODELS:
        _keep(_MODELS, recipe, load_from(recipe, _registry(), where_we_are()))
    _MODELS.move_to_end(recipe)
    return _MODELS[recipe]


@functools.cache
def _registry() -> Registry:
    from layerwise.plugins import load_plugins

    return load_plugins()


def _limit_threads() -> None:
    """TensorFlow takes as many threads as the worker has, where it has not begun yet and nobody said otherwise."""
    from distributed import get_worker

    n_threads = str(get_worker().state.nthreads)
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, n_threads)


def _keep(cache: OrderedDict[Any, Any], key: object, value: object) -> None:
    cache[key] = value
    while len(cache) > _N_KEPT:
        cache.popitem(last=False)


def _take_cells(n_cells: int) -> Floats:
    """Memory that this thread keeps from one task to the next: fresh pages cost as much as writing."""
    if len(getattr(_KEPT, "cells", ())) < n_cells:
        _KEPT.cells = np.empty(n_cells, dtype=np.float32)
    kept: Floats = _KEPT.cells
    return kept[:n_cells]


def _take_blocks(work: PassWork, n_rows: int) -> list[Floats]:
    """An array for some rows of each chunk."""
    ends = np.cumsum([0, *(n_rows * chunk.width for chunk in work.chunks)])
    cells = _take_cells(int(ends[-1]))
    return [cells[start:stop].reshape(n_rows, -1) for start, stop in pairwise(ends)]


def _source(at: OpenJob, work: PassWork) -> Callable[[int, int], Any]:
    parent = at.job.plan.segments[work.segment].parent
    if parent is None:
        return lambda start, stop: at.job.model.preprocess(at.place.read(STIMULI, slice(start, stop)))
    return lambda start, stop: at.arrays.send(at.place.read(end_name(parent), slice(start, stop)))
