"""Doing many things of a kind on all cores, or one after the other where that is not allowed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

Spread = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]


@contextmanager
def side_by_side(threaded: bool) -> Iterator[Spread]:
    """A `map` over as many threads as there are cores, each with one of BLAS; a plain one if not `threaded`."""
    n_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not threaded or n_threads == 1:
        yield map
        return
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), ThreadPoolExecutor(n_threads) as pool:
        yield pool.map
