"""What a plan predicts that a run will hold in memory, beside what it held.

    python benchmarks/plan_memory.py [N ...] [--memory 2GiB]

Streams noise through the toy network of `layerwise.testing` and stores it in SQLite, each number of stimuli in a
process of its own. Measured is the peak of the process's resident memory, less what it had before there were stimuli
(Python, its packages, the network's weights); predicted is what `--dry-run` says. With many stimuli nearly all of it
are matrices of all pairs.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from layerwise.core.base.errors import InputError
from layerwise.core.host.hookspecs import hookimpl
from layerwise.core.host.kinds import ModelLoader
from layerwise.core.network.model import LoadRequest, Model
from layerwise.core.runs.request import RunRequest, SilentObserver
from layerwise.core.runs.run import execute_run, prepare_run
from layerwise.testing.toy import SIDE, ToyModel

NUMBERS = (500, 1000, 2000, 3000)


class ToyLoader(ModelLoader):
    """Loads the toy network, whatever weights are asked for."""

    name = "toy"
    description = "the toy network"

    def accepts(self, model: str) -> bool:
        """Whether it is asked for."""
        return model == "toy"

    def load(self, request: LoadRequest) -> Model:
        """A new one."""
        del request
        return ToyModel()


class ToyPlugin:
    """Offers the toy network."""

    @hookimpl
    def register_model_loaders(self) -> Sequence[ModelLoader]:
        """The loader."""
        return [ToyLoader()]


def main() -> None:
    """Measure one number of stimuli in this process, or each in one of its own."""
    options = parse_options()
    if options.alone:
        print(json.dumps(measure(options.n[0], options.memory)))
        return
    print(f"{'stimuli':>8}{'workers':>9}{'predicted MiB':>15}{'measured MiB':>14}{'measured / predicted':>22}")
    for n in options.n or NUMBERS:
        command = [sys.executable, __file__, str(n), "--alone"]
        command += ["--memory", options.memory] if options.memory else []
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
        if "refused" in found:
            print(f"{n:>8}  {found['refused']}")
            continue
        predicted, peak = found["predicted"] / 2**20, found["measured"] / 2**20
        print(f"{n:>8}{found['workers']:>9}{predicted:>15.0f}{peak:>14.0f}{peak / predicted:>22.2f}", flush=True)


def parse_options() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("n", nargs="*", type=int, help=f"numbers of stimuli; {', '.join(map(str, NUMBERS))}")
    parser.add_argument("--memory", help="budget, such as 2GiB; by default half of what is free")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(n_stimuli: int, memory: str | None) -> dict[str, float | str]:
    """Bytes that were predicted and held, in a process that has run once already."""
    from layerwise.cli.options.common import parse_size

    budget = parse_size(memory, "--memory") if memory else None
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder) / "warm", 20, None)
        before = read_resident()
        try:
            predicted, n_workers = run(Path(folder) / "measured", n_stimuli, budget)
        except InputError as error:
            return {"refused": str(error)}
    return {"predicted": predicted, "measured": read_peak() - before, "workers": n_workers}


def run(folder: Path, n_stimuli: int, memory: int | None) -> tuple[int, int]:
    """Stream noise and store it; the bytes that were predicted, and the threads."""
    from layerwise.plugins import load_plugins
    from layerwise.storage import open_store

    folder.mkdir()
    rng = np.random.default_rng(0)
    np.savez(folder / "noise.npz", images=rng.integers(0, 256, (n_stimuli, SIDE, SIDE, 3), dtype=np.uint8))
    registry = load_plugins()
    registry.register(ToyPlugin(), "toy-network", "toy-network", "0")
    request = RunRequest("toy", str(folder / "noise.npz"), layers=("main", "branches"), memory=memory)
    prepared = prepare_run(request, registry, SilentObserver())
    with open_store(f"sqlite:///{folder}/history.db") as store:
        execute_run(prepared, store, SilentObserver())
    return prepared.plan.memory_bytes, prepared.plan.concurrency.n_workers


def read_resident() -> int:
    """Resident bytes of this process now."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def read_peak() -> int:
    """Most bytes that this process was ever resident with."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    main()
