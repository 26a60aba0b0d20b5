"""Selecting layers: from what people type after `--layers` to layers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from layerwise.core.base.errors import InputError, PluginError
from layerwise.core.base.words import near_names
from layerwise.core.host.kinds import LayerSelector
from layerwise.core.host.registry import Registered, Registry
from layerwise.core.host.validation import describe
from layerwise.core.network.layers import Layer

FALLBACK = "layerwise:glob"


def select_layers(registry: Registry, selectors: Sequence[str], layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """The layers that several selectors pick together, in order of computation, each once.

    Args:
        registry: Knows the selectors.
        selectors: Texts such as `main`, `block:mixed4c`, `dist:name:argument`; one that does not begin with the
            name of a selector is a layer's name or a glob. Commas separate several in one text.
        layers: The model's layers.

    Raises:
        InputError: If there is no selector, or one of them picks nothing; near names are suggested.
    """
    if not selectors:
        raise InputError("no layers selected")
    chosen: set[str] = set()
    for text in _split(selectors, layers):
        selector, argument = _find_selector(registry, text)
        picked = _check_picked(selector, selector.call(selector.offer.select, argument, tuple(layers)), layers)
        if not picked:
            raise InputError(f"'{text}' picks no layer{_suggest(registry, text, selector.name, argument, layers)}")
        chosen.update(layer.name for layer in picked)
    return tuple(sorted((layer for layer in layers if layer.name in chosen), key=lambda layer: layer.position))


def _split(selectors: Sequence[str], layers: Sequence[Layer]) -> list[str]:
    """Each text by itself, those with commas taken apart; layers' names and `[a,b]` in globs stay whole."""
    names = {layer.name for layer in layers}
    found: list[str] = []
    for text in map(str.strip, selectors):
        parts = [text] if text in names else re.split(r",(?![^\[]*\])", text)
        found += [part.strip() for part in parts if part.strip()] or [text]
    return found


def _suggest(registry: Registry, text: str, selector: str, argument: str, layers: Sequence[Layer]) -> str:
    """What may have been meant: never the very words that were typed, but what to type instead of them."""
    ops = list(dict.fromkeys(layer.op for layer in layers))
    blocks = list(dict.fromkeys(layer.block for layer in layers if layer.block))
    if selector == "type":
        return near_names(argument, ops, "type:")
    if selector == "block":
        return near_names(argument, blocks, "block:")
    if argument in ops:
        return f"; did you mean type:{argument}?"
    offers = [offer.name for offer in registry.all(LayerSelector) if offer.name not in ("block", "type", "glob")]
    words = [*(layer.name for layer in layers), *blocks, *offers]
    known = list(dict.fromkeys(word for word in words if word != text))
    return near_names(argument or text, known)


def _find_selector(registry: Registry, text: str) -> tuple[Registered[LayerSelector], str]:
    """The selector that a text is for, and what it is asked for."""
    parts = text.split(":")
    names = {name for offer in registry.all(LayerSelector) for name in (offer.name, offer.qualified_name)}
    for length in (1, 2):
        head = ":".join(parts[:length])
        if head in names:
            return registry.get(LayerSelector, head), ":".join(parts[length:])
    return registry.get(LayerSelector, FALLBACK), text


def _check_picked(selector: Registered[LayerSelector], value: object, layers: Sequence[Layer]) -> Sequence[Layer]:
    expected = "a sequence of the layers it was given"
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise PluginError(selector.plugin, selector.hook, f"{selector.name} returned {describe(value)}", expected)
    there = set(layers)
    strange = [item for item in value if not isinstance(item, Layer) or item not in there]
    if strange:
        came = f"{selector.name} returned {getattr(strange[0], 'name', describe(strange[0]))}"
        raise PluginError(selector.plugin, selector.hook, came, expected)
    return value
