"""Checking what a hook returns before anybody uses it: kinds, names, and all that an offer declares.

What is declared is checked here and nowhere else: `_ATTRIBUTES` says of each attribute what it must be. What an offer
computes is held to its declarations in `validation`, each time it is called.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from layerwise.core.base.errors import PluginError
from layerwise.core.base.parameters import Parameter
from layerwise.core.host import kinds
from layerwise.core.host.discovery import HOST
from layerwise.core.host.kinds.measures import INVARIANCES

Kind = TypeVar("Kind", bound=kinds.Offer)


@dataclass(frozen=True)
class _Attribute:
    """An attribute that offers declare.

    Attributes:
        wanted: What it must be, in words.
        is_right: Whether a value is that.
        example: A value as one would write it.
    """

    wanted: str
    is_right: Callable[[Any], bool]
    example: str


def _is_a(*types: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, types) and (bool in types or not isinstance(value, bool))


def _is_text(pattern: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _is_range(value: Any) -> bool:
    ends = [end for end in value if end is not None] if isinstance(value, tuple) and len(value) == 2 else [math.nan]
    numbers = all(_is_a(int, float)(end) and not math.isnan(end) for end in ends)
    return numbers and ends == sorted(ends)


def _are_invariances(value: Any) -> bool:
    if not isinstance(value, Collection) or isinstance(value, str):
        return False
    return all(isinstance(word, str) and word in INVARIANCES for word in value)


def _are_parameters(value: Any) -> bool:
    if not isinstance(value, tuple | list) or not all(isinstance(item, Parameter) for item in value):
        return False
    return len({item.name for item in value}) == len(value)


_TEXT = _Attribute("text", _is_a(str), '""')
_YES_OR_NO = _Attribute("True or False", _is_a(bool), "False")
_ATTRIBUTES = {
    "name": _Attribute("a word without spaces and colons", _is_text(r"[^\s:]+"), '"mine"'),
    "description": _Attribute("text", _is_a(str), '"what it is, in one line"'),
    "revision": _Attribute("a whole number from 1 on", lambda value: _is_a(int)(value) and value >= 1, "1"),
    "kind": _Attribute("'similarity' or 'distance'", _is_text("similarity|distance"), '"similarity"'),
    "symbol": _TEXT,
    "unit": _TEXT,
    "needs_transform": _Attribute("a transform's name", _is_text(r"[^\s]+"), '"none"'),
    "value_range": _Attribute("(smallest, largest), each a number or None", _is_range, "(None, None)"),
    "symmetric": _YES_OR_NO,
    "threaded": _YES_OR_NO,
    "additive": _YES_OR_NO,
    "invariant_to": _Attribute(f"a frozenset of {', '.join(sorted(INVARIANCES))}", _are_invariances, "frozenset()"),
    "parameters": _Attribute("a tuple of Parameters with names of their own", _are_parameters, "()"),
    "metric": _Attribute("a Metric", lambda value: isinstance(value, kinds.Metric), "MyMetric()"),
    "position": _Attribute("a number", _is_a(int, float), "500"),
}


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
        _check_declared(offer, plugin, hook)
    names = [offer.name for offer in offers]
    if len(set(names)) < len(names):
        raise PluginError(plugin, hook, f"offers a name twice: {names}", "unique names")
    return offers


def _check_declared(offer: kinds.Offer, plugin: str, hook: str) -> None:
    """That all attributes which Layerwise's own base classes announce are there, and what they must be."""
    who = type(offer).__name__
    announced = list(dict.fromkeys(_announced(type(offer))))
    missing = [name for name in announced if not hasattr(offer, name)]
    if missing:
        listed = ", ".join(f"`{name}`" for name in missing)
        line = "; ".join(f"{name} = {_example(name)}" for name in missing)
        raise PluginError(plugin, hook, f"{who} has no {listed}", f"a line such as this in the class: {line}")
    known = {name: _ATTRIBUTES[name] for name in announced if name in _ATTRIBUTES}
    wrong = [
        f"{who}.{name} is {getattr(offer, name)!r}, expected {attribute.wanted}"
        for name, attribute in known.items()
        if not attribute.is_right(getattr(offer, name))
    ]
    if wrong:
        raise PluginError(plugin, hook, "; ".join(wrong))


def _announced(owner: type) -> Iterator[str]:
    """Names of attributes, those of the most general class first."""
    for base in reversed(owner.__mro__):
        if base.__module__.partition(".")[0] == HOST:  # what a plugin's own classes announce is its own business
            yield from (name for name in inspect.get_annotations(base) if not name.startswith("_"))


def _example(name: str) -> str:
    return _ATTRIBUTES[name].example if name in _ATTRIBUTES else "..."
