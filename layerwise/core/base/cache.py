"""Where Layerwise keeps what can be had again: fetched weights, and notes on where things came from."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """What LAYERWISE_CACHE names, else the folder `layerwise` in XDG_CACHE_HOME or ~/.cache; it need not be there."""
    named = os.environ.get("LAYERWISE_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "layerwise"
