"""What runs were predicted to cost beside what they did cost, for a handful of very different ones.

    python benchmarks/promises.py [NAME ...] [--memory 512MiB]

Each configuration runs twice, each time in a process of its own, into one SQLite file: the first time its first
batch tells how long it will take, the second time the first run does. Prints predicted and happened time, processor
seconds, memory (beyond the process with model and libraries loaded and nothing decoded), spool and database, as
`show` has them, and the ratios of what happened to what was predicted; keeps these (`figures.py`). With `--memory` it
also says whether that was kept.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from figures import keep

NAMES = ("seconds", "processor_seconds", "memory_bytes", "spool_bytes", "database_bytes")


@dataclass(frozen=True)
class Configuration:
    """One kind of run: number of stimuli, side of the pictures, and what else is asked for."""

    n_stimuli: int
    side: int
    transforms: tuple[str, ...] = ()
    layers: tuple[str, ...] = ("all",)
    memory: str | None = None


CONFIGURATIONS = {
    "few": Configuration(400, 32),
    "transforms": Configuration(400, 32, transforms=("rank", "zscore-units")),
    "wide": Configuration(300, 96, layers=("main",)),
    "many": Configuration(2500, 16),
    "wide, little memory": Configuration(300, 96, memory="192MiB"),
    "many, little memory": Configuration(2000, 16, memory="512MiB"),
}


def main() -> None:
    """Run one configuration here, or all of them in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(CONFIGURATIONS))
    parser.add_argument("--memory", default=None, help="for all of them, in place of their own")
    parser.add_argument("--here", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--limit", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        print(json.dumps(run_here(options.names[0], options.memory, options.here, options.limit)))
        return
    ratios: dict[str, float] = {}
    for name in options.names:
        memory = options.memory or CONFIGURATIONS[name].memory
        n_stimuli = CONFIGURATIONS[name].n_stimuli
        with tempfile.TemporaryDirectory() as folder:
            for number, limit in enumerate((n_stimuli, n_stimuli - 1)):  # or it would be the same run
                command = [sys.executable, __file__, name, "--here", folder, "--limit", str(limit)]
                command += ["--memory", memory] if memory else []
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                costs = json.loads(done.stdout.splitlines()[-1])
                ratios |= show(f"{name}, {('first', 'second')[number]}", costs, memory)
    keep("promises", ratios)


def show(name: str, costs: dict[str, Any], memory: str | None) -> dict[str, float]:
    """Print a line for each thing; gives happened / predicted."""
    from layerwise.cli.options.common import parse_size

    print(f"{name} ({costs['basis'] or 'time not predicted'})", flush=True)
    found = {}
    for thing in NAMES:
        predicted, happened = costs["predicted"][thing], costs["happened"][thing]
        if predicted and happened:
            found[f"{name}: {thing}"] = ratio = happened / predicted
            print(f"  {thing:<20}{predicted:>16,.1f}{happened:>16,.1f}{ratio:>8.2f}")
    if memory is not None:
        allowed = parse_size(memory, "--memory")
        print(f"  within --memory {memory}: {costs['happened']['memory_bytes'] <= allowed}", flush=True)
    return found


def run_here(name: str, memory: str | None, folder: Path, limit: int) -> dict[str, Any]:
    """Run a configuration; gives its costs."""
    from layerwise.cli.options.common import parse_size
    from layerwise.core.runs.prepared import prepare_run
    from layerwise.core.runs.request import RunRequest, SilentObserver
    from layerwise.core.runs.run import execute_run
    from layerwise.plugins import load_plugins
    from layerwise.storage import open_store

    asked = CONFIGURATIONS[name]
    images = np.random.default_rng(0).integers(0, 256, (asked.n_stimuli, asked.side, asked.side, 3), dtype=np.uint8)
    request = RunRequest(
        make_network(asked.side),
        images,
        layers=asked.layers,
        transforms=asked.transforms,
        limit=limit,
        memory=None if memory is None else parse_size(memory, "--memory"),
    )
    prepared = prepare_run(request, load_plugins(), SilentObserver())
    with open_store(f"sqlite:///{folder / 'history.db'}") as store:
        outcome = execute_run(prepared, store, SilentObserver())
        costs = store.find_run(outcome.run_id).attempts[-1].costs
    assert costs is not None
    return costs.as_json()


def make_network(side: int) -> Any:
    """Six convolutions in three sizes, two branches in the middle, ten classes."""
    from layerwise.plugins.loaders.tensorflow_setup import import_keras

    layers = import_keras().layers
    start = tensor = layers.Input((side, side, 3), name="image")
    for number, width in enumerate((16, 32)):
        tensor = layers.Conv2D(width, 3, padding="same", activation="relu", name=f"conv{number}")(tensor)
        tensor = layers.MaxPooling2D(name=f"pool{number}")(tensor)
    branches = [
        layers.Conv2D(32, size, padding="same", activation="relu", name=f"mixed_{size}x{size}")(tensor)
        for size in (1, 3)
    ]
    tensor = layers.Concatenate(name="mixed")(branches)
    tensor = layers.GlobalAveragePooling2D(name="average")(tensor)
    return import_keras().Model(start, layers.Dense(10, activation="softmax", name="classes")(tensor))


if __name__ == "__main__":
    main()
