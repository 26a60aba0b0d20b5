"""Where benchmarks keep their figures: a file with the machine and the commit, which the next run compares with."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from pathlib import Path
from typing import Any

FILE = Path(os.environ.get("LAYERWISE_FIGURES", Path(__file__).parents[1] / "build" / "figures.jsonl"))


def keep(benchmark: str, figures: dict[str, float], device: str = "cpu", file: Path = FILE) -> None:
    """Add figures to the file, and print them beside those of the last time on such a machine and device.

    Args:
        benchmark: Which benchmark.
        figures: Numbers by name; ratios where that is possible, since a machine is never equally busy.
        device: Where was computed.
        file: JSON, one line a run.
    """
    entry: dict[str, Any] = {
        "benchmark": benchmark,
        "when": time.strftime("%Y-%m-%d %H:%M"),
        "commit": _commit(),
        "machine": describe_machine(),
        "device": device,
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "figures": {name: round(value, 4) for name, value in figures.items()},
    }
    earlier = _find_earlier(entry, file)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(entry) + "\n")
    print(f"\n{entry['machine']}, {device}, commit {entry['commit']}, load {entry['load']}; kept in {file}")
    before = {} if earlier is None else earlier["figures"]
    for name, value in figures.items():
        compared = f"{before[name]:>12.3g}{value / before[name]:>9.2f}" if before.get(name) else ""
        print(f"{name:<36}{value:>12.3g}{compared}")
    if earlier is not None:
        print(f"beside: {earlier['when']}, commit {earlier['commit']}, load {earlier['load']}, and the ratio to it")


def describe_machine() -> str:
    """Processor and cores that may be used."""
    from layerwise.core.base.machine import n_cores

    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        models = [line for line in info.read_text(errors="replace").splitlines() if line.startswith("model name")]
        name = models[0].partition(":")[2].strip() if models else name
    return f"{name}, {n_cores()} cores"


def _commit() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _find_earlier(entry: dict[str, Any], file: Path) -> dict[str, Any] | None:
    """The last entry of the same benchmark on the same machine and device."""
    if not file.is_file():
        return None
    same = ("benchmark", "machine", "device")
    for line in reversed(file.read_text(encoding="utf-8").splitlines()):
        other: dict[str, Any] = json.loads(line)
        if all(other[name] == entry[name] for name in same):
            return other
    return None
