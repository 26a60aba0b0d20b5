"""Which process computes a run, and whether it still exists.

Where a process can be looked up, that it exists decides and no clock does: a process that is busy, stopped or on a
suspended laptop is no less there. It can be looked up from where its number means the same: on the same boot of the
same machine, in the same namespace of processes. Containers may share a hostname, and numbers are given out again, so
neither is trusted alone; a process that took the number of another has another time of birth.
"""

from __future__ import annotations

import os
import socket
import sys
import uuid
from pathlib import Path
from typing import Any

import sqlalchemy as sa

_TOLERANCE = 2.0
"""Seconds by which two readings of one process's birth may differ: the time of boot is known to the second."""


def this_process() -> dict[str, Any]:
    """What a run remembers of the process that computes it: columns of `runs`."""
    pid = os.getpid()
    return {
        "pid": pid,
        "hostname": socket.gethostname(),
        "pid_space": _pid_space(),
        "process_started": _birth(pid),
    }


def can_look_up(run: sa.RowMapping) -> bool:
    """Whether the number of the process that computes a run means the same here."""
    space = _pid_space()
    return space is not None and (run["hostname"], run["pid_space"]) == (socket.gethostname(), space)


def process_exists(run: sa.RowMapping) -> bool:
    """Whether the process that computes a run is there; only where it can be looked up."""
    import psutil

    try:
        if psutil.Process(run["pid"]).status() == psutil.STATUS_ZOMBIE:
            return False
        return bool(abs(_birth(run["pid"]) - run["process_started"]) < _TOLERANCE)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def _pid_space() -> str | None:
    """Where the numbers of processes mean the same as here; None where that cannot be told."""
    if sys.platform != "linux":
        return f"{uuid.getnode():x}"
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return None


def _birth(pid: int) -> float:
    """When a process began, in seconds after the machine did: setting the clock does not change it."""
    import psutil

    boot = psutil.boot_time()
    return float(psutil.Process(pid).create_time() - boot)
