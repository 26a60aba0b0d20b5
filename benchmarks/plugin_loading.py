"""What installed plugins cost the commands that do not use them: measured with none and with many, side by side.

    python benchmarks/plugin_loading.py [--plugins 30] [--db layerwise.db]

Without a history it makes one, of a toy network on digits. Makes that many distributions in a temporary folder, each
with a comparator, and each importing something that takes half a second (as a deep learning library would, and more),
except where `--light` says otherwise. Each command runs in a process of its own, with and without that folder on the
path in turn, so that whatever else the machine does strikes both; medians of processor and wall time are told.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from layerwise.testing import make_history

MODULE = """
{heavy}
import numpy as np
from layerwise.plugin import Comparator, hookimpl

class Plugin(Comparator):
    name = "measure-{number}"
    description = "a measure"
    kind = "similarity"
    symmetric = True
    value_range = (-1.0, 1.0)
    invariant_to = frozenset()
    def prepare(self, representation): return representation
    def compare(self, first, second): return 0.5

@hookimpl
def register_comparators(): return [Plugin()]
"""
HEAVY = "import time; end = time.process_time() + 0.5\nwhile time.process_time() < end: pass"


@dataclass(frozen=True)
class Cost:
    """Medians, in seconds."""

    wall: float
    processor: float


def make_plugins(folder: Path, n_plugins: int, *, heavy: bool) -> None:
    for number in range(n_plugins):
        name = f"lw_plugin_{number}"
        source = MODULE.format(number=number, heavy=HEAVY if heavy else "")
        (folder / f"{name}.py").write_text(source, encoding="utf-8")
        info = folder / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nRequires-Dist: layerwise\n"
        )
        (info / "entry_points.txt").write_text(f"[layerwise.comparators]\n{name} = {name}\n")


def run_once(arguments: Sequence[str], path: Path | None) -> tuple[float, float]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    line = [sys.executable, "-m", "layerwise", *arguments]
    done = subprocess.run(
        line, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"`layerwise {' '.join(arguments)}` cannot be measured: {done.stderr.strip()}")
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(arguments: Sequence[str], path: Path, n_times: int) -> tuple[Cost, Cost]:
    """Cost without and with the plugins."""
    found: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    for number in range(n_times + 1):
        for has_plugins in (False, True):
            cost = run_once(arguments, path if has_plugins else None)
            if number:  # the first time compiles
                found[has_plugins].append(cost)
    without, with_plugins = (
        Cost(*(statistics.median(column) for column in zip(*costs, strict=True))) for costs in found.values()
    )
    return without, with_plugins


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plugins", type=int, default=30)
    parser.add_argument("--db", help="A history with at least one run; one of a toy network where it is not named.")
    parser.add_argument("--times", type=int, default=9)
    parser.add_argument("--light", action="store_true", help="Plugins that import nothing heavy.")
    options = parser.parse_args()
    commands = [["runs"], ["reorder", "latest", "--by", "input"], ["plugins", "--hook", "metrics"], ["--help"]]
    print(f"{options.plugins} plugins with a comparator each, {'light' if options.light else 'heavy'}; seconds")
    print(f"{'command':<34}{'':>14}{'without':>9}{'with':>9}{'more':>9}{'ratio':>7}")
    with tempfile.TemporaryDirectory(prefix="layerwise-") as folder:
        history = options.db or make_history(Path(folder) / "history.db")
        make_plugins(Path(folder), options.plugins, heavy=not options.light)
        for command in commands:
            database = ["--db", history] if command[0] in ("runs", "reorder") else []
            without, loaded = measure([*command, *database], Path(folder), options.times)
            for kind in ("processor", "wall"):
                first, second = getattr(without, kind), getattr(loaded, kind)
                numbers = f"{first:>9.3f}{second:>9.3f}{second - first:>+9.3f}{second / first:>7.2f}"
                print(f"{' '.join(command):<34}{kind:>14}{numbers}")


if __name__ == "__main__":
    main()
