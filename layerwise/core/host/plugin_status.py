"""What became of a plugin: whether it is imported, why it did not load, and what its author got wrong."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from layerwise.core.base.words import near_names
from layerwise.core.host.discovery import group_of
from layerwise.core.host.hookspecs import HOOKS


@dataclass(frozen=True)
class PluginStatus:
    """One plugin as `layerwise plugins` lists it.

    Attributes:
        name: Its name.
        distribution: What it was installed with.
        version: That distribution's version.
        failure: Where it did not load, or one of its hooks failed, the traceback.
        reason: The same in one line.
        loaded: Whether it is imported; what nobody has asked for is not.
        mistakes: Where what it declares and what it has are not the same, a line for each.
    """

    name: str
    distribution: str
    version: str
    failure: str = ""
    reason: str = ""
    loaded: bool = True
    mistakes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"'{self.name}' ({self.distribution} {self.version})"


def check_groups(declared: Collection[str]) -> tuple[str, ...]:
    """A line for each entry-point group that belongs to no hook.

    Args:
        declared: The groups that a plugin is in, without `layerwise.`.
    """
    strange = sorted(set(declared) - set(HOOKS))
    return tuple(f"there is no entry-point group '{group_of(h)}'{_near_groups(h)}" for h in strange)


def check_hooks(plugin: object, had: Collection[str], declared: Collection[str] | None) -> tuple[str, ...]:
    """A line for each hook that a plugin has and does not declare, or declares and does not have.

    Args:
        plugin: The plugin, imported.
        had: Its hooks, such as `comparators`.
        declared: The hooks in whose entry-point groups it is; None where it need not say.
    """
    found = []
    for hook in HOOKS:
        is_declared = declared is not None and hook in declared
        if hook not in had and callable(getattr(plugin, f"register_{hook}", None)):
            found.append(f"register_{hook} is not marked with @layerwise.plugin.hookimpl, so it is no hook")
        elif hook not in had and is_declared:
            found.append(f"it is in the entry-point group '{group_of(hook)}', but has no hook register_{hook}")
        elif hook in had and declared is not None and not is_declared:
            found.append(
                f"it has register_{hook}, but is not in the entry-point group '{group_of(hook)}', so it is not asked"
            )
    if declared is None and not had and not found:
        found.append("it has no hook: no function register_... that is marked with @layerwise.plugin.hookimpl")
    return tuple(found)


def _near_groups(hook: str) -> str:
    return near_names(group_of(hook), [group_of(known) for known in HOOKS])
