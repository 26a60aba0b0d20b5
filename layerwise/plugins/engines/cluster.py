"""Workers of Dask: a cluster whose scheduler is named, or processes (for a live model: threads) of this machine."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from layerwise.core.base import machine
from layerwise.core.base.errors import InputError, LayerwiseError

ANSWER_SECONDS = 5
"""How long a scheduler may take to answer."""

_THREADS = ("OMP", "OPENBLAS", "MKL")
ENVIRONMENT = {f"{name}_NUM_THREADS": "1" for name in _THREADS} | {
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    # Dask has the allocator give memory back at once, and fresh pages cost more than what is written to them.
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
}
"""Of workers of one thread that stream networks."""

CONFIGURATION = {
    "distributed.nanny.pre-spawn-environ": ENVIRONMENT,  # the allocator reads it when a process begins, not later
    "distributed.worker.profile.enabled": False,  # looks at every thread a hundred times a second
    "distributed.admin.tick.interval": "500ms",  # each process looks at its clock, by default every 20 ms,
    "distributed.admin.system-monitor.interval": "5s",  # and at itself every 500 ms: 6 % of a core, doing nothing
}
"""Of Dask, where such workers are started."""


def check_installed() -> None:
    """See that Dask and zarr are there.

    Raises:
        InputError: If not; says what to install.
    """
    missing = [name for name in ("dask", "distributed", "fsspec", "zarr") if find_spec(name) is None]
    if missing:
        raise InputError(
            f"--engine dask needs {', '.join(missing)}, not installed here: pip install 'layerwise[dask]'"
        )


@contextmanager
def connect(scheduler: str) -> Iterator[Any]:
    """A client of the scheduler at an address.

    Raises:
        InputError: If none answers there.
        LayerwiseError: If it is lost while it is used, or workers die one after the other.
    """
    from distributed import Client

    with _quiet():
        try:
            _knock(scheduler)
            client = Client(scheduler, timeout=ANSWER_SECONDS, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            raise InputError(
                f"no Dask scheduler answers at {scheduler}: start one with 'dask scheduler', or leave "
                "--scheduler out for workers on this machine"
            ) from error
        try:
            with _told(f"the scheduler at {scheduler} was lost"):
                yield client
        finally:
            client.close(timeout=ANSWER_SECONDS)


def _knock(scheduler: str) -> None:
    """See that somebody listens at an address: a client that finds nobody takes its time to go.

    Raises:
        OSError: If nobody does.
        ValueError: If it is no address.
    """
    from distributed.comm import parse_host_port
    from distributed.comm.addressing import parse_address
    from distributed.comm.registry import backends

    scheme, place = parse_address(scheduler)
    if scheme not in backends:
        raise ValueError(scheme)
    host, port = parse_host_port(place)
    socket.create_connection((host, port), timeout=ANSWER_SECONDS).close()


@contextmanager
def start_local(n_workers: int, *, processes: bool) -> Iterator[Any]:
    """A client of workers of this machine, a thread each.

    Args:
        n_workers: How many; 0 for as many as there are cores.
        processes: Whether each is a process of its own.
    """
    import dask
    from distributed import Client, LocalCluster

    with _quiet(), dask.config.set(CONFIGURATION):
        cluster = LocalCluster(
            n_workers=n_workers or machine.n_cores(),
            threads_per_worker=1,
            processes=processes,
            dashboard_address="127.0.0.1:0",
            memory_limit=0,
            silence_logs=logging.CRITICAL,
        )
        with cluster, Client(cluster, set_as_default=False) as client, _told("the cluster of this machine was lost"):
            yield client


def is_nearby(client: Any) -> bool:
    """Whether all workers are on this machine, as far as their addresses say."""
    addresses = client.nthreads()
    near = ("127.0.0.1", "localhost", "[::1]")
    return bool(addresses) and all(address.partition("://")[2].startswith(near) for address in addresses)


@contextmanager
def _told(lost: str) -> Iterator[None]:
    """Say in one line what Dask says in many."""
    from distributed import KilledWorker
    from distributed.comm import CommClosedError

    try:
        yield
    except (asyncio.CancelledError, concurrent.futures.CancelledError, CommClosedError) as error:
        raise LayerwiseError(f"{lost}; the same command goes on from the layers that are finished") from error
    except (ImportError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "deserializ" not in str(error):
            raise
        why = " ".join(str(error.__cause__ or error).split())
        raise LayerwiseError(
            f"scheduler and workers must have the packages that are installed here, layerwise too: {why}"
        ) from error
    except KilledWorker as error:
        raise LayerwiseError(
            f"several workers died at the same task ({error.task}), most likely for lack of memory: take smaller "
            "batches (--batch-size) or fewer workers on each machine; the same command goes on from what is finished"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Dask's log says what is said here in one line, or what is no news: workers come and go."""
    logger = logging.getLogger("distributed")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
