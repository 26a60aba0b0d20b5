"""What this process may use of the machine: cores and memory. The one place that counts either.

Limits of containers and batch jobs (Docker, Kubernetes, Slurm) count, in which a host's own numbers mislead: a pool
of 64 threads on two cores is slow, and a plan for memory that is not there is killed without a word.
"""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from layerwise.core.base.cgroups import read_limits

_ROOT = Path("/")
_CHOOSING = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "LAYERWISE_TORCH_DEVICE")


def n_cores(root: Path = _ROOT) -> int:
    """Cores that this process may use, at least 1: by affinity, and by the quota of its container, rounded up.

    Args:
        root: Where `proc` and `sys` are; another one for tests.
    """
    cores, quota = _count_own_cores(), read_limits(root).n_cores
    return cores if quota is None else min(cores, quota)


def host_cores() -> int:
    """Cores that the whole machine has, whoever may use them: for the record, never for the size of a pool."""
    return os.cpu_count() or 1


def list_accelerators(root: Path = _ROOT) -> list[str]:
    """What a framework that looks for a GPU would find here, told without loading one; empty on most machines.

    The models of NVIDIA's GPUs, whether there is an AMD or an Apple GPU, and what is said in the environment of which
    of them this process may use.

    Args:
        root: Where `proc` and `dev` are; another one for tests.
    """
    described = sorted((root / "proc/driver/nvidia/gpus").glob("*/information"))
    models = [line.strip() for file in described for line in file.read_text().splitlines() if "Model" in line]
    nodes = sorted(node.name for node in (root / "dev").glob("nvidia[0-9]*"))
    others = ["amd"] if (root / "dev/kfd").exists() else []
    others += ["apple"] if sys.platform == "darwin" and platform.machine() == "arm64" else []
    said = [f"{name}={os.environ[name]}" for name in _CHOOSING if name in os.environ]
    return [*models, *nodes, *others, *said]


def available_memory(root: Path = _ROOT) -> int:
    """Bytes of memory that this process can still have: of the host's, the container's and `ulimit -v`, the least.

    Args:
        root: Where `proc` and `sys` are; another one for tests.
    """
    allowed = (_left_on_host(root), read_limits(root).memory_left, _left_of_address_space())
    return min(n_bytes for n_bytes in allowed if n_bytes is not None)


def memory_limit(root: Path = _ROOT) -> int | None:
    """Bytes of memory that the container gives to all its processes together; None where it sets no limit."""
    return read_limits(root).memory


def _count_own_cores() -> int:
    count = getattr(os, "process_cpu_count", None)  # since Python 3.13; heeds PYTHON_CPU_COUNT as well
    if count is not None:
        return count() or 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _left_on_host(root: Path) -> int:
    """What the system can still give: from its own file where there is one, which needs no library to be loaded."""
    try:
        lines = (root / "proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")) * 1024
    except (OSError, ValueError, StopIteration):
        import psutil

        return int(psutil.virtual_memory().available)


def _left_of_address_space() -> int | None:
    """What `ulimit -v` leaves; None where it sets no limit, as on Windows."""
    try:
        import resource
    except ImportError:
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return None
    import psutil

    return max(0, limit - int(psutil.Process().memory_info().vms))
