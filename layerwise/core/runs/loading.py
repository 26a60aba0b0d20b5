"""From the MODEL argument to a loaded model: who can load it, and whether what came back holds together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layerwise.core.base.errors import InputError, PluginError
from layerwise.core.host.checked_model import AttributedModel
from layerwise.core.host.kinds import ModelLoader
from layerwise.core.host.registry import Registered, Registry
from layerwise.core.host.validation import describe
from layerwise.core.network.layers import Layer
from layerwise.core.network.model import LoadRequest, Model


def load_model(registry: Registry, request: LoadRequest) -> tuple[Registered[ModelLoader], Model]:
    """Find the loader of a model, load it, and check what it gave.

    Args:
        registry: Where the loaders are registered; the first that accepts the model loads it.
        request: What is asked for.

    Raises:
        InputError: If no loader accepts it, or its file is not as it must be.
        PluginError: If the loader fails, or returns something that is no sound model.
    """
    loader = find_able_loader(registry, request)
    model = loader.call(loader.offer.load, request)
    return loader, AttributedModel(loader, check_model(loader, model))


def find_able_loader(registry: Registry, request: LoadRequest) -> Registered[ModelLoader]:
    """The loader of a model, which understands all it is told, and whose files are there; loads nothing.

    Raises:
        InputError: If there is none, it has no use for a setting, or a file is missing.
    """
    loader = find_loader(registry, request.model)
    check_understood(loader, request)
    check_files(loader, request)
    return loader


def check_understood(loader: Registered[ModelLoader], request: LoadRequest) -> None:
    """See that a loader follows all that it is told.

    Raises:
        InputError: If it does not know what to do with one of the settings.
    """
    said = {"output": request.output, "feed": request.feed, "imports": request.imports}
    unknown = [name for name, value in said.items() if value and name not in loader.offer.understands]
    if unknown:
        option = f"--{unknown[0].removesuffix('s')}"
        raise InputError(f"loader '{loader.name}', which loads {request.model}, has no use for {option}")


def check_files(loader: Registered[ModelLoader], request: LoadRequest) -> None:
    """See that the files that are named are there, before a framework is loaded for them.

    Raises:
        InputError: If one is not.
    """
    named = {Path(request.model): "model file"}
    if request.weights is not None:
        named[Path(request.weights)] = "weights file"
    for file in loader.call(loader.offer.list_files, request) or ():
        if file in named and not file.exists():
            raise InputError(f"no {named[file]} '{file}'")


def find_loader(registry: Registry, model: str) -> Registered[ModelLoader]:
    """The first loader that accepts the MODEL argument.

    Raises:
        InputError: If there is none; says whether a file is missing or a name is wrong, and lists near names.
    """
    if "\0" in model:
        raise InputError(f"{model!r:.200} cannot be a model: it contains NUL")
    loaders = registry.all(ModelLoader)
    failures: list[PluginError] = []
    for loader in loaders:
        try:
            if loader.call(loader.offer.accepts, model):
                return loader
        except PluginError as error:  # the others are asked all the same
            failures.append(error)
            registry.caller.warn(str(error))
    if failures:
        raise failures[0]
    if Path(model).exists():
        what = "folder" if Path(model).is_dir() else "file"
        absence = registry.explain_absence(ModelLoader, model, []) or f"; there are: {_describe(loaders)}"
        raise InputError(f"no loader knows what to do with the {what} '{model}'{absence}")
    scheme, colon, _ = model.partition(":")
    if colon and scheme.isidentifier() and len(scheme) > 1:
        raise InputError(f"no loader for '{scheme}:'{registry.explain_absence(ModelLoader, model, [])}")
    if "/" in model or "\\" in model or Path(model).suffix:
        raise InputError(f"no model file '{model}'")
    raise InputError(f"no model '{model}'{registry.explain_absence(ModelLoader, model, known_models(registry))}")


def find_named(registry: Registry, model: str) -> Registered[ModelLoader]:
    """The loader that knows a model by its name.

    Raises:
        InputError: If there is none; lists near names.
    """
    for loader in registry.all(ModelLoader):
        if names_of(loader) and loader.call(loader.offer.accepts, model):
            return loader
    raise InputError(f"no model '{model}'{registry.explain_absence(ModelLoader, model, known_models(registry))}")


def known_models(registry: Registry) -> list[str]:
    """Names of all models that loaders know, in order of registration."""
    loaders = registry.all(ModelLoader)
    return [name for loader in loaders for name in names_of(loader)]


def names_of(loader: Registered[ModelLoader]) -> list[str]:
    """The names that one loader knows; none, and a warning, where it fails."""
    try:
        names = loader.call(loader.offer.known_models)
        if isinstance(names, str) or not all(isinstance(name, str) for name in names):
            raise _fail(loader, f"{describe(names)} as its known models", "a sequence of names")
    except PluginError as error:
        loader.caller.warn(str(error))
        return []
    return list(names)


def _describe(loaders: Any) -> str:
    return "; ".join(f"{loader.name} ({loader.offer.description})" for loader in loaders)


@dataclass(frozen=True)
class Flaw:
    """What is wrong with a model, in words: what came, and what was expected."""

    came: str
    expected: str


def check_model(loader: Registered[ModelLoader], model: object) -> Model:
    """A model whose layers are outputs of its graph, with unique names and the shapes that the graph says.

    Raises:
        PluginError: If it is not; names the loader, what came and what was expected.
    """
    if not isinstance(model, Model):
        raise _fail(loader, f"a {type(model).__name__}", "a Model")
    flaw = find_flaw(model)
    if flaw is not None:
        raise _fail(loader, flaw.came, flaw.expected)
    return model


def find_flaw(model: Model) -> Flaw | None:
    """What does not hold together in a model; None for a sound one."""
    names = [layer.name for layer in model.layers]
    if not names:
        return Flaw("a model without layers", "at least an input and an output")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        return Flaw(f"a model with several layers called {', '.join(repeated)}", "unique names")
    if [layer.position for layer in model.layers] != sorted({layer.position for layer in model.layers}):
        return Flaw("a model with layers whose positions do not rise", "layers in order of computation")
    by_name = {layer.name: layer for layer in model.layers}
    for layer in model.layers:
        flaw = _find_flaw_of_layer(model, layer, by_name)
        if flaw is not None:
            return flaw
    shape = model.graph[model.graph.input].shape
    if shape != model.info.input_shape:
        return Flaw(f"a model of input_shape {model.info.input_shape}", f"the shape of the graph's input, {shape}")
    return None


def _find_flaw_of_layer(model: Model, layer: Layer, by_name: dict[str, Layer]) -> Flaw | None:
    if layer.node not in model.graph:
        return Flaw(f"layer '{layer.name}' of node '{layer.node}'", "a node of its graph")
    shape = model.graph[layer.node].shape
    if layer.shape != shape:
        return Flaw(f"layer '{layer.name}' with shape {layer.shape}", f"its node's shape {shape}")
    missing = [part for part in layer.parts if part not in by_name]
    if missing:
        return Flaw(f"layer '{layer.name}' with parts {missing}", "parts that are layers")
    n_features = sum(by_name[part].n_features for part in layer.parts)
    if layer.parts and n_features != layer.n_features:
        return Flaw(f"layer '{layer.name}' whose parts have {n_features} features", f"{layer.n_features}")
    return None


def _fail(loader: Registered[ModelLoader], came: str, expected: str) -> PluginError:
    return PluginError(loader.plugin, loader.hook, f"{loader.name} returned {came}", expected)
