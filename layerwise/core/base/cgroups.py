"""Limits that a container, a batch job or systemd sets: Linux control groups, versions 1, 2 and both at once.

psutil and `os.cpu_count` speak of the whole host; what a process may have of it stands in these files. Whatever is
missing or cannot be read sets no limit: a machine without control groups is not an error.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_UNLIMITED = 1 << 60
"""Version 1 has no word for "no limit", only the largest number that fits: whatever is as large as this is none."""


@dataclass(frozen=True)
class Limits:
    """What the control groups of this process allow; None where they allow everything.

    Attributes:
        n_cores: Cores' worth of processor time, rounded up.
        memory: Bytes of memory, the lowest limit of all groups that the process is in.
        memory_left: Bytes that can still be had below all of these limits.
    """

    n_cores: int | None = None
    memory: int | None = None
    memory_left: int | None = None


def read_limits(root: Path = Path("/")) -> Limits:
    """The limits of this process.

    Args:
        root: Where `proc` and `sys` are; another one for tests.
    """
    cores = [found for folder in _folders(root, "cpu") if (found := _read_cores(folder)) is not None]
    memory = [known for folder in _folders(root, "memory") if (known := _read_memory(folder)) is not None]
    return Limits(
        n_cores=min(cores, default=None),
        memory=min((limit for limit, _ in memory), default=None),
        memory_left=min((left for _, left in memory), default=None),
    )


def _folders(root: Path, controller: str) -> Iterator[Path]:
    """The folders of the groups that the process is in, each group's own before those of its parents.

    A limit of a parent holds for all its children, so each one counts. Inside a container the path that /proc tells
    is often the host's, of which only the last group is mounted, as the root: what does not exist is passed over.
    """
    mounts = root / "sys" / "fs" / "cgroup"
    for line in _read(root / "proc" / "self" / "cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            tops = [mounts / "unified", mounts]
        elif controller in controllers.split(","):
            tops = [mounts / controllers, mounts / controller]
        else:
            continue
        top = next((folder for folder in tops if folder.is_dir()), None)
        if top is not None:
            parts = [part for part in path.split("/") if part not in ("", ".", "..")]
            yield from (top.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1))


def _read_cores(group: Path) -> int | None:
    quota, _, period = _read(group / "cpu.max").partition(" ")
    if not period:
        quota, period = (_read(group / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
    allowed, every = _number(quota), _number(period)
    return max(1, math.ceil(allowed / every)) if allowed and every else None


def _read_memory(group: Path) -> tuple[int, int] | None:
    """The limit of a group, and what is left below it.

    Pages of files that nobody has touched lately count as used, but the kernel gives them up before it refuses
    anything: without taking them off, a container that has read a large file would look full.
    """
    for limit_name, usage_name, cache_name in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        limit, usage = (_number(_read(group / name)) for name in (limit_name, usage_name))
        if limit is not None and limit < _UNLIMITED:
            used = max(0, (usage or 0) - _read_entry(group / "memory.stat", cache_name))
            return limit, max(0, limit - used)
    return None


def _read_entry(path: Path, name: str) -> int:
    for line in _read(path).splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return _number(value) or 0
    return 0


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _number(text: str) -> int | None:
    """A number that is not negative; None for `max`, `-1` and whatever else a kernel may come to write."""
    return int(text) if text.isascii() and text.isdigit() else None
