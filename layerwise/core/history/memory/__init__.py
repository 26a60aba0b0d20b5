"""A history in memory, and results kept in memory beside a history that may only be read."""

from layerwise.core.history.memory.history import MemoryHistory
from layerwise.core.history.memory.overlay import OverlayHistory

__all__ = ["MemoryHistory", "OverlayHistory"]
