"""The built-in plugins. Each talks to core exactly as an outsider's plugin does: through the hooks."""

from __future__ import annotations

import importlib

from layerwise.core.registry import Registry, distribution_version

BUILTINS = (
    "loaders",
    "sources",
    "selectors",
    "transforms",
    "split_half",
    "statistics",
    "metrics",
    "comparators",
    "reorderers",
    "engines",
    "report",
)
DISTRIBUTION = "layerwise"


def load_plugins(blocked: tuple[str, ...] = ()) -> Registry:
    """A registry with the built-in plugins and every installed one, except those `blocked` by name."""
    registry = Registry()
    release = distribution_version(DISTRIBUTION)
    for name in BUILTINS:
        if name not in blocked:
            module = importlib.import_module(f"layerwise.plugins.{name}")
            registry.register(module, name, DISTRIBUTION, release)
    registry.load_entry_points(blocked=blocked)
    return registry
