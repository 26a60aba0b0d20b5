"""Commands that plugins add to the command line."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from layerwise.core.host.kinds.offer import Offer


class CommandGroup(Offer):
    """Adds commands to the command line."""

    _hook = "commands"

    @abstractmethod
    def attach(self, app: Any) -> None:
        """Add commands to the Typer application `app`."""
