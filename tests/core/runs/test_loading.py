"""Finding a loader for the MODEL argument, and checking what it gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from layerwise.core.base.errors import InputError, PluginError
from layerwise.core.host.hookspecs import hookimpl
from layerwise.core.host.kinds import ModelLoader
from layerwise.core.host.registry import Registry
from layerwise.core.network.graph import Graph, Node
from layerwise.core.network.layer_naming import derive_layers
from layerwise.core.network.model import Compiled, Floats, LoadRequest, Model, ModelInfo, WeightTensor
from layerwise.core.runs.loading import known_models, load_model

GRAPH = Graph(
    (
        Node("in", "input", (), (2, 2, 3)),
        Node("a", "conv", ("in",), (2, 2, 1), (1, 1)),
        Node("b", "conv", ("in",), (2, 2, 2), (3, 3)),
        Node("join", "concat", ("a", "b"), (2, 2, 3)),
    ),
    "join",
)


class Tiny(Model):
    def __init__(self) -> None:
        self.graph = GRAPH
        self.layers = derive_layers(GRAPH)
        self.info = ModelInfo("tiny", "here", "00", (2, 2, 3), "none", "squash", 0)

    def preprocess(self, pixels: Any) -> Floats:
        return np.asarray(pixels, np.float32)

    def compile(self, start: str, outputs: Sequence[str]) -> Compiled:
        return lambda batch: [batch for _ in outputs]

    def weights(self) -> Iterator[WeightTensor]:
        yield from ()


class Loader(ModelLoader):
    name: ClassVar[str] = "tiny-loader"
    description: ClassVar[str] = "tiny networks"

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def known_models(self) -> Sequence[str]:
        return ("tiny", "teeny")

    def accepts(self, model: str) -> bool:
        return model in self.known_models()

    def load(self, request: LoadRequest) -> Model:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer  # type: ignore[return-value]


def registry_with(answer: object) -> Registry:
    class Plugin:
        @hookimpl
        def register_model_loaders(self) -> list[ModelLoader]:
            return [Loader(answer)]

    registry = Registry()
    registry.register(Plugin(), "strange", "strange-models", "1.0")
    return registry


def changed(**changes: Any) -> Model:
    model = Tiny()
    for name, value in changes.items():
        setattr(model, name, value)
    return model


def test_the_first_loader_that_accepts_a_model_loads_it() -> None:
    loader, model = load_model(registry_with(Tiny()), LoadRequest("tiny"))
    assert loader.qualified_name == "strange-models:tiny-loader"
    assert model.info.name == "tiny"
    assert known_models(registry_with(None)) == ["tiny", "teeny"]


def test_a_wrong_name_is_told_near_ones() -> None:
    with pytest.raises(InputError, match="no model 'tinny'; did you mean tiny or teeny"):
        load_model(registry_with(Tiny()), LoadRequest("tinny"))


def test_a_path_that_is_not_there_is_called_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no model file '.*absent\.keras'"):
        load_model(registry_with(Tiny()), LoadRequest(str(tmp_path / "absent.keras")))


def test_a_file_that_nobody_can_load_is_told_who_was_asked(tmp_path: Path) -> None:
    (tmp_path / "model.xyz").write_text("?")
    with pytest.raises(InputError, match=r"the file '.*model\.xyz'; there are: tiny-loader \(tiny networks\)"):
        load_model(registry_with(Tiny()), LoadRequest(str(tmp_path / "model.xyz")))


def test_a_loader_that_raises_is_named() -> None:
    with pytest.raises(PluginError, match=r"plugin 'strange' .*tiny-loader\.load raised KeyError"):
        load_model(registry_with(KeyError("x")), LoadRequest("tiny"))


LAYERS = derive_layers(GRAPH)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("a string", "returned a str, expected a Model"),
        (changed(layers=()), "a model without layers"),
        (changed(layers=(LAYERS[0], replace(LAYERS[1], name="in"))), "several layers called in"),
        (changed(layers=LAYERS[::-1]), "layers in order of computation"),
        (
            changed(layers=(*LAYERS[:3], replace(LAYERS[3], node="lost"))),
            "of node 'lost', expected a node of its graph",
        ),
        (changed(layers=(*LAYERS[:3], replace(LAYERS[3], shape=(9,)))), r"shape \(9,\), expected its node's shape"),
        (changed(layers=(*LAYERS[:3], replace(LAYERS[3], parts=("gone",)))), "expected parts that are layers"),
        (
            changed(layers=(*LAYERS[:3], replace(LAYERS[3], parts=("join/1x1",)))),
            "parts have 4 features, expected 12",
        ),
        (changed(info=replace(Tiny().info, input_shape=(9, 9, 3))), r"expected the shape of the graph's input"),
    ],
)
def test_a_model_that_does_not_hold_together_is_refused(answer: object, message: str) -> None:
    with pytest.raises(PluginError, match=message) as caught:
        load_model(registry_with(answer), LoadRequest("tiny"))
    assert "plugin 'strange' (register_model_loaders)" in str(caught.value)
