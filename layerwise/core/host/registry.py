"""The registry: what every plugin offers, under which name, and who it came from.

Plugins are imported one by one, and not before something of a kind that they can offer is looked up; one that
fails is remembered with its traceback and stops nothing else. Two plugins that offer the same name leave the bare
name ambiguous: it is an error that lists both, and `distribution:name` finds each. A name that nobody offers is
asked of the history, which may know from which distribution it came when runs used it.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

import pluggy

from layerwise.core.base.errors import InputError, LayerwiseError, PluginError
from layerwise.core.base.words import near_names
from layerwise.core.host import hookspecs
from layerwise.core.host.calling import Caller, Place
from layerwise.core.host.discovery import (
    HOST,
    Installed,
    distribution_version,
    find_installed,
    foresee_hooks,
    installed_versions,
    normal_name,
    unmet_need,
)
from layerwise.core.host.hook_checks import check_offers
from layerwise.core.host.hookspecs import HOOKS
from layerwise.core.host.kinds.offer import Offer, hook_of
from layerwise.core.host.registered import Registered

__all__ = ["PluginStatus", "Registered", "Registry", "distribution_version"]

Kind = TypeVar("Kind", bound=Offer)


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
    """

    name: str
    distribution: str
    version: str
    failure: str = ""
    reason: str = ""
    loaded: bool = True


@dataclass(frozen=True)
class _Waiting:
    """A plugin that is imported when one of these hooks is asked for."""

    hooks: Collection[str]
    load: Callable[[], object]
    need: str = ""


Recall = Callable[[str, str], Sequence[tuple[str, str]]]
"""(hook, name) to the (distribution, version)s that results in the history were computed by."""


@dataclass
class Registry:
    """Everything that plugins offer, looked up by kind and name.

    Attributes:
        plugins: All plugins, in the order in which they were found; those that are not loaded yet, too.
        caller: Calls them all.
        recall: Asked who offered a name that nobody offers now.
        left_out: Plugins that are installed, and were not wanted.
    """

    plugins: list[PluginStatus] = field(default_factory=list)
    caller: Caller = field(default_factory=Caller)
    recall: Recall = field(default=lambda _hook, _name: ())
    left_out: list[Installed] = field(default_factory=list)
    _manager: pluggy.PluginManager = field(init=False)
    _offers: dict[str, list[Registered[Any]]] = field(default_factory=dict)
    _asked: dict[tuple[str, str], list[Registered[Any]]] = field(default_factory=dict)  # by hook and plugin
    _places: dict[str, int] = field(default_factory=dict)  # of loaded plugins in `plugins`, by qualified name
    _waiting: dict[int, _Waiting] = field(default_factory=dict)  # by place in `plugins`
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def __post_init__(self) -> None:
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)

    def register(self, plugin: object, name: str, distribution: str, release: str) -> None:
        """Add a plugin that is already imported; a refusal is remembered, not raised."""
        self.plugins.append(PluginStatus(name, distribution, release))
        self._register(plugin, len(self.plugins) - 1)

    def expect(
        self,
        name: str,
        distribution: str,
        release: str,
        hooks: Collection[str],
        load: Callable[[], object],
        need: str = "",
    ) -> None:
        """Add a plugin that is imported by `load` once one of these hooks is asked for.

        Args:
            name: Its name.
            distribution: What it was installed with.
            release: That distribution's version.
            hooks: Hooks that it may have, such as `comparators`.
            load: Imports it.
            need: Why it cannot be loaded, where that is known already; then `load` is never called.
        """
        self.plugins.append(PluginStatus(name, distribution, release, loaded=False))
        self._waiting[len(self.plugins) - 1] = _Waiting(hooks, load, need)
        self._offers.clear()

    def expect_installed(
        self,
        group: str = hookspecs.PROJECT,
        blocked: Collection[str] = (),
        only: Collection[str] | None = None,
    ) -> None:
        """Add every plugin that is installed.

        Args:
            group: The entry-point group.
            blocked: Names of plugins or distributions to do without.
            only: If not None, the only ones that are wanted.
        """
        release = distribution_version(HOST)
        for found in find_installed(group):
            wanted = only is None or found.answers_to(only)
            if not wanted or found.answers_to(blocked):
                self.left_out.append(found)
                continue
            hooks = foresee_hooks(found.entry, HOOKS)
            need = unmet_need(found.requirements, release)
            self.expect(found.name, found.distribution, found.version, hooks, found.entry.load, need)

    def all(self, kind: type[Kind]) -> Sequence[Registered[Kind]]:
        """All that is registered of a kind, in order of registration; built-in things first."""
        hook = hook_of(kind)
        with self._lock:
            if hook not in self._offers:
                for place, waiting in list(self._waiting.items()):
                    if hook in waiting.hooks:
                        self._load(place)
                self._offers[hook] = self._collect(f"register_{hook}", kind)
            return cast("Sequence[Registered[Kind]]", self._offers[hook])

    def get(self, kind: type[Kind], name: str) -> Registered[Kind]:
        """What is registered under a name, bare or as `distribution:name`.

        Raises:
            InputError: If there is none (near names are listed), or the bare name is ambiguous.
        """
        word = hook_of(kind).replace("_", " ").removesuffix("s")
        offers = self.all(kind)
        found = [offer for offer in offers if offer.answers_to(name)]
        if not found:
            raise InputError(f"no {word} '{name}'{self.explain_absence(kind, name, [o.name for o in offers])}")
        if len(found) > 1:
            choices = " or ".join(offer.qualified_name for offer in found)
            raise InputError(f"{word} '{name}' is offered by several plugins: say {choices}")
        return found[0]

    def explain_absence(self, kind: type[Kind], name: str, names: Sequence[str]) -> str:
        """The end of an error message that says why there may be nothing of a name, or what is near it.

        Args:
            kind: What was looked for.
            name: Its name.
            names: What there is; empty where the message lists it itself.
        """
        makers = self.recall(hook_of(kind), name)
        if makers:
            return "; " + "; ".join(self._explain_maker(*maker) for maker in makers)
        near = near_names(name, names)
        if names and not near:
            near = f"; `layerwise plugins --hook {hook_of(kind)}` lists what there is"
        failed = [f"'{s.name}' ({s.distribution} {s.version})" for s in self.plugins if s.failure]
        if failed:
            near += f"; not loaded: {', '.join(failed)}, `layerwise plugins` says why"
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
            return f"{used} is not installed: `layerwise plugins install {distribution}`"
        return f"{used} offered it; installed is {distribution} {now}, which does not"

    def _load(self, place: int) -> None:
        """Import a plugin that waits."""
        waiting = self._waiting.pop(place)
        status = self.plugins[place]
        if waiting.need:
            self._mark_failed(place, waiting.need, waiting.need)
            return
        limit = None if status.distribution == HOST else self.caller.limits.loading
        try:
            plugin = self.caller.call(Place(status.name, "import", "", "importing it"), waiting.load, (), limit)
        except LayerwiseError as error:
            self._mark_failed(place, _reason(error), traceback.format_exc())
        else:
            self._register(plugin, place)

    def _register(self, plugin: object, place: int) -> None:
        status = self.plugins[place]
        name = f"{status.distribution}:{status.name}"
        try:
            self._manager.register(plugin, name)
            self._manager.check_pending()
        except (ValueError, pluggy.PluginValidationError) as error:
            if self._manager.get_plugin(name) is plugin:
                self._manager.unregister(plugin)
            self._mark_failed(place, f"{type(error).__name__}: {error}", traceback.format_exc())
        else:
            self._places[name] = place
            self.plugins[place] = replace(status, loaded=True)
            self._offers.clear()

    def _collect(self, hook: str, kind: type[Kind]) -> list[Registered[Kind]]:
        implementations = {found.plugin_name: found for found in getattr(self._manager.hook, hook).get_hookimpls()}
        offers: list[Registered[Kind]] = []
        for name in sorted(implementations, key=self._places.__getitem__):
            if (hook, name) not in self._asked:
                self._asked[hook, name] = self._ask(implementations[name].function, self._places[name], hook, kind)
            offers += self._asked[hook, name]
        return offers

    def _ask(self, function: Callable[[], object], place: int, hook: str, kind: type[Kind]) -> list[Registered[Kind]]:
        """What one plugin's hook offers; nothing if it fails, which is remembered."""
        status = self.plugins[place]
        limit = None if status.distribution == HOST else self.caller.limits.loading
        try:
            returned = self.caller.call(Place(status.name, hook, "", hook), _list, (function,), limit)
            offers = check_offers(returned, kind, status.name, hook)
        except LayerwiseError as error:
            self._mark_failed(place, _reason(error), traceback.format_exc())
            return []
        return [Registered(o, status.name, status.distribution, status.version, hook, self.caller) for o in offers]

    def _mark_failed(self, place: int, reason: str, failure: str) -> None:
        status = self.plugins[place]
        line = " ".join(reason.split())
        self.plugins[place] = replace(status, failure=failure, reason=line)
        who = f"'{status.name}' ({status.distribution} {status.version})"
        self.caller.warn(f"plugin {who} did not load: {line}; --no-plugin {status.name} does without it")


def _list(function: Callable[[], object]) -> object:
    """What a hook returns, as a list where it is an iterator, whose code is its plugin's too."""
    returned = function()
    return list(returned) if isinstance(returned, Iterator) else returned


def _reason(error: LayerwiseError) -> str:
    """Why a plugin did not load, in one line that does not name it."""
    if not isinstance(error, PluginError):
        return f"{type(error).__name__}: {error}"
    told = error.hook == "import" or error.came.startswith(error.hook)
    return error.came if told else f"{error.hook}: {error.came}"
