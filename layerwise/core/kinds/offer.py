"""What everything that a plugin offers has: a name and a description."""

from __future__ import annotations

from abc import ABC
from typing import ClassVar


class Offer(ABC):
    """Base of everything a plugin offers under a name."""

    name: ClassVar[str]
    description: ClassVar[str]
