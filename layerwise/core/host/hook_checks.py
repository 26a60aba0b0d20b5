"""Checking what a hook returns before anybody uses it: kinds, names, and that everything is declared."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, TypeVar

from layerwise.core.base.errors import PluginError
from layerwise.core.host import kinds

Kind = TypeVar("Kind", bound=kinds.Offer)
_NAME = re.compile(r"[^\s:]+")
_RANGE_ENDS = 2


def check_offers(returned: object, kind: type[Kind], plugin: str, hook: str) -> list[Kind]:
    """What a hook returned, as a list of offers that have all that their kind declares.

    Raises:
        PluginError: If it is something else; says what came, and what was expected.
    """
    expected = f"a sequence of {kind.__name__}"
    if isinstance(returned, str | bytes) or not isinstance(returned, Iterable):
        raise PluginError(plugin, hook, f"returned {type(returned).__name__}", expected)
    offers = list(returned)
    for offer in offers:
        if isinstance(offer, type) and issubclass(offer, kind):
            raise PluginError(
                plugin, hook, f"returned the class {offer.__name__}", f"an instance: {offer.__name__}()"
            )
        if not isinstance(offer, kind):
            raise PluginError(plugin, hook, f"returned a {type(offer).__name__} among its offers", expected)
        _check_name(offer, plugin, hook)
        _check_declared(offer, plugin, hook)
    names = [offer.name for offer in offers]
    if len(set(names)) < len(names):
        raise PluginError(plugin, hook, f"offers a name twice: {names}", "unique names")
    return offers


def _check_name(offer: kinds.Offer, plugin: str, hook: str) -> None:
    name = getattr(offer, "name", None)
    if not isinstance(name, str) or not name:
        raise PluginError(plugin, hook, f"{type(offer).__name__} has no name", "a non-empty string `name`")
    if not _NAME.fullmatch(name):
        raise PluginError(plugin, hook, f"the name '{name}'", "one without spaces and colons")
    if not isinstance(getattr(offer, "description", None), str):
        raise PluginError(plugin, hook, f"{offer.name} has no description", "a string `description`")


def _check_declared(offer: kinds.Offer, plugin: str, hook: str) -> None:
    """That every attribute its base classes announce is there, and those with few values have one of them."""
    announced = [name for base in type(offer).__mro__ for name in vars(base).get("__annotations__", {})]
    for name in dict.fromkeys(announced):
        if not name.startswith("_") and not hasattr(offer, name):
            raise PluginError(plugin, hook, f"{offer.name} has no `{name}`", f"what {_declares(offer, name)} says")
    if isinstance(offer, kinds.Metric | kinds.Comparator) and offer.kind not in ("similarity", "distance"):
        raise PluginError(plugin, hook, f"{offer.name}.kind is {offer.kind!r}", "'similarity' or 'distance'")
    if isinstance(offer, kinds.Comparator) and not _is_range(offer.value_range):
        came = f"{offer.name}.value_range is {offer.value_range!r}"
        raise PluginError(plugin, hook, came, "(smallest, largest), each a number or None")


def _declares(offer: kinds.Offer, name: str) -> str:
    bases = [base for base in type(offer).__mro__ if name in vars(base).get("__annotations__", {})]
    return bases[-1].__name__


def _is_range(value: Any) -> bool:
    if not isinstance(value, tuple) or len(value) != _RANGE_ENDS:
        return False
    return all(end is None or (isinstance(end, int | float) and not isinstance(end, bool)) for end in value)
