"""What a plugin's selector returns is checked, and two of the same name are told apart."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from layerwise.core.base.errors import InputError, PluginError
from layerwise.core.host.hookspecs import hookimpl
from layerwise.core.host.kinds import LayerSelector
from layerwise.core.host.registry import Registry
from layerwise.core.host.selection import select_layers
from layerwise.core.network.layers import Layer

LAYERS = tuple(Layer(name, name, "conv", (2,), index) for index, name in enumerate("abc"))


def registry_with(*answers: object) -> Registry:
    """A registry with one plugin per answer, each offering a selector `pick` that returns it."""
    registry = Registry()
    for index, answer in enumerate(answers):

        class Pick(LayerSelector):
            name = "pick"
            description = "picks"
            given = answer

            def select(self, argument, layers):
                return self.given

        plugin = SimpleNamespace(register_layer_selectors=hookimpl(lambda offer=Pick: [offer()]))
        registry.register(plugin, f"plugin{index}", f"dist{index}", "1")
    return registry


@pytest.mark.parametrize("answer", [None, "a", ["a"], [Layer("z", "z", "conv", (2,), 7)], {"a": 1}.keys()])
def test_anything_but_given_layers_is_the_plugins_error(answer):
    with pytest.raises(PluginError, match=r"plugin 'plugin0' \(register_layer_selectors\): pick returned"):
        select_layers(registry_with(answer), ["pick"], LAYERS)


def test_layers_in_any_order_and_twice_come_out_in_order_once():
    chosen = select_layers(registry_with([LAYERS[2], LAYERS[0], LAYERS[2]]), ["pick:anything"], LAYERS)
    assert chosen == (LAYERS[0], LAYERS[2])


def test_a_name_that_two_plugins_offer_must_be_qualified():
    registry = registry_with([LAYERS[0]], [LAYERS[1]])
    with pytest.raises(InputError, match="dist0:pick or dist1:pick"):
        select_layers(registry, ["pick"], LAYERS)
    assert select_layers(registry, ["dist1:pick"], LAYERS) == (LAYERS[1],)
