"""Selecting layers: from what people type after `--layers` to layers."""

from __future__ import annotations

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
            name of a selector is a layer's name or a glob.
        layers: The model's layers.

    Raises:
        InputError: If there is no selector, or one of them picks nothing; near names are suggested.
    """
    if not selectors:
        raise InputError("no layers selected")
    chosen: set[str] = set()
    for text in selectors:
        selector, argument = _find_selector(registry, text.strip())
        picked = _check_picked(selector, selector.call(selector.offer.select, argument, tuple(layers)), layers)
        if not picked:
            known = [word for layer in layers for word in (layer.name, layer.block, layer.op) if word]
            names = list(dict.fromkeys([*known, *(offer.name for offer in registry.all(LayerSelector))]))
            raise InputError(f"'{text}' picks no layer{near_names(argument or text, names)}")
        chosen.update(layer.name for layer in picked)
    return tuple(sorted((layer for layer in layers if layer.name in chosen), key=lambda layer: layer.position))


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
