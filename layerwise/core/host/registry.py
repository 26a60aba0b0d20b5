"""The registry: what every plugin offers, under which name, and who it came from.

Plugins are imported one by one, and not before something of a kind that they can offer is looked up; one that
fails is remembered with its traceback and stops nothing else. Two plugins that offer the same name leave the bare
name ambiguous: it is an error that lists both, and `distribution:name` finds each. A name that nobody offers is
asked of the history, which may know from which distribution it came when runs used it.

Any thread may call any method. One lock makes them take turns, also while a plugin is imported or its hook runs,
which happens on the thread that asks first: what two threads look up at once is imported once.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

import pluggy

from layerwise.core.base.errors import InputError, LayerwiseError, PluginError
from layerwise.core.host import hookspecs
from layerwise.core.host.absence import Absence
from layerwise.core.host.calling import Caller, Place
from layerwise.core.host.discovery import HOST, Installed, distribution_version, find_installed, unmet_need
from layerwise.core.host.hook_checks import check_offers
from layerwise.core.host.kinds.offer import Offer, hook_of
from layerwise.core.host.plugin_status import PluginStatus, check_groups, check_hooks
from layerwise.core.host.registered import Registered

__all__ = ["PluginStatus", "Registered", "Registry", "distribution_version"]

Kind = TypeVar("Kind", bound=Offer)


@dataclass(frozen=True)
class _Expected:
    """A plugin that is imported when one of its hooks is asked for; None for any."""

    hooks: Collection[str] | None
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
        warns: Whether people are told of a plugin that does not load, or is not what it declares; not where a list
            of plugins says it.
    """

    plugins: list[PluginStatus] = field(default_factory=list)
    caller: Caller = field(default_factory=Caller)
    recall: Recall = field(default=lambda _hook, _name: ())
    left_out: list[Installed] = field(default_factory=list)
    warns: bool = True
    _manager: pluggy.PluginManager = field(init=False)
    _offers: dict[str, list[Registered[Any]]] = field(default_factory=dict)
    _asked: dict[tuple[str, str], list[Registered[Any]]] = field(default_factory=dict)  # by hook and plugin
    _places: dict[str, int] = field(default_factory=dict)  # of loaded plugins in `plugins`, by qualified name
    _expected: dict[int, _Expected] = field(default_factory=dict)  # by place in `plugins`, loaded ones too
    # Held while a plugin is imported: otherwise a second thread that asks would import it, too, and a plugin that is
    # added meanwhile would be missing from what the first one then keeps in `_offers`.
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def __post_init__(self) -> None:
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)

    def register(self, plugin: object, name: str, distribution: str, release: str) -> None:
        """Add a plugin that is already imported; a refusal is remembered, not raised."""
        with self._lock:
            self.plugins.append(PluginStatus(name, distribution, release))
            self._register(plugin, len(self.plugins) - 1)

    def expect(
        self,
        name: str,
        distribution: str,
        release: str,
        hooks: Collection[str] | None,
        load: Callable[[], object],
        need: str = "",
    ) -> None:
        """Add a plugin that is imported by `load` once one of these hooks is asked for.

        Args:
            name: Its name.
            distribution: What it was installed with.
            release: That distribution's version.
            hooks: The hooks that it declares, such as `comparators`; no other is asked. None where it may have any.
            load: Imports it.
            need: Why it cannot be loaded, where that is known already; then `load` is never called.
        """
        with self._lock:
            mistakes = check_groups(hooks or ())
            self.plugins.append(PluginStatus(name, distribution, release, loaded=False, mistakes=mistakes))
            self._expected[len(self.plugins) - 1] = _Expected(hooks, load, need)
            self._offers.clear()

    def expect_installed(self, blocked: Collection[str] = (), only: Collection[str] | None = None) -> None:
        """Add every plugin that is installed.

        Args:
            blocked: Names of plugins or distributions to do without.
            only: If not None, the only ones that are wanted.
        """
        release = distribution_version(HOST)
        with self._lock:
            for found in find_installed():
                wanted = only is None or found.answers_to(only)
                if not wanted or found.answers_to(blocked):
                    self.left_out.append(found)
                    continue
                need = unmet_need(found.requirements, release)
                self.expect(found.name, found.distribution, found.version, found.hooks, found.entry.load, need)

    def all(self, kind: type[Kind]) -> Sequence[Registered[Kind]]:
        """All that is registered of a kind, in order of registration; built-in things first."""
        hook = hook_of(kind)
        with self._lock:
            if hook not in self._offers:
                for place, expected in list(self._expected.items()):
                    status = self.plugins[place]
                    if not status.loaded and not status.failure and _declares(expected, hook):
                        self._load(place, expected)
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
        hook = hook_of(kind)
        return Absence(self.plugins, self.left_out, self.recall(hook, name)).explain(hook, name, names)

    def _load(self, place: int, expected: _Expected) -> None:
        """Import a plugin. One that is interrupted is as it was before, and imported when it is asked for again."""
        status = self.plugins[place]
        if expected.need:
            self._mark_failed(place, expected.need, expected.need)
            return
        try:
            where = Place(status.name, status.distribution, "import", "", "importing it")
            plugin = self.caller.call(where, expected.load, ())
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
            self._note_mistakes(plugin, place)
            self._offers.clear()

    def _note_mistakes(self, plugin: object, place: int) -> None:
        """Remember, and say, where a plugin does not have the hooks that it declares, or has others."""
        expected = self._expected.get(place)
        had = [caller.name.removeprefix("register_") for caller in self._manager.get_hookcallers(plugin) or ()]
        mistakes = check_hooks(plugin, had, None if expected is None else expected.hooks)
        status = self.plugins[place]
        self.plugins[place] = replace(status, mistakes=(*status.mistakes, *mistakes))
        for mistake in mistakes if self.warns else ():
            self.caller.warn(f"plugin {status}: {mistake}")

    def _collect(self, hook: str, kind: type[Kind]) -> list[Registered[Kind]]:
        found = {one.plugin_name: one for one in getattr(self._manager.hook, hook).get_hookimpls()}
        offers: list[Registered[Kind]] = []
        for name in sorted(found, key=self._places.__getitem__):
            place = self._places[name]
            if place in self._expected and not _declares(self._expected[place], hook_of(kind)):
                continue  # otherwise it would depend on what was looked up before whether this is found
            if (hook, name) not in self._asked:
                self._asked[hook, name] = self._ask(found[name].function, place, hook, kind)
            offers += self._asked[hook, name]
        return offers

    def _ask(self, function: Callable[[], object], place: int, hook: str, kind: type[Kind]) -> list[Registered[Kind]]:
        """What one plugin's hook offers; nothing if it fails, which is remembered."""
        status = self.plugins[place]

        def ask() -> list[Kind]:
            returned = function()  # an iterator's code is its plugin's, too, and so is that of its offers' properties
            return check_offers(
                list(returned) if isinstance(returned, Iterator) else returned, kind, status.name, hook
            )

        try:
            offers = self.caller.call(Place(status.name, status.distribution, hook, "", hook), ask, ())
        except LayerwiseError as error:
            self._mark_failed(place, _reason(error), traceback.format_exc())
            return []
        return [Registered(o, status.name, status.distribution, status.version, hook, self.caller) for o in offers]

    def _mark_failed(self, place: int, reason: str, failure: str) -> None:
        status = self.plugins[place]
        line = " ".join(reason.split())
        self.plugins[place] = replace(status, failure=failure, reason=line)
        if self.warns:
            self.caller.warn(f"plugin {status} did not load: {line}; --no-plugin {status.name} does without it")


def _declares(expected: _Expected, hook: str) -> bool:
    return expected.hooks is None or hook in expected.hooks


def _reason(error: LayerwiseError) -> str:
    """Why a plugin did not load, in one line that does not name it."""
    if not isinstance(error, PluginError):
        return f"{type(error).__name__}: {error}"
    told = error.hook == "import" or error.came.startswith(error.hook)
    return error.came if told else f"{error.hook}: {error.came}"
