"""Finding installed plugins, and what can be known of them before they are imported.

A plugin is an entry point in the group `layerwise`. Its distribution's metadata says which Layerwise it needs, and
its source, which is read but not run, which hooks it can have: so that what a command does not use is not imported.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from importlib.metadata import EntryPoint, PackageNotFoundError, distributions, entry_points, version

HOST = "layerwise"
"""The distribution that plugins are for, and whose own plugins are built in."""

_PREFIX = "register_"
_WORD = re.compile(rf"\b{_PREFIX}(\w+)")
_DYNAMIC = re.compile(r"import\s*\*|__getattr__|globals\(|vars\(|__dict__|setattr\(|exec\(")
_NEEDS_HOST = re.compile(rf"{HOST}\s*(\[|[<>=!~(;@]|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Installed:
    """A plugin that is installed; nothing of it has run.

    Attributes:
        name: Name of its entry point.
        distribution: The distribution that has it.
        version: Its version.
        entry: How it is imported.
        requirements: What that distribution says it needs.
    """

    name: str
    distribution: str
    version: str
    entry: EntryPoint
    requirements: tuple[str, ...] = ()

    def answers_to(self, names: Collection[str]) -> bool:
        """Whether one of these names means it: its own, or its distribution's."""
        return bool({self.name, normal_name(self.distribution)} & {*names, *map(normal_name, names)})


def find_installed(group: str = HOST) -> list[Installed]:
    """All installed plugins, by name; of a distribution that is found twice, the first counts, as for Python."""
    found = []
    for entry in sorted(entry_points(group=group), key=lambda entry: entry.name):
        owner = entry.dist
        if owner is None:
            found.append(Installed(entry.name, entry.value.partition(":")[0], "unknown", entry))
        else:
            needs = tuple(owner.requires or ())
            found.append(Installed(entry.name, owner.metadata["Name"], owner.version, entry, needs))
    return found


def may_have(hook: str, group: str = HOST) -> bool:
    """Whether an installed plugin can have a hook, such as `commands`; nothing is imported to find out."""
    from layerwise.core.host import hookspecs

    hooks = [name.removeprefix(_PREFIX) for name in vars(hookspecs) if name.startswith(_PREFIX)]
    return any(hook in foresee_hooks(entry, hooks) for entry in entry_points(group=group))


def normal_name(distribution: str) -> str:
    """A distribution's name as it is compared: `My_Cka` and `my-cka` are one."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def distribution_version(name: str) -> str:
    """Version of an installed distribution, `unknown` where it is not installed as one."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"


def installed_versions() -> dict[str, str]:
    """Normal name to version of every installed distribution."""
    return {normal_name(found.name): found.version for found in reversed(list(distributions())) if found.name}


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


def foresee_hooks(entry: EntryPoint, hooks: Collection[str]) -> frozenset[str]:
    """Which of these hooks a plugin can have, all of them where that cannot be known without running it.

    A module's hooks are names in its source, unless it makes names as it runs; its source is looked up
    without importing even the package it is in.
    """
    source = None if ":" in entry.value else _read_source(entry.value.strip())
    if source is None or _DYNAMIC.search(source):
        return frozenset(hooks)
    named = frozenset(_WORD.findall(source)) & frozenset(hooks)
    return named or frozenset(hooks)


def _read_source(module: str) -> str | None:
    path = None
    spec: ModuleSpec | None = None
    for end in range(module.count(".") + 1):
        spec = _find_spec(".".join(module.split(".")[: end + 1]), path)
        if spec is None:
            return None
        path = spec.submodule_search_locations
    read = getattr(spec.loader, "get_source", None) if spec is not None else None
    try:
        source: str | None = None if read is None else read(module)
    except (ImportError, OSError, SyntaxError, UnicodeDecodeError):
        return None
    return source


def _find_spec(name: str, path: Iterable[str] | None) -> ModuleSpec | None:
    for finder in sys.meta_path:
        spec = finder.find_spec(name, None if path is None else list(path))
        if spec is not None:
            return spec
    return None
