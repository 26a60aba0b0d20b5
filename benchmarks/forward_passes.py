"""What an analysis costs, in forward passes of the network it analyses.

    python benchmarks/forward_passes.py [--weights FILE --stimuli FOLDER] [--rounds 3] [--memory 1GiB]

Measures side by side, each in a process of its own and in turns: the forward pass alone (one compiled function, its
outputs dropped); the whole analysis (`main` and `branches`, all default statistics, stored in SQLite), by default and
with `--memory 1GiB` (`small`); the floor, what no analysis can do without: the forward pass, the products at the rate
at which this machine multiplies a matrix with its own transpose, and one read and write of the activations; and the
plain NumPy way (every layer predicted and kept, concatenated, `numpy.corrcoef`). Decoding and loading are the same
for all and are not counted. Prints wall and processor time, peak memory of the process, and the ratios, and keeps
them in a file (`figures.py`). Without photos it uses an untrained network and noise, and says so.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from figures import keep

if TYPE_CHECKING:
    from layerwise.core.runs.prepared import PreparedRun

WAYS = ("forward", "layerwise", "small", "floor", "numpy")


def main() -> None:
    """Run one way in this process, or all of them in turns."""
    options = parse_options()
    if options.way:
        print(json.dumps(measure(options)))
        return
    if options.stimuli is None:
        options.stimuli = str(write_noise(options.n))
        options.weights = "none"
        print("no photos given or found: an untrained network and noise", file=sys.stderr)
    results: dict[str, list[dict[str, float]]] = {way: [] for way in options.ways}
    for round_number in range(options.rounds):
        for way in options.ways:
            print(f"round {round_number + 1} of {options.rounds}: {way}", file=sys.stderr)
            results[way].append(run_apart(way, options))
    ratios = print_table(results)
    keep("forward passes", ratios)


def parse_options() -> argparse.Namespace:
    """Command line; photos are looked for where the tests look for them."""
    data = Path(os.environ.get("LAYERWISE_DATA", Path(__file__).parents[2] / "shared" / "data"))
    photos, weights = data / "imagenet500", data / "googlenet" / "bvlc_googlenet.caffemodel"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stimuli", default=str(photos) if photos.is_dir() else None)
    parser.add_argument("--weights", default=str(weights) if weights.is_file() else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--memory", default=None, help="budget of the analysis; 1GiB for the small one")
    parser.add_argument("--batch-size", type=int, default=None)
    parser.add_argument("-n", type=int, default=500, help="number of stimuli")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    return parser.parse_args()


def write_noise(n_stimuli: int) -> Path:
    """An array file of random pixels of GoogLeNet's size."""
    path = Path(tempfile.mkdtemp()) / "noise.npy"
    rng = np.random.default_rng(0)
    np.save(path, rng.integers(0, 256, size=(n_stimuli, 224, 224, 3), dtype=np.uint8))
    return path


def run_apart(way: str, options: argparse.Namespace) -> dict[str, float]:
    """One measurement in a process of its own."""
    command = [sys.executable, __file__, "--way", way, "--stimuli", options.stimuli, "-n", str(options.n)]
    for name in ("weights", "memory", "batch_size"):
        value = getattr(options, name)
        if value is not None:
            command += [f"--{name.replace('_', '-')}", str(value)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def measure(options: argparse.Namespace) -> dict[str, float]:
    """Prepare, then time what this way does."""
    from layerwise.cli.options.common import parse_size
    from layerwise.core.runs.prepared import prepare_run
    from layerwise.core.runs.request import RunRequest, SilentObserver
    from layerwise.plugins import load_plugins

    memory = options.memory or ("1GiB" if options.way == "small" else None)
    request = RunRequest(
        model="googlenet",
        stimuli=options.stimuli,
        weights=options.weights,
        layers=("main", "branches"),
        limit=options.n,
        memory=parse_size(memory, "--memory") if memory else None,
    )
    if options.batch_size:
        request = replace(request, batch_size=options.batch_size)
    prepared = prepare_run(request, load_plugins(), SilentObserver())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    started, processor = time.perf_counter(), time.process_time()
    ways = {"forward": forward, "floor": do_the_least, "numpy": keep_everything}
    ways.get(options.way, analyse)(prepared)
    seconds, processor = time.perf_counter() - started, time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"seconds": seconds, "processor": processor, "peak": peak, "beyond": peak - before}


def forward(prepared: PreparedRun) -> None:
    """The network alone, from decoded pixels to the output."""
    model, stimuli, size = prepared.model, prepared.stimuli, prepared.plan.batch_size
    function = model.compile(model.graph.input, [model.graph.output])
    for start in range(0, stimuli.n_stimuli, size):
        function(model.preprocess(stimuli.read(start, min(start + size, stimuli.n_stimuli))))


def do_the_least(prepared: PreparedRun) -> None:
    """The network, and beside it, on as many cores: every product, and one read and write of every activation."""
    from concurrent.futures import ThreadPoolExecutor

    from layerwise.core.base.blas import single_threaded_blas

    n_stimuli, n_features = prepared.stimuli.n_stimuli, prepared.plan.n_features
    block = np.random.default_rng(0).normal(size=(n_stimuli, 4096)).astype(np.float32)

    def multiply(_: int) -> None:
        other = block.copy()
        np.matmul(other, other.T)

    forward(prepared)
    with single_threaded_blas(), ThreadPoolExecutor(prepared.plan.concurrency.n_workers) as workers:
        list(workers.map(multiply, range(-(-n_features // block.shape[1]))))


def analyse(prepared: PreparedRun) -> None:
    """The whole analysis into a new SQLite file."""
    from layerwise.core.runs.request import SilentObserver
    from layerwise.core.runs.run import execute_run
    from layerwise.storage import open_store

    with tempfile.TemporaryDirectory() as folder, open_store(f"sqlite:///{folder}/layerwise.db") as store:
        execute_run(prepared, store, SilentObserver())


def keep_everything(prepared: PreparedRun) -> None:
    """Predict every layer and keep it, concatenate, correlate: what a notebook does."""
    model, stimuli, size = prepared.model, prepared.stimuli, prepared.plan.batch_size
    nodes = [layer.node for layer in prepared.layers]
    function = model.compile(model.graph.input, nodes)
    batches = []
    for start in range(0, stimuli.n_stimuli, size):
        tensors = function(model.preprocess(stimuli.read(start, min(start + size, stimuli.n_stimuli))))
        batches.append([tensor.reshape(len(tensor), -1) for tensor in tensors])
    for index in range(len(nodes)):
        activations = np.concatenate([batch[index] for batch in batches])
        for batch in batches:
            batch[index] = batch[index][:0]
        np.corrcoef(activations)


def print_table(results: dict[str, list[dict[str, float]]]) -> dict[str, float]:
    """Medians over the rounds, and the ratios of each round; gives the medians of the ratios."""
    print(f"{'way':<12}{'seconds':>9}{'(min to max)':>16}{'processor':>11}{'peak GiB':>10}{'beyond':>8}")
    for way, rounds in results.items():
        seconds = [one["seconds"] for one in rounds]
        spread = f"{min(seconds):.1f} to {max(seconds):.1f}"
        processor, peak, beyond = (
            statistics.median(one[name] for one in rounds) for name in ("processor", "peak", "beyond")
        )
        print(f"{way:<12}{statistics.median(seconds):>9.1f}{spread:>16}{processor:>11.1f}{peak:>10.2f}{beyond:>8.2f}")
    found = {}
    for way in ("layerwise", "small"):
        for other in ("forward", "floor", "numpy"):
            if other not in results or way not in results:
                continue
            for what in ("seconds", "processor"):
                pairs = zip(results[way], results[other], strict=True)
                ratios = [ours[what] / theirs[what] for ours, theirs in pairs]
                found[f"{way} / {other}, {what}"] = middle = statistics.median(ratios)
                print(f"{way} / {other}, {what}: {middle:.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    return found


if __name__ == "__main__":
    main()
