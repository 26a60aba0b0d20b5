"""Running Python of the user's own: files with layers that a model needs, and functions that make one."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from layerwise.core.base.errors import InputError
from layerwise.core.base.words import near_names
from layerwise.plugins.loaders.keras.weights import first_line
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
    module = import_place(place)
    if not hasattr(module, name):
        names = [known for known in vars(module) if not known.startswith("_")]
        raise InputError(f"'{place}' has no '{name}'{near_names(name, names)}")
    network = getattr(module, name)
    if not isinstance(network, keras.Model):
        if not callable(network):
            raise InputError(f"{model} is a {type(network).__name__}, not a keras.Model or what makes one")
        try:
            with seeded(seed), _current_folder_first():
                network = network()
        except (Exception, SystemExit) as error:  # whatever a stranger's function does
            raise InputError(f"{model} failed to make the network: {first_line(error)}") from error
    if not isinstance(network, keras.Model):
        raise InputError(f"{model} gives a {type(network).__name__}, not a keras.Model")
    return network


def import_place(place: str) -> ModuleType:
    """A Python file or a module, run.

    Raises:
        InputError: If it cannot be found, or fails.
    """
    with _current_folder_first():
        if place.endswith(".py"):
            return _import_file(Path(place).expanduser())
        try:
            return importlib.import_module(place)
        except ModuleNotFoundError as error:
            if error.name is not None and (place == error.name or place.startswith(f"{error.name}.")):
                raise InputError(
                    f"there is no Python module '{error.name}' in the current folder or among installed packages"
                ) from error
            raise InputError(f"importing '{place}' failed: {first_line(error)}") from error
        except (Exception, SystemExit) as error:  # whatever a stranger's module does
            raise InputError(f"importing '{place}' failed: {first_line(error)}") from error


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
        raise InputError(f"importing '{path}' failed: {first_line(error)}") from error
    finally:
        if before is not None:
            sys.modules[path.stem] = before
    return module


@contextmanager
def _current_folder_first() -> Iterator[None]:
    """Within it modules are looked for in the current folder first."""
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(folder)
