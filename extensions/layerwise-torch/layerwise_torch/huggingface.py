"""Networks in folders as the `transformers` library saves them: configuration, weights, and perhaps a tokenizer.

Nothing is downloaded, and no code that lies in the folder is run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from layerwise.plugin import InputError, LoadRequest, Model, near_names

from layerwise_torch.errors import describe_error
from layerwise_torch.networks import load_network
from layerwise_torch.settings import Settings, split_model
from layerwise_torch.texts import holds_tokenizer
from layerwise_torch.weights import describe_file
from layerwise_torch.zoo import import_zoo, with_version

SCHEME = "transformers:"
_CONFIG = "config.json"
_PIXELS = "preprocessor_config.json"
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


def load_transformers(request: LoadRequest) -> Model:
    """The model in a folder; one without weights is untrained, under the seed.

    Raises:
        InputError: If transformers is not installed, or the folder does not hold a network that it can make.
    """
    name, said = split_model(request.model)
    folder = Path(name.removeprefix(SCHEME)).expanduser()
    config = _read_json(folder / _CONFIG)
    transformers = import_zoo("transformers")
    weights = [file for file in sorted(folder.iterdir()) if file.name in _WEIGHTS or ".safetensors" in file.name]
    network = _build(transformers, folder, config, request, is_trained=bool(weights))
    files = ", ".join(describe_file(file) for file in weights)
    has_weights = bool(weights) and request.weights is None
    origin = f"{folder.name}: {files}" if has_weights else f"untrained {folder.name}"
    settings = said.over(_read_settings(folder, network, config))
    asked = replace(request, weights=None) if request.weights == "none" else request
    model = load_network(network, asked, settings, name=folder.name, origin=origin, has_weights=has_weights)
    return with_version(model, "transformers")


def _build(
    transformers: Any, folder: Path, config: Mapping[str, Any], request: LoadRequest, *, is_trained: bool
) -> Any:
    """The network: of the class that its configuration names, else what the library takes for its kind."""
    named = next(iter(config.get("architectures") or ()), None)
    kind = transformers.AutoModel if named is None else getattr(transformers, str(named), None)
    if kind is None:
        near = near_names(str(named), [word for word in dir(transformers) if word[:1].isupper()])
        raise InputError(
            f"transformers {transformers.__version__} has no network '{named}', which {folder} needs{near}"
        )
    options = {"local_files_only": True, "trust_remote_code": False}
    try:
        if is_trained and request.weights is None:
            network = kind.from_pretrained(str(folder), **options)
        else:
            known = transformers.AutoConfig.from_pretrained(str(folder), **options)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(request.seed)
                network = kind.from_config(known) if named is None else kind(known)
    except Exception as error:  # the library raises a dozen types for a folder that it cannot read
        raise InputError(f"cannot make the network in {folder}: {describe_error(error)}") from error
    network.config._name_or_path = ""  # where a network lies is no part of what it is
    return network


def _read_settings(folder: Path, network: Any, config: Mapping[str, Any]) -> Settings:
    """What the folder says of its network."""
    is_classifier = str(type(network).__name__).endswith("Classification")
    names = config.get("id2label") or {}
    classes = tuple(str(names[key]) for key in sorted(names, key=int)) if is_classifier and names else None
    if network.main_input_name == "pixel_values":
        return replace(_read_pixels(folder, config), classes=classes)
    tokenizer = str(folder) if holds_tokenizer(folder) else None
    return Settings(classes=classes, tokenizer=tokenizer)


def _read_pixels(folder: Path, config: Mapping[str, Any]) -> Settings:
    """What is done to pixels, as the folder's preprocessor has it."""
    size = config.get("image_size")
    sizes = None if size is None else (int(size), int(size)) if isinstance(size, int) else tuple(map(int, size))
    file = folder / _PIXELS
    said = _read_json(file) if file.is_file() else {}
    numbers: dict[str, Any] = {
        key: tuple(float(value) for value in said[word])
        for key, word in (("mean", "image_mean"), ("std", "image_std"))
        if said.get("do_normalize", True) and said.get(word)
    }
    return Settings(
        size=None if sizes is None else (sizes[0], sizes[-1]), channels=config.get("num_channels"), **numbers
    )


def _read_json(file: Path) -> Mapping[str, Any]:
    if not file.parent.is_dir():
        raise InputError(f"no folder '{file.parent}'")
    try:
        content: object = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(
            f"there is no {file.name} in {file.parent}: transformers saves one with every network"
        ) from error
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {file}: {describe_error(error)}") from error
    if not isinstance(content, dict):
        raise InputError(f"{file} holds no settings")
    return content
