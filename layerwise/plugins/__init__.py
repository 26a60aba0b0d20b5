"""The built-in plugins. Each talks to core exactly as an outsider's plugin does: through the hooks."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Collection, Mapping
from functools import partial

from layerwise.core.base.words import near_names
from layerwise.core.host import kinds
from layerwise.core.host.calling import Caller, Trace, warn_in_python
from layerwise.core.host.discovery import HOST, normal_name
from layerwise.core.host.kinds.offer import Offer, hook_of
from layerwise.core.host.registry import Registry, distribution_version
from layerwise.report.section import SectionBuilder

BUILTINS = {
    "loaders": ("model_loaders",),
    "sources": ("stimulus_sources",),
    "selectors": ("layer_selectors",),
    "transforms": ("transforms",),
    "split_half": ("transforms",),
    "statistics": ("statistics",),
    "metrics": ("metrics",),
    "comparators": ("comparators",),
    "reorderers": ("reorderers",),
    "engines": ("engines",),
    "sections": ("report_sections",),
}
"""The modules of this package that are plugins, each with its hooks."""

KINDS: dict[str, type[Offer]] = {
    hook_of(kind): kind
    for kind in (
        kinds.ModelLoader,
        kinds.StimulusSource,
        kinds.LayerSelector,
        kinds.Transform,
        kinds.Statistic,
        kinds.Metric,
        kinds.Comparator,
        kinds.Reorderer,
        kinds.Engine,
        SectionBuilder,
        kinds.CommandGroup,
    )
}
"""What comes through each hook, in the order in which people are told of hooks."""

ONLY = "LAYERWISE_PLUGINS"


def load_plugins(
    blocked: Collection[str] = (),
    *,
    warn: Callable[[str], None] = warn_in_python,
    trace: Trace | None = None,
) -> Registry:
    """A registry with the built-in plugins and the installed ones; each is imported when it is first asked for.

    Which of the installed ones are wanted, LAYERWISE_PLUGINS says: names of plugins or distributions with commas
    between; all where it is not set, none where it is empty.

    Args:
        blocked: Names of plugins or distributions to do without, built-in ones too.
        warn: Told, in one line, of a plugin that does not load or is silent for long, or a name that is none.
        trace: Where calls of plugins are counted.
    """
    registry = Registry(caller=Caller(warn, trace))
    release = distribution_version(HOST)
    for name, hooks in BUILTINS.items():
        if name not in blocked:
            load = partial(importlib.import_module, f"layerwise.plugins.{name}")
            registry.expect(name, HOST, release, hooks, load)
    only = read_names(os.environ)
    registry.expect_installed(blocked=blocked, only=only)
    _check_names(registry, blocked, only or ())
    return registry


def read_names(environment: Mapping[str, str]) -> tuple[str, ...] | None:
    """What LAYERWISE_PLUGINS says: the only installed plugins that are wanted, None for all of them."""
    said = environment.get(ONLY)
    return None if said is None else tuple(name.strip() for name in said.split(",") if name.strip())


def _check_names(registry: Registry, blocked: Collection[str], only: Collection[str]) -> None:
    """Say which names are of no plugin that is installed."""
    known = set(BUILTINS)
    known |= {word for plugin in registry.plugins for word in (plugin.name, normal_name(plugin.distribution))}
    known |= {word for plugin in registry.left_out for word in (plugin.name, normal_name(plugin.distribution))}
    for option, names in (("--no-plugin", blocked), (ONLY, only)):
        for name in names:
            if not {name, normal_name(name)} & known:
                near = near_names(name, sorted(known)).partition("; there")[0]
                registry.caller.warn(f"{option}: no plugin '{name}' is installed{near}")
