"""Built-in selectors, as `--layers` uses them."""

from __future__ import annotations

import pytest

from layerwise.core.base.errors import InputError
from layerwise.core.host.registry import Registry
from layerwise.core.host.selection import select_layers
from layerwise.core.network.layers import Layer
from layerwise.plugins import selectors


def layer(name: str, position: int, op: str = "conv", **options) -> Layer:
    return Layer(name, f"node_{name}", op, (4, 4, 2), position, **options)


LAYERS = (
    layer("pixels", 0, "input", role="input", is_main=True),
    layer("conv2d0", 1, is_main=True),
    layer("reduce", 2),
    layer("mixed4c/1x1", 3, block="mixed4c", branch="1x1"),
    layer("mixed4c/5x5", 4, block="mixed4c", branch="5x5"),
    layer("mixed4c", 5, "concat", block="mixed4c", is_main=True, parts=("mixed4c/1x1", "mixed4c/5x5")),
    layer("mixed4d/5x5", 6, block="mixed4d", branch="5x5"),
    layer("mixed4d", 7, "concat", block="mixed4d", is_main=True),
    layer("odd[1]:x", 8, "pool"),
    layer("scores", 9, "dense", role="logits"),
    layer("prob", 10, "softmax", role="output", is_main=True),
)


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    registry.register(selectors, "selectors", "layerwise", "1")
    return registry


@pytest.mark.parametrize(
    ("texts", "names"),
    [
        (["main"], "pixels conv2d0 mixed4c mixed4d prob"),
        (["branches"], "mixed4c/1x1 mixed4c/5x5 mixed4d/5x5"),
        (["all"], " ".join(item.name for item in LAYERS)),
        (["block:mixed4c"], "mixed4c/1x1 mixed4c/5x5 mixed4c"),
        (["block:mixed4?"], "mixed4c/1x1 mixed4c/5x5 mixed4c mixed4d/5x5 mixed4d"),
        (["type:CONCAT"], "mixed4c mixed4d"),
        (["mixed4c/5x5"], "mixed4c/5x5"),
        (["mixed4*"], "mixed4c/1x1 mixed4c/5x5 mixed4c mixed4d/5x5 mixed4d"),
        (["mixed4?"], "mixed4c mixed4d"),
        (["*/5x5"], "mixed4c/5x5 mixed4d/5x5"),
        (["odd[1]:x"], "odd[1]:x"),
        (["input"], "pixels"),
        (["logits"], "scores"),
        (["output"], "prob"),
        (["mixed4c/5x5, output"], "mixed4c/5x5 prob"),
        (["main,branches,", "input"], "pixels conv2d0 mixed4c/1x1 mixed4c/5x5 mixed4c mixed4d/5x5 mixed4d prob"),
        (["mixed4[c,d]"], "mixed4c mixed4d"),
        (["layerwise:block:mixed4d"], "mixed4d/5x5 mixed4d"),
        (
            ["output", "main", "branches", "input"],
            "pixels conv2d0 mixed4c/1x1 mixed4c/5x5 mixed4c mixed4d/5x5 mixed4d prob",
        ),
    ],
)
def test_selectors_add_up_in_order_of_computation_without_duplicates(registry, texts, names):
    assert [item.name for item in select_layers(registry, texts, LAYERS)] == names.split()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mixed4e", r"'mixed4e' picks no layer; did you mean mixed4"),
        ("block:mixed4z", r"did you mean block:mixed4"),
        ("type:convolution", r"did you mean type:conv\?"),
        ("conv", r"did you mean type:conv\?"),
        ("brunches", "did you mean branches"),
        ("hidden", "picks no layer"),
        ("main:x", "takes no argument"),
        ("block", "needs an argument, as in block:mixed4c"),
        ("", "needs an argument"),
    ],
)
def test_a_selector_that_picks_nothing_says_what_may_be_meant(registry, text, message):
    with pytest.raises(InputError, match=message):
        select_layers(registry, ["main", text], LAYERS)


def test_no_selector_at_all_is_an_error(registry):
    with pytest.raises(InputError, match="no layers selected"):
        select_layers(registry, [], LAYERS)


def test_what_was_typed_is_never_suggested(registry):
    plain = [item for item in LAYERS if item.branch is None]
    for word in ("branches", "conv", "softmax"):
        with pytest.raises(InputError) as caught:
            select_layers(registry, [word], plain)
        assert f"mean {word}" not in caught.value.message
        assert f"or {word}" not in caught.value.message
