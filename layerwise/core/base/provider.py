"""Who computed a result: part of every key under which something is kept."""

from __future__ import annotations

from dataclasses import dataclass, field

from layerwise.core.base.parameters import NO_PARAMETERS


@dataclass(frozen=True)
class Provider:
    """Who computed something, and how; part of every key.

    Two are equal, and what one has computed answers for the other, where name, settings and revision are the same:
    a release that does not change a number does not forget any.

    Attributes:
        name: `distribution:name`.
        version: That distribution's version when it computed, for people to read. Where another distribution's metric
            took part, a comma and that one with its version: `0.1.0, my-metrics 2.0`.
        parameters: Canonical JSON of the settings that are not the defaults.
        revision: The offer's own, which is raised when its numbers change.
    """

    name: str
    version: str = field(default="", compare=False)
    parameters: str = NO_PARAMETERS
    revision: int = 1
