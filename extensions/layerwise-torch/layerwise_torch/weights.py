"""Weights from files: state dictionaries and safetensors, read without running any code that is stored in them."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from layerwise.plugin import InputError, current_folder_first

from layerwise_torch.errors import describe_error, first_line

_WRAPPERS = ("state_dict", "model_state_dict", "model", "network", "net")
_PREFIXES = ("module.", "_orig_mod.", "model.")
SUFFIXES = (".pt", ".pth", ".bin", ".ckpt", ".safetensors")


def load_weights(module: Any, path: Path, owner: str, *, trusted: bool) -> None:
    """Fill a network's weights from a file.

    Args:
        module: The network; changed.
        path: A state dictionary saved by `torch.save`, alone or in a checkpoint, or a safetensors file.
        owner: What the network is called, for messages.
        trusted: Whether code that is stored in the file may run.

    Raises:
        InputError: If the file is missing, damaged, holds code and is not trusted, or does not fit the network.
    """
    if not path.is_file():
        raise InputError(f"no weights file '{path}' for {owner}")
    state = strip_prefixes(find_state(read_file(path, trusted=trusted), path), set(module.state_dict()))
    own = module.state_dict()
    missing = sorted(own.keys() - state.keys())
    unknown = sorted(state.keys() - own.keys())
    shapes = [
        f"{name} ({_shape(state[name])}, expected {_shape(own[name])})"
        for name in own
        if name in state and tuple(state[name].shape) != tuple(own[name].shape)
    ]
    problems = [
        f"{len(names)} {what}: {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}"
        for names, what in ((missing, "missing"), (unknown, "not in it"), (shapes, "of another shape"))
        if names
    ]
    if problems:
        raise InputError(f"{path} does not fit {owner}: {'; '.join(problems)}")
    module.load_state_dict(state)


def read_file(path: Path, *, trusted: bool) -> Any:
    """What a weights file holds.

    Raises:
        InputError: If it is damaged, or holds code and is not trusted.
    """
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about the pickle's age; what it holds is checked
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # PyTorch raises a dozen types for a file that it cannot read
        if not is_pickle_refusal(error):
            raise InputError(f"{path} is not a PyTorch file, or is damaged: {first_line(error)}") from error
        if not trusted:
            raise InputError(
                f"{path} holds more than weights, and loading it would run code that is stored in it: "
                "if you trust the file, add --allow-unsafe"
            ) from error
    try:
        with current_folder_first():
            return torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:  # as above, and whatever the stored code raises
        raise InputError(f"cannot load {path}: {describe_error(error)}") from error


def is_pickle_refusal(error: Exception) -> bool:
    """Whether PyTorch refused to load a file because of what is pickled in it."""
    return "eights only load failed" in str(error) or "weights_only" in str(error)


def _read_safetensors(path: Path) -> Any:
    try:
        from safetensors.torch import load_file
    except ImportError as error:
        raise InputError(f"{path}: safetensors is not installed; pip install safetensors") from error
    try:
        return load_file(path)
    except Exception as error:  # the library's own error type and those of the file system
        raise InputError(f"{path} is not a safetensors file, or is damaged: {first_line(error)}") from error


def find_state(content: Any, path: Path) -> Mapping[str, Any]:
    """The state dictionary in what a file holds: alone, inside a checkpoint, or that of a whole module.

    Raises:
        InputError: If there is none.
    """
    if isinstance(content, torch.nn.Module):
        state: Mapping[str, Any] = content.state_dict()
        return state
    if isinstance(content, Mapping):
        for key in _WRAPPERS:
            if isinstance(content.get(key), Mapping):
                return find_state(content[key], path)
        if content and all(isinstance(value, torch.Tensor) for value in content.values()):
            return content
    raise InputError(f"{path} holds a {type(content).__name__} without weights, not a state dictionary")


def strip_prefixes(state: Mapping[str, Any], wanted: set[str]) -> dict[str, Any]:
    """The state without what wrappers (data parallelism, compilation) have put in front of every name."""
    plain = {str(name): value for name, value in state.items()}
    for prefix in (*_PREFIXES, *_PREFIXES):
        if not plain.keys() & wanted and plain and all(name.startswith(prefix) for name in plain):
            plain = {name.removeprefix(prefix): value for name, value in plain.items()}
    return plain


def describe_file(path: Path) -> str:
    """A file's name and the beginning of its SHA-256."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return f"{path.name} (sha256 {digest.hexdigest()[:16]})"


def _shape(tensor: Any) -> str:
    sizes: Sequence[int] = tuple(tensor.shape)
    return " x ".join(map(str, sizes)) or "one number"
