"""What a notebook starts with: a history, and everything that plugins offer."""

from __future__ import annotations

import warnings
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from layerwise.core.host.registry import Registry
    from layerwise.storage import OpenHistory


def open_history(database: str | Path, *, create: bool = False, read_only: bool = False) -> OpenHistory:
    """Open a history; use it in a `with` statement, or `close` it.

    Args:
        database: Path of an SQLite file, or a URL: `sqlite:///FILE`, `postgresql://USER@HOST/NAME`, or `sqlite://`
            for an empty one in memory, which is gone when it is closed.
        create: Whether to start a history where there is none.
        read_only: Whether every change shall be refused; comparisons that are new cannot be kept then.

    Raises:
        InputError: If there is no history there, or it is not one.
    """
    from layerwise.storage import open_store

    store = open_store(as_url(database), create=create, read_only=read_only)
    for remark in store.remarks:
        warnings.warn(remark, RuntimeWarning, stacklevel=2)
    return store


def as_url(database: str | Path) -> str:
    """The URL of a history that is given as a file or as a URL."""
    text = str(database)
    return text if "://" in text else f"sqlite:///{text}"


@lru_cache(maxsize=1)
def all_plugins() -> Registry:
    """The built-in plugins and the installed ones, loaded when first asked for."""
    from layerwise.plugins import load_plugins

    return load_plugins()
