"""What this process takes up of memory: now, and at most while something is done.

Linux keeps the largest resident size that a process has ever had. Where that rises, it is the peak, to the page;
where an earlier peak was higher, and on other systems, a thread looks every few milliseconds.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

_INTERVAL = 0.02
_STATUS = Path("/proc/self/status")
_STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Bytes of memory that this process has now."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        import psutil

        return int(psutil.Process().memory_info().rss)


class MemoryWatch:
    """While within, the most memory that this process has.

    Attributes:
        peak: Bytes; final once the block has ended.
    """

    def __init__(self) -> None:
        self.peak = 0
        self._highest_before: int | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="layerwise-memory", daemon=True)

    def _look(self) -> None:
        while not self._over.wait(_INTERVAL):
            self.peak = max(self.peak, resident_bytes())

    def begin_anew(self) -> int:
        """Forget the peak so far; gives the bytes that there are now."""
        self._highest_before, self.peak = _highest_ever(), resident_bytes()
        return self.peak

    def __enter__(self) -> Self:
        self.begin_anew()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        highest = _highest_ever()
        if highest is not None and self._highest_before is not None and highest > self._highest_before:
            self.peak = max(self.peak, highest)


def _highest_ever() -> int | None:
    """The most that the process has ever had; None where the system does not say."""
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    found = next((line.split()[1] for line in lines if line.startswith("VmHWM:")), None)
    return None if found is None else int(found) * 1024
