"""Networks of torchvision and timm, with the preprocessing that their authors give them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from layerwise.plugin import InputError, LayerwiseError, LoadRequest, Model, near_names

from layerwise_torch.errors import describe_error, first_line
from layerwise_torch.networks import load_network
from layerwise_torch.settings import Settings, split_model

_PUBLISHED = frozenset({"imagenet", "default", "pretrained"})


def load_torchvision(request: LoadRequest) -> Model:
    """The torchvision model that a request names.

    Raises:
        InputError: If torchvision is not installed, or has no such network or weights.
        LayerwiseError: If published weights cannot be downloaded.
    """
    request = _without_a_word(request)
    name, said = split_model(request.model)
    name = name.removeprefix("torchvision:")
    models = import_zoo("torchvision.models")
    known = list(models.list_models())
    if name not in known:
        raise InputError(f"torchvision has no network '{name}'{near_names(name, known)}")
    entries = models.get_model_weights(name)
    chosen = _choose_weights(name, entries, request.weights)
    network = _build(lambda: models.get_model(name, weights=chosen), f"torchvision's {name}", request.seed)
    usual = chosen or getattr(entries, "DEFAULT", None)
    published = _read_transforms(usual)
    if chosen is not None:
        published = Settings(classes=tuple(chosen.meta.get("categories", ())) or None).over(published)
    origin = f"torchvision {chosen}" if chosen is not None else f"{_untrained(request)}torchvision {name}"
    model = load_network(
        network, request, said.over(published), name=name, origin=origin, has_weights=chosen is not None
    )
    return with_version(model, "torchvision")


def load_timm(request: LoadRequest) -> Model:
    """The timm model that a request names.

    Raises:
        InputError: If timm is not installed, or has no such network.
        LayerwiseError: If published weights cannot be downloaded.
    """
    request = _without_a_word(request)
    name, said = split_model(request.model)
    name = name.removeprefix("timm:")
    timm = import_zoo("timm")
    if not timm.is_model(name):
        raise InputError(f"timm has no network '{name}'{near_names(name.partition('.')[0], timm.list_models())}")
    pretrained = (request.weights or "").lower() in _PUBLISHED
    network = _build(lambda: timm.create_model(name, pretrained=pretrained), f"timm's {name}", request.seed)
    config = timm.data.resolve_model_data_config(network)
    channels, height, width = config["input_size"]
    published = Settings(
        size=(int(height), int(width)),
        channels=int(channels),
        mean=tuple(float(value) for value in config["mean"]),
        std=tuple(float(value) for value in config["std"]),
        resize="crop" if config.get("crop_mode", "center") == "center" else "squash",
        softmax=True,
    )
    origin = f"timm {name}, published weights" if pretrained else f"{_untrained(request)}timm {name}"
    model = load_network(network, request, said.over(published), name=name, origin=origin, has_weights=pretrained)
    return with_version(model, "timm")


def _without_a_word(request: LoadRequest) -> LoadRequest:
    """The request, in which `--weights none` is what naming none is."""
    return replace(request, weights=None) if request.weights == "none" else request


def _untrained(request: LoadRequest) -> str:
    """How the source of a network begins: Layerwise says of what is `untrained` that it is, wherever it is named."""
    return "untrained " if request.weights is None else ""


def import_zoo(module: str) -> Any:
    """An optional package.

    Raises:
        InputError: If it is not installed, or does not work with the PyTorch that is.
    """
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name == package:
            raise InputError(f"{package} is not installed: pip install {package}") from error
        raise InputError(f"{package} cannot be imported: {describe_error(error)}") from error
    except Exception as error:  # one that was built for another PyTorch fails in its own ways
        raise InputError(f"{package} does not work with this PyTorch: {describe_error(error)}") from error


def _choose_weights(name: str, entries: Any, asked: str | None) -> Any:
    """The published weights that a word names; None where a file or nothing is asked for."""
    if asked is None or Path(asked).is_file():
        return None
    if asked.lower() in _PUBLISHED:
        return entries.DEFAULT
    named = {str(entry.name): entry for entry in entries}
    word = asked.rpartition(".")[2]
    if word not in named:
        raise InputError(f"torchvision has no weights '{asked}' for {name}{near_names(word, list(named))}")
    return named[word]


def _build(make: Callable[[], Any], what: str, seed: int) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            return make()
        except Exception as error:  # downloads fail in many ways, and so do networks
            raise LayerwiseError(f"cannot make {what}: {first_line(error)}") from error


def _read_transforms(entry: Any) -> Settings:
    """What the weights' own transforms do to photos; a classifier's output is logits."""
    transforms: Any = entry.transforms() if entry is not None else None
    sizes = getattr(transforms, "crop_size", None)
    if not sizes:
        return Settings(softmax=True, resize="crop")
    return Settings(
        size=(int(sizes[0]), int(sizes[-1])),
        channels=3,
        mean=tuple(float(value) for value in transforms.mean),
        std=tuple(float(value) for value in transforms.std),
        resize="crop",
        softmax=True,
    )


def with_version(model: Model, package: str) -> Model:
    """The model, with the package's version among those that are recorded."""
    version = str(importlib.import_module(package).__version__)
    model.info = replace(model.info, versions={**model.info.versions, package: version})
    return model
