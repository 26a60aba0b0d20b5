"""The registry: what every plugin offers, under which name, and who it came from.

Plugins are loaded one by one; one that fails is remembered with its traceback and stops nothing else. Hooks
are called the first time something of their kind is looked up. Two plugins that offer the same name leave
the bare name ambiguous: it is an error that lists both, and `distribution:name` finds each.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from typing import Any, Generic, TypeVar, cast

import pluggy

from layerwise.core import hookspecs, kinds
from layerwise.core.errors import InputError, LayerwiseError, PluginError
from layerwise.core.layers import near_names

Kind = TypeVar("Kind", bound=kinds.Offer)
KINDS: dict[str, type[kinds.Offer]] = {
    "model_loaders": kinds.ModelLoader,
    "stimulus_sources": kinds.StimulusSource,
    "layer_selectors": kinds.LayerSelector,
    "transforms": kinds.Transform,
    "statistics": kinds.Statistic,
    "metrics": kinds.Metric,
    "comparators": kinds.Comparator,
    "reorderers": kinds.Reorderer,
    "engines": kinds.Engine,
    "report_sections": kinds.SectionBuilder,
    "commands": kinds.CommandGroup,
}
_HOOK_OF = {kind: hook for hook, kind in KINDS.items()}


@dataclass(frozen=True)
class Registered(Generic[Kind]):
    """Something a plugin offers, with its provenance.

    Attributes:
        offer: The object itself.
        plugin: Name the plugin is registered under.
        distribution: The distribution it was installed with.
        version: That distribution's version.
        hook: The hook it came through.
    """

    offer: Kind
    plugin: str
    distribution: str
    version: str
    hook: str

    @property
    def name(self) -> str:
        """The bare name."""
        return self.offer.name

    @property
    def qualified_name(self) -> str:
        """`distribution:name`, what a run stores."""
        return f"{self.distribution}:{self.offer.name}"

    def call(self, method: Callable[..., Any], *arguments: Any) -> Any:
        """Call a method of the offer; what is not one of Layerwise's errors becomes one that names the plugin."""
        try:
            return method(*arguments)
        except LayerwiseError:
            raise
        except Exception as error:
            what = f"{self.offer.name}.{method.__name__} raised {type(error).__name__}: {error}"
            raise PluginError(self.plugin, self.hook, what) from error


@dataclass(frozen=True)
class PluginStatus:
    """One plugin as `layerwise plugins` lists it; `failure` holds a traceback where it did not load."""

    name: str
    distribution: str
    version: str
    failure: str = ""


@dataclass
class Registry:
    """Everything that plugins offer, looked up by kind and name."""

    plugins: list[PluginStatus] = field(default_factory=list)
    _manager: pluggy.PluginManager = field(init=False)
    _offers: dict[str, list[Registered[Any]]] = field(default_factory=dict)
    _places: dict[str, int] = field(default_factory=dict)  # of loaded plugins in `plugins`; names may recur there

    def __post_init__(self) -> None:
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)

    def register(self, plugin: object, name: str, distribution: str, release: str) -> None:
        """Add a plugin that is already imported; a refusal is remembered, not raised."""
        try:
            self._manager.register(plugin, name)
            self._manager.check_pending()
        except (ValueError, pluggy.PluginValidationError):
            if self._manager.get_plugin(name) is plugin:
                self._manager.unregister(plugin)
            self.plugins.append(PluginStatus(name, distribution, release, traceback.format_exc()))
        else:
            self._places[name] = len(self.plugins)
            self.plugins.append(PluginStatus(name, distribution, release))
            self._offers.clear()

    def load_entry_points(self, group: str = hookspecs.PROJECT, blocked: Iterable[str] = ()) -> None:
        """Import every installed plugin of an entry-point group, one by one."""
        skip = set(blocked)
        for entry in sorted(entry_points(group=group), key=lambda entry: entry.name):
            if entry.name not in skip:
                self._load(entry)

    def _load(self, entry: EntryPoint) -> None:
        distribution = entry.dist.name if entry.dist else entry.module
        release = entry.dist.version if entry.dist else "unknown"
        try:
            plugin = entry.load()
        except (Exception, SystemExit):  # noqa: BLE001 - whatever a stranger's module does on import
            self.plugins.append(PluginStatus(entry.name, distribution, release, traceback.format_exc()))
        else:
            self.register(plugin, entry.name, distribution, release)

    def all(self, kind: type[Kind]) -> Sequence[Registered[Kind]]:
        """All that is registered of a kind, in order of registration; built-in things first."""
        hook = _HOOK_OF[kind]
        if hook not in self._offers:
            self._offers[hook] = self._collect(f"register_{hook}", kind)
        return cast("Sequence[Registered[Kind]]", self._offers[hook])

    def get(self, kind: type[Kind], name: str) -> Registered[Kind]:
        """What is registered under a name, bare or as `distribution:name`.

        Raises:
            InputError: If there is none (near names are listed), or the bare name is ambiguous.
        """
        word = _HOOK_OF[kind].replace("_", " ").removesuffix("s")
        offers = self.all(kind)
        found = [offer for offer in offers if name in (offer.name, offer.qualified_name)]
        if not found:
            raise InputError(f"no {word} '{name}'{near_names(name, [offer.name for offer in offers])}")
        if len(found) > 1:
            choices = " or ".join(offer.qualified_name for offer in found)
            raise InputError(f"{word} '{name}' is offered by several plugins: say {choices}")
        return found[0]

    def _collect(self, hook: str, kind: type[Kind]) -> list[Registered[Kind]]:
        offers: list[Registered[Kind]] = []
        caller = getattr(self._manager.hook, hook)
        for implementation in reversed(caller.get_hookimpls()):
            status = self.plugins[self._places[implementation.plugin_name]]
            try:
                returned = implementation.function()
                checked = _check_offers(returned, kind, status.name, hook)
            except Exception:  # noqa: BLE001 - one plugin's failure stops no other
                self._mark_failed(status, traceback.format_exc())
                continue
            offers += [Registered(o, status.name, status.distribution, status.version, hook) for o in checked]
        return sorted(offers, key=lambda offer: self._places[offer.plugin])

    def _mark_failed(self, status: PluginStatus, failure: str) -> None:
        failed = PluginStatus(status.name, status.distribution, status.version, failure)
        self.plugins[self._places[status.name]] = failed


def _check_offers(returned: object, kind: type[Kind], plugin: str, hook: str) -> list[Kind]:
    expected = f"a sequence of {kind.__name__}"
    if isinstance(returned, str | bytes) or not isinstance(returned, Iterable):
        raise PluginError(plugin, hook, f"returned {type(returned).__name__}", expected)
    offers = list(returned)
    for offer in offers:
        if not isinstance(offer, kind):
            raise PluginError(plugin, hook, f"returned a {type(offer).__name__} among its offers", expected)
        if not isinstance(getattr(offer, "name", None), str) or not offer.name:
            raise PluginError(plugin, hook, f"{type(offer).__name__} has no name", "a non-empty string `name`")
        if not isinstance(getattr(offer, "description", None), str):
            raise PluginError(plugin, hook, f"{offer.name} has no description", "a string `description`")
    names = [offer.name for offer in offers]
    if len(set(names)) < len(names):
        raise PluginError(plugin, hook, f"offers a name twice: {names}", "unique names")
    return offers


def distribution_version(name: str) -> str:
    """Version of an installed distribution, `unknown` where it is not installed as one."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"
