"""Finding installed plugins, and what can be known of them before they are imported.

What a plugin offers is data: its distribution declares an entry point for each of its hooks, in a group named after
the hook, such as `layerwise.comparators`. So a plugin is imported only when something of its kind is asked for, and a
command that needs no plugin imports none. One that is declared in the group `layerwise` alone may have any hook.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, PackageNotFoundError, distributions, entry_points, version

HOST = "layerwise"
"""The distribution that plugins are for, and whose own plugins are built in; the group of plugins with any hook."""

_NEEDS_HOST = re.compile(rf"{HOST}\s*(\[|[<>=!~(;@]|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Installed:
    """A plugin that is installed; nothing of it has run.

    Attributes:
        name: Name of its entry points; its module, where its distribution gives several modules this name.
        distribution: The distribution that has it.
        version: Its version.
        entry: How it is imported.
        hooks: The hooks in whose groups it is, such as `comparators`; None where it may have any.
        requirements: What that distribution says it needs.
    """

    name: str
    distribution: str
    version: str
    entry: EntryPoint
    hooks: frozenset[str] | None = None
    requirements: tuple[str, ...] = ()

    def answers_to(self, names: Collection[str]) -> bool:
        """Whether one of these names means it: its own, or its distribution's."""
        own = {self.name, self.entry.name, normal_name(self.distribution)}
        return bool(own & {*names, *map(normal_name, names)})


def group_of(hook: str) -> str:
    """The entry-point group of the plugins that have a hook: `layerwise.comparators`."""
    return f"{HOST}.{hook}"


def find_installed() -> list[Installed]:
    """All installed plugins, by name; of a distribution that is found twice, the first counts, as for Python."""
    modules: dict[tuple[str, str], dict[str, list[EntryPoint]]] = {}  # by distribution and name, then by module
    for entry in _find_entries():
        owner = entry.value.partition(":")[0] if entry.dist is None else entry.dist.metadata["Name"]
        modules.setdefault((owner, entry.name), {}).setdefault(entry.value, []).append(entry)
    found = [
        _describe(name if len(values) == 1 else value, owner, entries)
        for (owner, name), values in modules.items()
        for value, entries in values.items()
    ]
    return sorted(found, key=lambda one: (one.name, one.distribution))


def may_have(hook: str) -> bool:
    """Whether an installed plugin can have a hook, such as `commands`; nothing is imported to find out."""
    return any(entry.group in (HOST, group_of(hook)) for entry in _find_entries())


def _find_entries() -> list[EntryPoint]:
    # One look for all groups: each look reads the metadata of everything that is installed.
    found = entry_points()
    groups = sorted(group for group in found.groups if group == HOST or group.startswith(f"{HOST}."))
    return [entry for group in groups for entry in found.select(group=group)]


def _describe(name: str, distribution: str, entries: list[EntryPoint]) -> Installed:
    """One plugin, from its entry points in all groups."""
    hooks = frozenset(entry.group.removeprefix(f"{HOST}.") for entry in entries if entry.group != HOST)
    owner = entries[0].dist
    needs = () if owner is None else tuple(owner.requires or ())
    release = "unknown" if owner is None else owner.version
    return Installed(name, distribution, release, entries[0], hooks or None, needs)


def normal_name(distribution: str) -> str:
    """A distribution's name as it is compared: `My_Cka` and `my-cka` are one."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


@lru_cache(maxsize=64)
def distribution_version(name: str) -> str:
    """Version of an installed distribution, `unknown` where it is not installed as one."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"


def installed_versions() -> dict[str, str]:
    """Normal name to version of every installed distribution."""
    return {normal_name(found.name): found.version for found in reversed(list(distributions())) if found.name}


def needs_host(requirement: str) -> bool:
    """Whether a `Requires-Dist` line is about Layerwise."""
    return _NEEDS_HOST.match(requirement) is not None


def unmet_need(requirements: Iterable[str], release: str) -> str:
    """Why this release of Layerwise is not what a plugin's distribution asks for; empty where it is.

    Args:
        requirements: The distribution's `Requires-Dist` lines.
        release: The version of Layerwise; one that is `unknown` meets every need.
    """
    needs = [line for line in requirements if _NEEDS_HOST.match(line)]
    if not needs or release == "unknown":
        return ""
    from packaging.requirements import InvalidRequirement, Requirement

    for line in needs:
        try:
            need = Requirement(line)
        except InvalidRequirement:
            continue  # pip refuses to install what says this; whatever is there was put there otherwise
        applies = need.marker is None or need.marker.evaluate({"extra": ""})
        if applies and not need.specifier.contains(release, prereleases=True):
            return f"it needs {HOST}{need.specifier}, and this is {HOST} {release}"
    return ""
