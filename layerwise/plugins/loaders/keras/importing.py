"""Keras layers and networks that Python of the user's own makes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from layerwise.core.base.errors import InputError
from layerwise.plugins.loaders.importing import current_folder_first, describe_error, find_object, import_place
from layerwise.plugins.loaders.seeding import seeded
from layerwise.plugins.loaders.tensorflow_setup import import_keras

SCHEME = "keras:"
FORM = "keras:package.module:factory, or keras:file.py:factory"


def import_classes(places: Sequence[str]) -> dict[str, Any]:
    """Run Python files or modules, and give the Keras classes and the functions that they define, by name.

    Args:
        places: Paths of files, or names of modules in the current folder or among installed packages.

    Raises:
        InputError: If one cannot be found, or fails.
    """
    keras = import_keras()
    found: dict[str, Any] = {}
    for place in places:
        module = import_place(place)
        for name, value in vars(module).items():
            is_class = isinstance(value, type) and issubclass(value, keras.Layer | keras.initializers.Initializer)
            is_own = getattr(value, "__module__", None) == module.__name__
            if is_own and (is_class or (callable(value) and not isinstance(value, type))):
                found[name] = value
    return found


def build_network(model: str, seed: int) -> Any:
    """The network that `keras:module:factory` names, freshly made; initial weights follow from the seed.

    Raises:
        InputError: If it cannot be imported or made, or is no Keras model.
    """
    keras = import_keras()
    place, colon, name = model.removeprefix(SCHEME).rpartition(":")
    if not colon or not place or not name:
        raise InputError(f"'{model}' does not name a network: write {FORM}")
    _, network = find_object(place, name)
    if not isinstance(network, keras.Model):
        if not callable(network):
            raise InputError(f"{model} is a {type(network).__name__}, not a keras.Model or what makes one")
        try:
            with seeded(seed), current_folder_first():
                network = network()
        except (Exception, SystemExit) as error:  # whatever a stranger's function does
            raise InputError(f"{model} failed to make the network: {describe_error(error)}") from error
    if not isinstance(network, keras.Model):
        raise InputError(f"{model} gives a {type(network).__name__}, not a keras.Model")
    return network
