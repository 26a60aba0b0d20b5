"""From `package.module:factory` to a network: import it as `python -m` would, and call it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from layerwise.plugin import InputError, current_folder_first, find_object

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
    module, found = find_object(place, name)
    with current_folder_first():
        network = _make(found, f"torch:{where}", seed)
    file = getattr(module, "__file__", None)
    return network, None if file is None else Path(file)


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
