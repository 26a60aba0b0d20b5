"""What the Dask engine costs beside the local one: two workers of one thread each against one thread.

    python benchmarks/dask_overhead.py [--weights FILE --stimuli FOLDER] [-n 100] [--rounds 3] [--shared FOLDER]

Streams GoogLeNet (`main` and `branches`) over photos: with the local engine, its process bound to one core, and with
the Dask engine over two workers that are there already, in turns. Loading and decoding are the same for both and are
not counted, nor is compiling: each does the same once before. Wall time tells little on a machine that
others use, so processor seconds are counted too: of this process, and of the workers. One thread takes twice the time
two, so `overhead` is twice the wall time of two workers, or the processor seconds of all, over those of one thread.
Without photos it uses an untrained network and noise, and says so.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from figures import keep
from forward_passes import write_noise

if TYPE_CHECKING:
    from layerwise.core.host.jobs import StreamJob


@dataclass(frozen=True)
class Cost:
    """Seconds by the clock, and of processors."""

    wall: float
    processor: float


def main() -> None:
    """Measure in turns, and print the medians."""
    from layerwise.plugins.engines.cluster import ENVIRONMENT

    os.environ.update(ENVIRONMENT)  # threads that TensorFlow will take; the allocator of this process has begun
    options = parse_options()
    if options.stimuli is None:
        options.stimuli, options.weights = str(write_noise(options.n)), "none"
        print("no photos given or found: an untrained network and noise", file=sys.stderr)
    job = make_job(options)
    local: list[Cost] = []
    dask: list[Cost] = []
    with tempfile.TemporaryDirectory(dir=options.shared) as shared, start_workers() as (address, workers):
        engine = make_engine(address, shared)
        engine.stream(job, _Silent())  # so that both have the network, and what is compiled of it
        stream_locally(job)
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
            local.append(measure(lambda: stream_locally(job), ()))
            dask.append(measure(lambda: engine.stream(job, _Silent()), workers))
    print_table(local, dask, job.plan.n_features * job.plan.n_stimuli * 4)


def parse_options() -> argparse.Namespace:
    """Command line; photos are looked for where the tests look for them."""
    data = Path(os.environ.get("LAYERWISE_DATA", Path(__file__).parents[2] / "shared" / "data"))
    photos, weights = data / "imagenet500", data / "googlenet" / "bvlc_googlenet.caffemodel"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stimuli", default=str(photos) if photos.is_dir() else None)
    parser.add_argument("--weights", default=str(weights) if weights.is_file() else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shared", default="/dev/shm", help="folder that workers share; by default in memory")
    parser.add_argument("-n", type=int, default=100, help="number of stimuli")
    return parser.parse_args()


def make_job(options: argparse.Namespace, n: int | None = None) -> StreamJob:
    """The streaming of a run that is prepared, on one thread."""
    from layerwise.core.runs.prepared import prepare_run
    from layerwise.core.runs.request import RunRequest, SilentObserver
    from layerwise.core.runs.run import make_job
    from layerwise.plugins import load_plugins

    request = RunRequest(
        model="googlenet",
        stimuli=options.stimuli,
        weights=options.weights,
        layers=("main", "branches"),
        limit=n or options.n,
    )
    job = make_job(prepare_run(request, load_plugins(), SilentObserver()), frozenset())
    one = replace(job.plan.concurrency, n_workers=1)
    return replace(job, plan=replace(job.plan, concurrency=one))


def make_engine(address: str, shared: str) -> Any:
    """The Dask engine of these workers."""
    from layerwise.plugins.engines.dask import DaskEngine

    return DaskEngine().configured(scheduler=address, shared=shared)


@contextlib.contextmanager
def start_workers() -> Iterator[tuple[str, list[psutil.Process]]]:
    """Two workers of one thread each; the scheduler's address, and their processes."""
    import dask
    from distributed import LocalCluster

    from layerwise.plugins.engines.cluster import CONFIGURATION

    with (
        dask.config.set(CONFIGURATION),
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            memory_limit=0,
            silence_logs=50,
        ) as cluster,
    ):
        yield cluster.scheduler_address, [psutil.Process(one.pid) for one in cluster.workers.values()]


def stream_locally(job: StreamJob) -> None:
    """The local engine, its threads on one core."""
    from layerwise.core.runs.streaming.stream import stream_segments

    process = psutil.Process()
    cores = process.cpu_affinity()
    threads = [thread.id for thread in process.threads()]
    for thread in threads:
        with contextlib.suppress(ProcessLookupError):  # one that has ended meanwhile
            os.sched_setaffinity(thread, {cores[0]})
    try:
        stream_segments(job, _Silent())
    finally:
        for thread in threads:
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(thread, set(cores))


def measure(work: Any, others: Any) -> Cost:
    """Seconds of a piece of work, with those of other processes."""

    def processor() -> float:
        return time.process_time() + sum(sum(one.cpu_times()[:2]) for one in others)

    wall, before = time.perf_counter(), processor()
    work()
    return Cost(time.perf_counter() - wall, processor() - before)


class _Silent:
    """A sink that keeps nothing."""

    def layer_finished(self, streamed: Any) -> None:
        """Drop it."""

    def advance(self, n_stimuli: int, what: str) -> None:
        """Ignore it."""


def print_table(local: list[Cost], dask: list[Cost], n_bytes: int) -> None:
    """Medians, and the ratios of each round."""
    print(f"{'engine':<26}{'wall s':>8}{'processor s':>13}")
    for name, costs in (("local, one thread", local), ("dask, two workers", dask)):
        wall, processor = (statistics.median(getattr(cost, kind) for cost in costs) for kind in ("wall", "processor"))
        print(f"{name:<26}{wall:>8.1f}{processor:>13.1f}")
    pairs, kept = list(zip(local, dask, strict=True)), {}
    for name, ratios in (
        ("processor", [two.processor / one.processor for one, two in pairs]),
        ("wall", [2 * two.wall / one.wall for one, two in pairs]),
    ):
        kept[f"dask / local, {name}"] = statistics.median(ratios)
        print(f"overhead, {name}: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    keep("dask overhead", kept)
    print(f"activations through the shared place: {n_bytes / 2**30:.2f} GiB, written and read once")


if __name__ == "__main__":
    main()
