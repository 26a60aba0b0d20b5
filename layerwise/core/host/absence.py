"""Error messages for names that nobody offers: near names, and plugins that failed, are left out or gone."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from layerwise.core.base.words import near_names
from layerwise.core.host.discovery import Installed, installed_versions, normal_name
from layerwise.core.host.origins import find_origin
from layerwise.core.host.plugin_status import PluginStatus


@dataclass(frozen=True)
class Absence:
    """What is known when a name is looked up that no plugin offers.

    Attributes:
        plugins: All plugins.
        left_out: Those that are installed, and were not wanted.
        makers: (distribution, version)s by which results in the history were computed under this name.
    """

    plugins: Sequence[PluginStatus]
    left_out: Sequence[Installed]
    makers: Sequence[tuple[str, str]]

    def explain(self, hook: str, name: str, names: Sequence[str]) -> str:
        """The end of a message: who used to offer it, else names that are near it, and plugins that may have it.

        Args:
            hook: What was looked for, such as `comparators`.
            name: Its name.
            names: What there is; empty where the message lists it itself.
        """
        if self.makers:
            return "; " + "; ".join(self._explain_maker(*maker) for maker in self.makers)
        near = near_names(name, names)
        if names and not near:
            near = f"; `layerwise plugins --hook {hook}` lists what there is"
        failed = [str(status) for status in self.plugins if status.failure]
        wrong = [str(status) for status in self.plugins if status.mistakes]
        near += _list_plugins("not loaded", failed) + _list_plugins("mistakes in", wrong)
        if self.left_out:
            left = [f"'{found.name}'" for found in sorted(self.left_out, key=lambda found: found.name != name)]
            near += f"; left out by --no-plugin or LAYERWISE_PLUGINS: {', '.join(left[:3])}"
            near += ", ..." if len(left) > 3 else ""
        return near

    def _explain_maker(self, distribution: str, release: str) -> str:
        """What became of a distribution by which results in the history were computed."""
        used = f"results in this history were computed by it, from {distribution} {release}, which"
        same = normal_name(distribution)
        failed = [s for s in self.plugins if s.failure and normal_name(s.distribution) == same]
        if failed:
            return f"{used} did not load: {failed[0].reason}"
        if any(normal_name(found.distribution) == same for found in self.left_out):
            return f"{used} is left out by --no-plugin or LAYERWISE_PLUGINS"
        now = installed_versions().get(same)
        if now is None:
            return f"{used} is not installed: `layerwise plugins install {shlex.quote(find_origin(distribution))}`"
        return f"{used} offered it; installed is {distribution} {now}, which does not"


def _list_plugins(what: str, plugins: Iterable[str]) -> str:
    listed = ", ".join(plugins)
    return f"; {what}: {listed}, `layerwise plugins` says why" if listed else ""
