"""What a plugin offers, with who it came from: the only way in which anybody calls it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from layerwise.core.base.provider import Provider
from layerwise.core.host.calling import Caller, Place
from layerwise.core.host.discovery import HOST, normal_name
from layerwise.core.host.kinds.offer import Offer

Kind = TypeVar("Kind", bound=Offer)


@dataclass(frozen=True)
class Registered(Generic[Kind]):
    """Something a plugin offers, with its provenance.

    Attributes:
        offer: The object itself.
        plugin: Name the plugin is registered under.
        distribution: The distribution it was installed with.
        version: That distribution's version.
        hook: The hook it came through.
        caller: Calls it.
    """

    offer: Kind
    plugin: str
    distribution: str
    version: str
    hook: str
    caller: Caller = field(default_factory=Caller, compare=False, repr=False)

    @property
    def name(self) -> str:
        """The bare name."""
        return self.offer.name

    @property
    def qualified_name(self) -> str:
        """`distribution:name`, what a run stores."""
        return f"{self.distribution}:{self.offer.name}"

    @property
    def provider(self) -> Provider:
        """Under whom the offer's results are kept, as long as it has no settings."""
        return Provider(self.qualified_name, self.version, revision=self.offer.revision)

    def answers_to(self, name: str) -> bool:
        """Whether a name means this offer: the bare one, or `distribution:name` with any spelling that pip takes."""
        owner, colon, bare = name.rpartition(":")
        return bare == self.name and (not colon or normal_name(owner) == normal_name(self.distribution))

    def call(self, method: Callable[..., Any], *arguments: Any) -> Any:
        """Call a method of the offer; what is not one of Layerwise's errors becomes one that names the plugin.

        Raises:
            PluginError: If it raises, or is not back in time (`Limits.calling`).
        """
        limit = None if self.distribution == HOST else self.caller.limits.calling
        return self.caller.call(self._place(method), method, arguments, limit)

    def call_unlimited(self, method: Callable[..., Any], *arguments: Any) -> Any:
        """The same for work that may take as long as it likes: loading a model, streaming a run.

        Raises:
            PluginError: If it raises.
        """
        return self.caller.call(self._place(method), method, arguments)

    def _place(self, method: Callable[..., Any]) -> Place:
        name = getattr(method, "__name__", type(method).__name__)
        return Place(self.plugin, self.hook, self.offer.name, f"{self.offer.name}.{name}")
