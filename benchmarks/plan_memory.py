"""What a plan predicts that a run will hold in memory, beside what it held.

    python benchmarks/plan_memory.py [N ...] [--memory 2GiB] [--enlarge 20]

Streams noise through the toy network of `layerwise.testing` and stores it in SQLite, each number of stimuli in a
process of its own. Measured is the peak of the process's resident memory, less what it had before there were stimuli
(Python, its packages, the network's weights); predicted is what `--dry-run` says. With many stimuli nearly all of it
are matrices of all pairs. With `--enlarge K` pictures are K times as high and wide as what the network makes of them
first, so that decoded stimuli count, in memory or on disk.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
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
from layerwise.core.host.kinds import ModelLoader, StimulusSource
from layerwise.core.host.plans import StreamPlan
from layerwise.core.network.graph import Graph, Node
from layerwise.core.network.model import Compiled, LoadRequest, Model
from layerwise.core.network.stimuli import Decoded, Resize, Stimulus, StimulusSet
from layerwise.core.runs.prepared import prepare_run
from layerwise.core.runs.request import RunRequest, SilentObserver
from layerwise.core.runs.run import execute_run
from layerwise.testing.toy import SIDE, ToyModel

NUMBERS = (500, 1000, 2000, 3000)


class EnlargedModel(ToyModel):
    """The toy network behind a layer that averages `factor` x `factor` pixels; the input is none of its layers."""

    def __init__(self, factor: int) -> None:
        super().__init__()
        self._factor = factor
        first, conv, *others = self.graph
        large = dataclasses.replace(first, shape=(SIDE * factor, SIDE * factor, 3))
        small = Node("small", "pool", ("input",), first.shape, (factor, factor))
        self.graph = Graph((large, small, dataclasses.replace(conv, inputs=("small",)), *others), "output")
        self.layers = self.layers[1:]
        self.info = dataclasses.replace(self.info, input_shape=large.shape)

    def compile(self, start: str, outputs: Sequence[str]) -> Compiled:
        """As the toy network does, from the average on."""
        if start != "input":
            return super().compile(start, outputs)
        compute = super().compile("small", outputs)
        shape = (SIDE, self._factor, SIDE, self._factor, 3)
        return lambda tensor: compute(tensor.reshape(len(tensor), *shape).mean(axis=(2, 4)))


class ToyLoader(ModelLoader):
    """Loads `toy:FACTOR`."""

    name = "toy"
    description = "the toy network"

    def accepts(self, model: str) -> bool:
        """Whether it is asked for."""
        return model.startswith("toy:")

    def load(self, request: LoadRequest) -> Model:
        """A new one."""
        factor = int(request.model.removeprefix("toy:"))
        return EnlargedModel(factor) if factor > 1 else ToyModel()


class Noise(StimulusSet):
    """Noise that is drawn when it is decoded."""

    def __init__(self, n_stimuli: int) -> None:
        self.name = self.source = "noise"
        self.stimuli = tuple(Stimulus(str(number)) for number in range(n_stimuli))

    def decode(self, index: int, size: tuple[int, int], resize: Resize) -> Decoded:
        """One picture."""
        del resize
        pixels = np.random.default_rng(index).integers(0, 256, (*size, 3), dtype=np.uint8)
        return Decoded(pixels, b"", hashlib.sha256(str(index).encode()).hexdigest())


class NoiseSource(StimulusSource):
    """`noise:N`."""

    name = "noise"
    description = "noise"

    def accepts(self, location: str) -> bool:
        """Whether it is asked for."""
        return location.startswith("noise:")

    def open(self, location: str) -> StimulusSet:
        """So many pictures."""
        return Noise(int(location.removeprefix("noise:")))


class ToyPlugin:
    """Offers the toy network, and noise."""

    @hookimpl
    def register_model_loaders(self) -> Sequence[ModelLoader]:
        """The loader."""
        return [ToyLoader()]

    @hookimpl
    def register_stimulus_sources(self) -> Sequence[StimulusSource]:
        """The source."""
        return [NoiseSource()]


def main() -> None:
    """Measure one number of stimuli in this process, or each in one of its own."""
    options = parse_options()
    if options.alone:
        print(json.dumps(measure(options.n[0], options.memory, options.enlarge)))
        return
    print(f"{'stimuli':>8}{'workers':>9}{'spool MiB':>11}{'predicted MiB':>15}{'measured MiB':>14}{'ratio':>7}")
    for n in options.n or NUMBERS:
        command = [sys.executable, __file__, str(n), "--alone", "--enlarge", str(options.enlarge)]
        command += ["--memory", options.memory] if options.memory else []
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
        if "refused" in found:
            print(f"{n:>8}  {found['refused']}")
            continue
        predicted, peak, spool = (found[name] / 2**20 for name in ("predicted", "measured", "spool"))
        numbers = f"{found['workers']:>9}{spool:>11.0f}{predicted:>15.0f}{peak:>14.0f}{peak / predicted:>7.2f}"
        print(f"{n:>8}{numbers}", flush=True)


def parse_options() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("n", nargs="*", type=int, help=f"numbers of stimuli; {', '.join(map(str, NUMBERS))}")
    parser.add_argument("--memory", help="budget, such as 2GiB; by default half of what is free")
    parser.add_argument("--enlarge", type=int, default=1, metavar="K", help="pictures K times as high and wide")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(n_stimuli: int, memory: str | None, factor: int) -> dict[str, float | str]:
    """Bytes that were predicted and held, in a process that has run once already."""
    from layerwise.cli.options.common import parse_size

    budget = parse_size(memory, "--memory") if memory else None
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder) / "warm", 20, None, factor)
        before = read_resident()
        try:
            plan = run(Path(folder) / "measured", n_stimuli, budget, factor)
        except InputError as error:
            return {"refused": str(error)}
    held = {"predicted": plan.memory_bytes, "measured": read_peak() - before}
    return {**held, "spool": plan.spool_bytes, "workers": plan.concurrency.n_workers}


def run(folder: Path, n_stimuli: int, memory: int | None, factor: int) -> StreamPlan:
    """Stream noise and store it; the plan."""
    from layerwise.plugins import load_plugins
    from layerwise.storage import open_store

    folder.mkdir()
    registry = load_plugins()
    registry.register(ToyPlugin(), "toy-network", "toy-network", "0")
    request = RunRequest(f"toy:{factor}", f"noise:{n_stimuli}", layers=("main", "branches"), memory=memory)
    prepared = prepare_run(request, registry, SilentObserver())
    with open_store(f"sqlite:///{folder}/history.db") as store:
        execute_run(prepared, store, SilentObserver())
    return prepared.plan


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
