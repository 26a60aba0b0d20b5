"""Thousands of stimuli through the demo's small network, and what is asked of the run: peak memory, processor time.

    python benchmarks/many_stimuli.py [--stimuli 20000] [--memory 3GiB] [--branches] [--size 32] [--landmarks M]
                                      [--keep FOLDER]

Makes pictures from scikit-learn's digits (another shift and other noise each) and an untrained network, and calls the
command line for each step, in a process of its own: `run`, `compare` with RSA and CKA, `show`, `export` of one layer,
`report`. Prints what each process held at its most (the whole of it, Python and TensorFlow included), what it took in
seconds and processor seconds, and what the history takes on disk. `--memory` is handed to `run` and `compare`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

MIB = 2**20
SHIFT = 4


def main() -> None:
    """Make what is needed, and go through the steps."""
    options = parse_options()
    with tempfile.TemporaryDirectory() as made:
        folder = options.keep or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        make_inputs(folder, options.stimuli, options.size)
        print(
            f"{options.stimuli:,} stimuli of {options.size} x {options.size}, --memory {options.memory}", flush=True
        )
        print(f"{'step':<12}{'seconds':>9}{'processor s':>13}{'peak MiB':>10}", flush=True)
        measure("nothing", [sys.executable, "-c", "import tensorflow"])
        for name, arguments in list_steps(folder, options):
            if not options.steps or name in options.steps:
                measure(name, [sys.executable, "-m", "layerwise", *arguments])
        print(f"history: {(folder / 'history.db').stat().st_size / MIB:,.0f} MiB")


def parse_options() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stimuli", type=int, default=20_000)
    parser.add_argument("--memory", default="3GiB", help="for run and compare")
    parser.add_argument("--size", type=int, default=32, help="pixels along a side")
    parser.add_argument("--landmarks", type=int, metavar="M", help="keep pairs with the first M stimuli alone")
    parser.add_argument("--branches", action="store_true", help="17 layers: branches, too")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave the pictures and the history there")
    parser.add_argument("--steps", nargs="+", help="only these: run compare-rsa compare-cka show export report")
    return parser.parse_args()


def list_steps(folder: Path, options: argparse.Namespace) -> list[tuple[str, list[str]]]:
    """Names of the steps, and the commands' arguments."""
    db = ["--db", f"sqlite:///{folder}/history.db"]
    limit = ["--memory", options.memory]
    wanted = ["main", "scaled", "logits"] if not options.branches else ["main", "branches", "logits"]
    layers = [word for selector in wanted for word in ("--layers", selector)]
    run = ["run", str(folder / "network.keras"), "--stimuli", str(folder / "pictures.npz"), *layers]
    run += ["--landmarks", str(options.landmarks)] if options.landmarks else []
    compare = ["compare", "latest", *limit, *db]
    return [
        ("plan", [*run, "--dry-run", *limit, *db]),
        ("run", [*run, *limit, *db]),
        ("compare-rsa", [*compare, "--with", "rsa-pearson"]),
        ("compare-cka", [*compare, "--with", "cka"]),
        ("show", ["show", "latest", *db]),
        ("export", ["export", "latest", "-o", str(folder / "layer.npz"), "--layer", "maxpool1", *db]),
        ("report", ["report", "latest", "-o", str(folder / "report.html"), *db]),
    ]


def measure(name: str, command: Sequence[str]) -> None:
    """Run a command, and print what it took; its output where it fails."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    started = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read().decode(errors="replace")
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(f"{name:<12}{seconds:>9.1f}{usage.ru_utime + usage.ru_stime:>13.1f}{peak / MIB:>10,.0f}", flush=True)
    if process.returncode or name == "plan":
        print(said, flush=True)


def make_inputs(folder: Path, n_stimuli: int, size: int) -> None:
    """The network and the pictures, if they are not there already."""
    if not (folder / "pictures.npz").exists():
        np.savez(folder / "pictures.npz", images=draw_pictures(n_stimuli, size))
    if not (folder / "network.keras").exists():
        code = (
            "import sys, keras; from layerwise.demo.network import build_network; keras.utils.set_random_seed(0);"
            "build_network(size=int(sys.argv[1])).save(sys.argv[2])"
        )
        command = [sys.executable, "-c", code, str(size), str(folder / "network.keras")]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "TF_CPP_MIN_LOG_LEVEL": "3"}
        subprocess.run(command, check=True, env=environment)


def draw_pictures(n_stimuli: int, size: int) -> Any:
    """uint8 (n, size, size, 3): digits, each moved by a few pixels and with noise of its own."""
    from sklearn.datasets import load_digits

    rng = np.random.default_rng(0)
    digits = load_digits().images
    scale = max(1, (size - SHIFT) // 8)
    pictures = np.zeros((n_stimuli, size, size, 3), dtype=np.uint8)
    for picture in pictures:
        drawn = rng.normal(20, 12, size=(size, size))
        digit = np.kron(digits[rng.integers(len(digits))], np.ones((scale, scale))) * 13
        top, left = rng.integers(0, size - len(digit) + 1, size=2)
        drawn[top : top + len(digit), left : left + len(digit)] += digit
        picture[:] = np.clip(drawn, 0, 255)[..., None].astype(np.uint8)
    return pictures


if __name__ == "__main__":
    main()
