"""Engines: this process, or workers of Dask on this machine and others."""

from __future__ import annotations

from collections.abc import Sequence

from layerwise.core.host.hookspecs import hookimpl
from layerwise.core.host.kinds import Engine
from layerwise.plugins.engines.local import LocalEngine

__all__ = ["LocalEngine", "register_engines"]


@hookimpl
def register_engines() -> Sequence[Engine]:
    """The local engine, and Dask's, which needs the extra `layerwise[dask]` only when it is used."""
    from layerwise.plugins.engines.dask import DaskEngine

    return [LocalEngine(), DaskEngine()]
