"""What comparing and resampling large layers holds in memory: predicted beside measured.

    python benchmarks/comparison_memory.py [--stimuli 3000] [--layers 24] [--budgets 1GiB 2GiB 8GiB]

Makes a history of random layers in a temporary SQLite file, and asks it for `rsa-pearson` of all pairs, and for
intervals from 20 resamples, under each budget; each in a process of its own. Prints what the budget is expected to
hold, how much the process grew at its most, and how long it took. A budget below what two layers take is exceeded.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np

from layerwise.cli.options.common import parse_size
from layerwise.core.analysis.compare import compare_layers
from layerwise.core.analysis.inference.from_history import ask_intervals
from layerwise.core.analysis.inference.generic import predict_table_bytes
from layerwise.core.analysis.inference.layer_blocks import choose_block_size
from layerwise.core.analysis.measure import find_measure
from layerwise.core.analysis.working_memory import plan_memory
from layerwise.core.base.provider import Provider
from layerwise.core.history.intervals import IntervalPlan
from layerwise.core.history.records import LayerAddress, LayerResult, RunHeader
from layerwise.core.network.layers import Layer
from layerwise.core.network.model import ModelInfo
from layerwise.core.network.pixels import ArrayReader
from layerwise.core.network.products import represent
from layerwise.core.network.representation import NO_TRANSFORM
from layerwise.core.network.stimuli import LoadedStimuli, Stimulus
from layerwise.plugins import load_plugins
from layerwise.storage import open_store

N_RESAMPLES = 20
N_UNITS = 60
WAYS = ("compare", "intervals")
MIB = 1 << 20


def main() -> None:
    """One measurement in this process, or all of them, each in one of its own."""
    options = parse_options()
    if options.way:
        print(json.dumps(measure(options)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "random.db"
        print(f"making {options.layers} layers of {options.stimuli} stimuli", file=sys.stderr)
        write_history(path, options.stimuli, options.layers)
        print(f"{'':<12}{'budget':>10}{'predicted':>12}{'measured':>12}{'seconds':>9}")
        for way in WAYS:
            for budget in options.budgets:
                row = measure_apart(way, budget, path)
                sizes = "".join(f"{row[name] / MIB:>8,.0f} MiB" for name in ("predicted", "measured"))
                print(f"{way:<12}{budget:>10}{sizes}{row['seconds']:>9.1f}", flush=True)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stimuli", type=int, default=3000)
    parser.add_argument("--layers", type=int, default=24)
    parser.add_argument("--budgets", nargs="+", default=["1GiB", "2GiB", "8GiB"])
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--history", help=argparse.SUPPRESS)
    return parser.parse_args()


def measure_apart(way: str, budget: str, path: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--way", way, "--budgets", budget, "--history", str(path)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(options: argparse.Namespace) -> dict[str, float]:
    registry, budget = load_plugins(), parse_size(options.budgets[0], "--budgets")
    rsa = find_measure(registry, "rsa-pearson")
    rsa.prepare(represent(np.random.default_rng(0).normal(size=(9, 9))))  # so that all that it needs is imported
    with open_store(f"sqlite:///{options.history}") as history:
        run = history.find_run("latest")
        layers = [LayerAddress(run.id, layer.name) for layer in history.list_layers(run.id)]
        before, started = peak(), time.perf_counter()
        if options.way == "compare":
            compare_layers(registry, history, rsa, layers, save=False, memory=budget)
            predicted = predict_comparison(len(layers), run.n_stimuli, budget)
        else:
            ask_intervals(history, rsa, layers, IntervalPlan(N_RESAMPLES), save=False, memory=budget)
            predicted = predict_intervals(len(layers), run.n_stimuli, budget)
        return {"predicted": predicted, "measured": peak() - before, "seconds": time.perf_counter() - started}


def peak() -> int:
    """The most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def predict_comparison(n_layers: int, n_stimuli: int, budget: int) -> int:
    memory, state_bytes = plan_memory(budget, n_stimuli), 2 * 8 * n_stimuli * (n_stimuli - 1) // 2
    n_states = min(n_layers, memory.count_states(state_bytes))
    n_copies = min(n_layers, memory.count_copies(state_bytes))
    return n_states * state_bytes + max(memory.n_threads * memory.task_bytes, n_copies * state_bytes)


def predict_intervals(n_layers: int, n_stimuli: int, budget: int) -> int:
    memory = plan_memory(budget, n_stimuli)
    predict = partial(predict_table_bytes, memory, N_RESAMPLES + n_stimuli)
    return predict(*choose_block_size(n_layers, memory.block_bytes, predict, threaded=True))


def write_history(path: Path, n_stimuli: int, n_layers: int) -> None:
    """A finished run whose layers are random mixtures of what they share and of noise."""
    layers = tuple(Layer(f"layer{i}", f"layer{i}", "dense", (N_UNITS,), i, is_main=True) for i in range(n_layers))
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(n_stimuli, N_UNITS // 3))
    with open_store(f"sqlite:///{path}") as store:
        claim = store.begin_run(make_header(n_stimuli, layers))
        for layer in layers:
            rows = shared @ rng.normal(size=(shared.shape[1], N_UNITS)) + 3 * rng.normal(size=(n_stimuli, N_UNITS))
            store.save_layer(claim, LayerResult(layer.name, NO_TRANSFORM, represent(rows)))
        store.finish_run(claim, {})


def make_header(n_stimuli: int, layers: tuple[Layer, ...]) -> RunHeader:
    hashes = tuple(hashlib.sha256(str(number).encode()).hexdigest() for number in range(n_stimuli))
    stimuli = LoadedStimuli(
        name="noise",
        source="noise",
        stimuli=tuple(Stimulus(str(number), None) for number in range(n_stimuli)),
        pixels=ArrayReader(np.zeros((n_stimuli, 1, 1, 3), dtype=np.uint8)),
        thumbnails=(b"",) * n_stimuli,
        content_hashes=hashes,
        fingerprint=hashlib.sha256("".join(hashes).encode()).hexdigest(),
        skipped=(),
        resize="squash",
    )
    model = ModelInfo(
        name="random",
        source="random numbers",
        fingerprint="0" * 64,
        input_shape=(1, 1, 3),
        preprocessing="none",
        resize="squash",
        n_parameters=0,
        class_names=(),
        class_ids=(),
        has_probabilities=False,
        versions={},
    )
    maker = Provider("benchmarks:random", "1")
    return RunHeader("0" * 64, model, maker, stimuli, layers, (NO_TRANSFORM,), maker, 16, 4096, "comparison_memory")


if __name__ == "__main__":
    main()
