"""The loader of Keras models that Python code makes: `keras:package.module:factory`."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any, ClassVar

from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.base.words import near_names
from layerwise.core.host.kinds import ModelLoader
from layerwise.core.network.model import LoadRequest, Model
from layerwise.plugins.loaders.keras.files import describe_network
from layerwise.plugins.loaders.keras.weights import first_line, load_weights
from layerwise.plugins.loaders.tensorflow_setup import check_device, import_keras

_SCHEME = "keras:"
FORM = "keras:package.module:factory, or keras:file.py:factory"


class KerasModuleLoader(ModelLoader):
    """Loads a Keras model that a function without arguments makes, from installed packages and the current folder.

    For files that hold weights only: `.weights.h5`, TensorFlow's checkpoints. Without weights it has those that its
    own code gives it, under the seed. Pixels go in as they are, 0..255, unless a preprocessing is named.
    """

    name: ClassVar[str] = "keras-module"
    description: ClassVar[str] = "a Keras model by import path: keras:package.module:factory, with --weights FILE"

    def accepts(self, model: str) -> bool:
        """Whether it begins with `keras:`."""
        return model.startswith(_SCHEME)

    def load(self, request: LoadRequest) -> Model:
        """Import, make, fill with weights.

        Raises:
            InputError: If any of that fails; says what and where.
        """
        from layerwise.plugins.loaders.keras.model import KerasModel

        check_device(request.device)
        place, colon, name = request.model.removeprefix(_SCHEME).rpartition(":")
        if not colon or not place or not name:
            raise InputError(f"'{request.model}' does not name a model: write {FORM}")
        keras = import_keras()
        keras.utils.set_random_seed(request.seed)
        network = _make(place, name, request.model)
        path = None if request.weights is None else Path(request.weights)
        if path is not None:
            load_weights(network, path)
        source = f"{place}, {f'seed {request.seed}' if path is None else path.name}"
        description = describe_network(network, name, source, request, path)
        try:
            return KerasModel(network, description, size=request.open_size)
        except LayerwiseError:
            raise
        except Exception as error:  # what a layer raises when it is called
            raise InputError(f"{request.model} cannot be laid out as layers: {first_line(error)}") from error


def _make(place: str, name: str, asked: str) -> Any:
    keras = import_keras()
    module = _import(place)
    if not hasattr(module, name):
        raise InputError(
            f"there is no '{name}' in {place}{near_names(name, [n for n in vars(module) if n[0] != '_'])}"
        )
    made = getattr(module, name)
    if not isinstance(made, keras.Model):
        try:
            made = made()
        except Exception as error:  # whatever a stranger's function raises
            raise InputError(f"{asked} cannot be made: {first_line(error)}") from error
    if not isinstance(made, keras.Model):
        raise InputError(f"{asked} gives a {type(made).__name__}, not a Keras model")
    return made


def _import(place: str) -> Any:
    """A module of the current folder or an installed package, or a file."""
    if place.endswith(".py") and not Path(place).is_file():
        raise InputError(f"there is no Python file '{place}'")
    here = str(Path.cwd())
    sys.path.insert(0, here)
    importlib.invalidate_caches()
    try:
        return _read_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    except ModuleNotFoundError as error:
        raise InputError(f"importing '{place}' failed: there is no Python module '{error.name}'") from error
    except (Exception, SystemExit) as error:  # whatever a stranger's module does on import
        raise InputError(f"importing '{place}' failed: {first_line(error)}") from error
    finally:
        sys.path.remove(here)


def _read_file(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
