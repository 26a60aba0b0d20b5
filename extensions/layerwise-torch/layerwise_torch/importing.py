"""From `package.module:factory` to a network: import it as `python -m` would, and call it."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from layerwise.plugin import InputError, near_names

from layerwise_torch.errors import describe_error

FORM = "torch:package.module:factory, or torch:file.py:factory"


def build_network(where: str, seed: int) -> tuple[Any, Path | None]:
    """The network that an import path names, freshly made, and the file that it was defined in.

    Args:
        where: `package.module:name`, where `name` is a module's class, a function without arguments that makes one,
            or a module itself; `file.py:name` for a file.
        seed: Initial weights follow from it.

    Raises:
        InputError: If it cannot be imported or made, or is no `torch.nn.Module`.
    """
    place, colon, name = where.rpartition(":")
    if not colon or not place or not name:
        raise InputError(f"'torch:{where}' does not name a network: write {FORM}")
    with current_folder_first():
        module = _import_file(Path(place)) if place.endswith(".py") else _import_module(place)
        network = _make(_find(module, place, name), f"torch:{where}", seed)
    file = getattr(module, "__file__", None)
    return network, None if file is None else Path(file)


@contextmanager
def current_folder_first() -> Iterator[None]:
    """Within it modules are looked for in the current folder first; afterwards there last."""
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(folder)
        if folder not in sys.path and "" not in sys.path:
            sys.path.append(folder)


def _import_module(place: str) -> ModuleType:
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name is not None and (place == error.name or place.startswith(f"{error.name}.")):
            searched = os.path.relpath(Path.cwd(), Path.cwd().parent)
            hint = f"looked in the current folder ({searched}) and among installed packages"
            raise InputError(f"there is no Python module '{error.name}'; {hint}") from error
        raise InputError(f"importing '{place}' failed: {describe_error(error)}") from error
    except (Exception, SystemExit) as error:  # whatever a stranger's module does on import
        raise InputError(f"importing '{place}' failed: {describe_error(error)}") from error


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise InputError(f"there is no Python file '{path}'")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise InputError(f"'{path}' is not a Python file")
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(path.stem)
    sys.modules[path.stem] = module  # dataclasses and pickles look it up while it runs
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever a stranger's file does
        raise InputError(f"importing '{path}' failed: {describe_error(error)}") from error
    finally:
        if before is not None:
            sys.modules[path.stem] = before
    return module


def _find(module: ModuleType, place: str, name: str) -> Any:
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            names = [known for known in vars(found) if not known.startswith("_")]
            raise InputError(f"'{place}' has no '{name}'{near_names(part, names)}")
        found = getattr(found, part)
    return found


def _make(found: Any, owner: str, seed: int) -> Any:
    """The network itself; made under the seed, without touching anybody else's random numbers."""
    network = found
    if not isinstance(found, torch.nn.Module):
        if not callable(found):
            raise InputError(f"{owner} is a {type(found).__name__}, not a torch.nn.Module or what makes one")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            try:
                network = found()
            except (Exception, SystemExit) as error:  # whatever a stranger's factory does
                raise InputError(f"{owner} failed to make the network: {describe_error(error)}") from error
    if not isinstance(network, torch.nn.Module):
        raise InputError(f"{owner} gives a {type(network).__name__}, not a torch.nn.Module")
    return unwrap(network)


def unwrap(network: Any) -> Any:
    """The network itself, of one that `torch.compile` or a way of training on several devices was wrapped around."""
    while True:
        if "_orig_mod" in network._modules:  # torch.compile
            network = network._orig_mod
        elif isinstance(network, torch.nn.DataParallel | torch.nn.parallel.DistributedDataParallel):
            network = network.module
        else:
            return network
