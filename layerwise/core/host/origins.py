"""Where plugins came from: remembered when one is installed, so that it can be had from there again.

A name alone would be looked up in an index, where anybody may have put a package that is called so.
"""

from __future__ import annotations

import json
from pathlib import Path

from layerwise.core.base.cache import cache_folder
from layerwise.core.host.discovery import normal_name


def remember_origin(distribution: str, source: str) -> None:
    """Note what `layerwise plugins install` is told to have a distribution again; a read-only cache forgets.

    Args:
        distribution: Its name.
        source: A path, a URL without a password, or its name.
    """
    known = _read() | {normal_name(distribution): source}
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
        partial = _file().with_suffix(".part")
        partial.write_text(json.dumps(known, indent=2, sort_keys=True), encoding="utf-8")
        partial.replace(_file())
    except OSError:
        return


def find_origin(distribution: str) -> str:
    """What to say to `layerwise plugins install`: where it came from, else its name."""
    return _read().get(normal_name(distribution), distribution)


def _file() -> Path:
    return cache_folder() / "plugins.json"


def _read() -> dict[str, str]:
    try:
        found = json.loads(_file().read_text(encoding="utf-8"))
        return {str(name): str(source) for name, source in found.items()}
    except (OSError, ValueError, AttributeError):
        return {}
