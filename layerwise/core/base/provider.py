"""Who computed a result: part of every key under which something is kept."""

from __future__ import annotations

from dataclasses import dataclass

from layerwise.core.base.parameters import NO_PARAMETERS


@dataclass(frozen=True)
class Provider:
    """Who computed something, and how; part of every key.

    Attributes:
        name: `distribution:name`.
        version: That distribution's version.
        parameters: Canonical JSON of the settings that are not the defaults.
    """

    name: str
    version: str
    parameters: str = NO_PARAMETERS
