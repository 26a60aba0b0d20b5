"""What everything that a plugin offers has: a name, a description, and a revision."""

from __future__ import annotations

from abc import ABC
from typing import ClassVar


class Offer(ABC):
    """Base of everything a plugin offers under a name.

    Attributes:
        name: What people type.
        description: One line for `layerwise plugins`.
        revision: Raised when its numbers change: results are kept under it, so a release that does not change a
            measure does not forget its results.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    revision: ClassVar[int] = 1
    _hook: ClassVar[str]  # which `register_*` hook offers of this kind come through


def hook_of(kind: type[Offer]) -> str:
    """The hook through which a kind of offer is registered, without `register_`: `comparators`."""
    return kind._hook
