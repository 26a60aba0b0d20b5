"""What a plugin offers, with who it came from: the only way in which anybody calls it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from layerwise.core.base.provider import Provider
from layerwise.core.host.calling import Caller, Place
from layerwise.core.host.discovery import normal_name
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

    def answers_to(self, name: str) -> bool:
        """Whether a name means this offer: the bare one, or `distribution:name` with any spelling that pip takes."""
        owner, colon, bare = name.rpartition(":")
        return bare == self.name and (not colon or normal_name(owner) == normal_name(self.distribution))

    @property
    def provider(self) -> Provider:
        """What its results are kept under, with default settings."""
        return Provider(self.qualified_name, self.version, revision=self.offer.revision)

    def call(self, method: Callable[..., Any], *arguments: Any) -> Any:
        """Call a method of the offer, on this thread.

        Raises:
            LayerwiseError: What it raised, where that is one of Layerwise's errors.
            PluginError: Anything else that it raised; names the plugin.
        """
        name = getattr(method, "__name__", type(method).__name__)
        place = Place(self.plugin, self.distribution, self.hook, self.offer.name, f"{self.offer.name}.{name}")
        return self.caller.call(place, method, arguments)
