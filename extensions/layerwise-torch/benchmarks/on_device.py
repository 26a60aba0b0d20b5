"""What an analysis of a PyTorch network costs on a device, in forward passes of that network on the same device.

    python extensions/layerwise-torch/benchmarks/on_device.py
    python ... --device cpu -n 144 --batch-sizes 16 64 --cores 1 2 --repeats 1 --profile

For each number of random pictures and each batch size, side by side in one process: the forward pass alone; the
analysis (`main` and `branches`, all default statistics, stored in SQLite; its streaming, which is what the network
and its sums take); the ratio of both; and the floor, which is the forward pass, all products at the rate at which
the device multiplies square float32 matrices, and one read and one write of the activations. Then: how far
correlations on the device are from the processor's. GoogLeNet is torchvision's where that is installed, else the one
of the extension's tests. Untrained weights. With `--cores`, the same on so many cores of this machine, each in a
process of its own. Nothing new is begun after `--seconds`, so that it fits into a machine that is lent.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from layerwise.core.runs.prepared import PreparedRun
    from layerwise.plugin import Model

EXTENSION = Path(__file__).resolve().parents[1]
ROOT = EXTENSION.parents[1]
NETWORKS = EXTENSION / "tests" / "networks"
N_AGREEING = 48


def main() -> None:
    """Measure, as asked for."""
    options = parse_options()
    for count in options.cores or ():
        measure_apart(count)
    if options.cores:
        return
    sys.path[:0] = [str(ROOT), str(EXTENSION), str(NETWORKS)]
    started = time.perf_counter()
    model, pixels = load(options.device), make_pixels(max(options.n or (500,)))
    on_gpu = model.arrays is not None
    sizes = options.batch_sizes or ((16, 64, 256) if on_gpu else (16, 64))
    say(device=model.device, network=model.info.source, torch=model.info.versions["torch"], chosen=model.batch_size)
    rates = measure_rates(model)
    for n in options.n or ((500, 2000) if on_gpu else (100,)):
        for size in sizes:
            if time.perf_counter() - started < options.seconds:
                say(**measure(model, pixels[:n], size, rates, options.repeats))
    if on_gpu:
        compare(model, load("cpu"), pixels[:N_AGREEING])
    if options.profile:
        profile(model, pixels[: (options.n or (500,))[0]], sizes[-1])


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("-n", type=int, nargs="+", help="numbers of pictures")
    parser.add_argument("--batch-sizes", type=int, nargs="+")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=200)
    parser.add_argument("--cores", type=int, nargs="+", help="on so many cores, each in a process of its own")
    parser.add_argument("--profile", action="store_true", help="print what PyTorch's profiler sees of one analysis")
    return parser.parse_args()


def say(**facts: object) -> None:
    """One line of JSON, numbers short."""
    short = {name: round(value, 4) if isinstance(value, float) else value for name, value in facts.items()}
    print(json.dumps(short), flush=True)


def measure_apart(n_cores: int) -> None:
    """The same in a process that may use so many cores."""
    arguments = list(sys.argv[1:])
    place = arguments.index("--cores")
    end = next((i for i in range(place + 1, len(arguments)) if not arguments[i].isdigit()), len(arguments))
    del arguments[place:end]
    allowed = sorted(os.sched_getaffinity(0))[:n_cores]
    print(f"{len(allowed)} cores", flush=True)
    environment = {**os.environ, "OMP_NUM_THREADS": str(len(allowed))}
    subprocess.run(
        [sys.executable, __file__, *arguments],
        check=True,
        env=environment,
        preexec_fn=lambda: os.sched_setaffinity(0, allowed),
    )


def load(device: str) -> Model:
    """GoogLeNet, untrained."""
    from layerwise.plugin import LoadRequest

    from layerwise_torch.loaders import TorchModuleLoader, TorchvisionLoader

    if importlib.util.find_spec("torchvision") is None:
        return TorchModuleLoader().load(LoadRequest("torch:googlenet:GoogLeNet", device=device))
    return TorchvisionLoader().load(LoadRequest("torchvision:googlenet", device=device))


def make_pixels(n: int) -> np.ndarray[Any, Any]:
    """Pictures with something in common in each, so that correlations are not all alike."""
    rng = np.random.default_rng(0)
    shades = rng.integers(0, 128, (n, 7, 7, 3), dtype=np.uint8).repeat(32, 1).repeat(32, 2)
    return shades + rng.integers(0, 128, (n, 224, 224, 3), dtype=np.uint8)


def synchronize(model: Model) -> None:
    """Wait for the device."""
    import torch

    if model.arrays is not None and torch.cuda.is_available():
        torch.cuda.synchronize()
    elif model.arrays is not None and torch.backends.mps.is_available():
        torch.mps.synchronize()


def timed(model: Model, function: Callable[[], Any], repeats: int) -> tuple[float, float]:
    """Seconds, and seconds of the processor, of the middle of several calls, after one that does not count."""
    seconds = []
    for _ in range(repeats + 1):
        synchronize(model)
        started, busy = time.perf_counter(), time.process_time()
        function()
        synchronize(model)
        seconds.append((time.perf_counter() - started, time.process_time() - busy))
    return sorted(seconds[1:])[repeats // 2]


def measure_rates(model: Model) -> dict[str, float]:
    """Multiply-adds times two, and bytes moved, per second."""
    import torch

    square = torch.randn(2048 if model.arrays is None else 4096, 4096)
    if model.arrays is not None:
        square = model.arrays.send(square.numpy())
    seconds, _ = timed(model, lambda: square @ square.T, 5)
    moved = torch.empty_like(square)
    copying, _ = timed(model, lambda: moved.copy_(square), 5)
    return {"flops": 2 * len(square) ** 2 * 4096 / seconds, "bytes": 2 * square.numel() * 4 / copying}


def prepare(model: Model, pixels: np.ndarray[Any, Any], batch_size: int) -> PreparedRun:
    """A run that is ready to go."""
    from layerwise.core.runs.prepared import prepare_run
    from layerwise.core.runs.request import RunRequest, SilentObserver
    from layerwise.plugins import load_plugins

    request = RunRequest(model, pixels, layers=("main", "branches"), batch_size=batch_size, force=True)
    return prepare_run(request, load_plugins(), SilentObserver())


def forward(model: Model, pixels: np.ndarray[Any, Any], batch_size: int) -> None:
    """The network alone, from decoded pixels to the output."""
    function = model.compile(model.graph.input, [model.graph.output])
    for start in range(0, len(pixels), batch_size):
        function(model.preprocess(pixels[start : start + batch_size]))


def analyse(prepared: PreparedRun) -> tuple[dict[str, float], dict[str, Any]]:
    """The whole analysis into a new SQLite file: seconds by stage, and each layer's correlations."""
    from layerwise.core.runs.request import SilentObserver
    from layerwise.core.runs.run import execute_run
    from layerwise.plugin import LayerAddress
    from layerwise.storage import open_store

    with tempfile.TemporaryDirectory() as folder, open_store(f"sqlite:///{folder}/layerwise.db") as store:
        outcome = execute_run(prepared, store, SilentObserver())
        addresses = [LayerAddress(outcome.run_id, layer) for layer in outcome.layers]
        found = {
            a.layer: store.read_representation(a).correlation for a in addresses[:: max(1, len(addresses) // 12)]
        }
        return dict(outcome.seconds), found


def measure(
    model: Model, pixels: np.ndarray[Any, Any], batch_size: int, rates: dict[str, float], repeats: int
) -> dict[str, object]:
    """One line of the table."""
    alone, busy_alone = timed(model, lambda: forward(model, pixels, batch_size), repeats)
    prepared = prepare(model, pixels, batch_size)
    analyse(prepared)
    streaming = []
    for _ in range(repeats):
        prepared.seconds.clear()
        busy = time.process_time()
        seconds, _ = analyse(prepared)
        streaming.append((seconds["stream"], time.process_time() - busy))
    stream, busy = sorted(streaming)[repeats // 2]
    n, n_features = len(pixels), prepared.plan.n_features
    products = 2 * n**2 * n_features / rates["flops"]
    moving = 2 * 4 * n * n_features / rates["bytes"]
    floor = alone + products + moving
    return {
        "n": n,
        "batch": batch_size,
        "layers": len(prepared.layers),
        "features": n_features,
        "segments": len(prepared.plan.segments),
        "forward": alone,
        "stream": stream,
        "passes": stream / alone,
        "passes_in_cpu_seconds": busy / busy_alone,  # which other people's work disturbs less
        "products": products,
        "moving": moving,
        "of_floor": stream / floor,
    }


def compare(model: Model, other: Model, pixels: np.ndarray[Any, Any]) -> None:
    """The largest difference of a correlation between two devices."""
    found, expected = (analyse(prepare(one, pixels, 16))[1] for one in (model, other))
    apart = {name: float(np.nanmax(np.abs(found[name] - expected[name]))) for name in expected}
    worst = max(apart, key=lambda name: apart[name])
    say(n=len(pixels), largest_difference=f"{apart[worst]:.2e}", layer=worst, allowed="1e-4")


def profile(model: Model, pixels: np.ndarray[Any, Any], batch_size: int) -> None:
    """What takes time in one analysis, by PyTorch's profiler."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as record

    prepared = prepare(model, pixels, batch_size)
    on_gpu = model.arrays is not None
    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with record(activities=kinds) as found:
        analyse(prepared)
    order = "self_cuda_time_total" if on_gpu else "self_cpu_time_total"
    print(found.key_averages().table(sort_by=order, row_limit=30))


if __name__ == "__main__":
    main()
