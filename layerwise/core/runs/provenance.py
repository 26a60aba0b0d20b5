"""Where results come from: versions of everything that computes, the machine, and the identity of an analysis."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from layerwise.core.base.machine import host_cores, memory_limit, n_cores
from layerwise.core.host import kinds
from layerwise.core.host.registry import Registered, Registry, distribution_version

_COMPUTING = ("layerwise", "numpy", "scipy", "pillow")


def collect_versions(model_versions: Mapping[str, str]) -> dict[str, str]:
    """Versions of Python and of every package that takes part in computing, the model's framework included."""
    versions = {"python": platform.python_version()}
    versions |= {name: distribution_version(name) for name in _COMPUTING}
    return versions | dict(model_versions)


def describe_host(device: str = "cpu") -> dict[str, str]:
    """The machine: its name, operating system, processor, cores and memory; and what this process may use of both.

    Args:
        device: Where the network computes.
    """
    import psutil

    limit = memory_limit()
    return {
        "hostname": platform.node(),
        "system": platform.platform(),
        "processor": _processor(),
        "cores": str(host_cores()),
        "cores_used": str(n_cores()),
        "device": device,
        "memory": f"{psutil.virtual_memory().total / 2**30:.1f} GiB",
    } | ({} if limit is None else {"memory_limit": f"{limit / 2**30:.1f} GiB"})


@cache
def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def list_plugins(registry: Registry) -> tuple[str, ...]:
    """`name (distribution version)` of every plugin that is loaded."""
    return tuple(
        f"{plugin.name} ({plugin.distribution} {plugin.version})"
        for plugin in registry.plugins
        if plugin.loaded and not plugin.failure
    )


def provenance(offers: Iterable[Registered[Any]]) -> list[str]:
    """`distribution:name revision` of each offer: what a key is made of."""
    return sorted(f"{offer.qualified_name} {offer.offer.revision}" for offer in offers)


def list_decisive(registry: Registry) -> list[Registered[Any]]:
    """The statistics that must be there while the network runs: those of representations can be added later."""
    offers: Sequence[Registered[Any]] = registry.all(kinds.Statistic)
    return [offer for offer in offers if not isinstance(offer.offer, kinds.RepresentationStatistic)]


def digest_key(parts: Mapping[str, object]) -> str:
    """Hex SHA-256 of everything that decides an analysis's results."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
