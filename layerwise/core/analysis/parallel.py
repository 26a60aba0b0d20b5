"""A thread pool for pairs and layers, or one after the other where threads are not allowed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from layerwise.core.base.blas import single_threaded_blas
from layerwise.core.base.machine import n_cores

Spread = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]


@contextmanager
def side_by_side(threaded: bool, n_most: int | None = None) -> Iterator[Spread]:
    """A `map` over several threads, each with one of BLAS; a plain one if not `threaded`, or of one thread.

    Args:
        threaded: Whether what is done may be done in several threads at once.
        n_most: How many threads the memory allows; None where that is no question. Never more than there are cores.
    """
    n_threads = n_cores() if n_most is None else min(n_cores(), n_most)
    if not threaded or n_threads <= 1:
        yield map
        return
    with single_threaded_blas(), ThreadPoolExecutor(n_threads) as pool:
        yield pool.map
