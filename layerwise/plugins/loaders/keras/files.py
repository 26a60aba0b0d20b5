"""The loader of Keras model files: `.keras` archives and `.h5` files with an architecture in them.

A model file can hold code. It is looked for before anything is loaded (`loaders/vetting`), and refused unless the
caller says that the file is trusted; Keras's own safe mode stays on as well.
"""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from layerwise.core.base.errors import InputError
from layerwise.core.host.kinds import ModelLoader
from layerwise.core.network.model import NO_WEIGHTS, LoadRequest, Model
from layerwise.plugins.loaders.class_names import find_classes, list_class_files
from layerwise.plugins.loaders.description import ModelDescription
from layerwise.plugins.loaders.keras.importing import SCHEME, build_network, import_classes
from layerwise.plugins.loaders.keras.origins import explain_failure
from layerwise.plugins.loaders.keras.weights import (
    as_keras_knows_it,
    first_line,
    list_weights_files,
    load_weights,
    quiet_keras,
)
from layerwise.plugins.loaders.preprocessing import choose_preprocessing, find_preprocessing
from layerwise.plugins.loaders.refusing import refusing
from layerwise.plugins.loaders.tensorflow_setup import check_device, import_keras
from layerwise.plugins.loaders.vetting.keras_configs import check_config

_SUFFIXES = (".keras", ".h5", ".hdf5")


class KerasFileLoader(ModelLoader):
    """Loads a model saved by Keras, in safe mode.

    Pixels go in as they are, 0..255, unless a preprocessing is named: a model that needs another range should
    bring a `Rescaling` or `Normalization` layer, which then is part of it. Photos are squashed.
    """

    name: ClassVar[str] = "keras-file"
    description: ClassVar[str] = "a .keras or .h5 file saved by Keras; in Python also a live Keras model"
    understands: ClassVar[frozenset[str]] = frozenset({"output", "imports"})

    def accepts(self, model: str) -> bool:
        """Whether it is called as Keras model files are, there or not."""
        return Path(model).suffix.lower() in _SUFFIXES

    def load(self, request: LoadRequest) -> Model:
        """Load architecture and weights, and other weights over them where they are named.

        Raises:
            InputError: If the file is missing, damaged, not a model, or holds code and is not trusted.
        """
        check_device(request.device)

        path = Path(request.model)
        network = read_keras_file(path, trusted=request.allow_unsafe, classes=import_classes(request.imports))
        if request.weights is not None:
            load_weights(network, Path(request.weights))
        source = path.name if request.weights is None else f"{path.name}, {Path(request.weights).name}"
        return _wrap(network, path.stem, source, request, path)

    def adopt(self, model: object, request: LoadRequest) -> Model | None:
        """A live `keras.Model`, one that is being trained for instance; its `refresh` costs a hash of its weights.

        Raises:
            InputError: If it is not a functional or sequential model of one image.
        """
        keras = sys.modules.get("keras")
        if keras is None or not isinstance(model, keras.Model):
            return None
        return _wrap(model, request.model, "in memory", request, None)

    def list_files(self, request: LoadRequest) -> list[Path] | None:
        """The model file, other weights where they are named, and names of classes; not known where Python is run."""
        if request.imports:
            return None
        path = Path(request.model)
        weights = list_weights_files(Path(request.weights)) if request.weights is not None else []
        return [path, *weights, *list_class_files(request.class_names, path)]


class KerasModuleLoader(ModelLoader):
    """Loads any Keras model by the import path of what makes it, from installed packages and the current folder.

    Weights are a file's, or those that its own code gives it, under the seed. Pixels go in as they are, 0..255,
    unless a preprocessing is named. Photos are squashed.
    """

    name: ClassVar[str] = "keras"
    description: ClassVar[str] = "any Keras model by import path: keras:package.module:factory"
    understands: ClassVar[frozenset[str]] = frozenset({"output", "imports"})

    def accepts(self, model: str) -> bool:
        """Whether it begins with `keras:`."""
        return model.startswith(SCHEME)

    def load(self, request: LoadRequest) -> Model:
        """Import, make, and fill with weights.

        Raises:
            InputError: If any of that fails; says what and where.
        """
        check_device(request.device)
        import_classes(request.imports)
        network = build_network(request.model, request.seed)
        weights = None if request.weights in (None, NO_WEIGHTS) else Path(str(request.weights))
        if weights is not None:
            load_weights(network, weights)
        source = f"made by {request.model}, seed {request.seed}" if weights is None else weights.name
        name = request.model.rpartition(":")[2]
        return _wrap(network, name, source, request, weights)


def _wrap(network: Any, name: str, source: str, request: LoadRequest, path: Path | None) -> Model:
    """A network as a model, with what is known of it from the request and from the file it came from."""
    from layerwise.plugins.loaders.keras.model import KerasModel
    from layerwise.plugins.loaders.tensorflow.placement import find_placement

    preprocessing = choose_preprocessing(request.preprocessing, find_preprocessing("none"))
    with refusing(path or request.model):
        model = KerasModel(
            network,
            ModelDescription(name, source, preprocessing),
            has_own_names=path is not None and Path(request.model) == path,
            size=request.open_size,
            shapes=request.shapes,
            placement=find_placement(),
            output=request.output,
        )
    shape = model.graph[model.graph.output].shape
    model.name_classes(*find_classes(request.class_names, path, shape[-1] if shape else 1))
    return model


def read_keras_file(path: Path, *, trusted: bool, classes: Mapping[str, Any] | None = None) -> Any:
    """The Keras model in a file, which may need classes that Keras does not have.

    Raises:
        InputError: As `KerasFileLoader.load`.
    """
    if not path.is_file():
        raise InputError(f"no model file '{path}'")
    if path.name.lower().endswith(".weights.h5"):
        raise InputError(f"{path} holds weights only: name the model, and give the file with --weights")
    config = _read_config(path)
    keras = import_keras()
    register_own_layers()
    if not trusted:
        check_config(config, path, {**(classes or {}), **keras.saving.get_custom_objects()})
    try:
        with quiet_keras(), as_keras_knows_it(path) as named:
            network = keras.saving.load_model(str(named), dict(classes or {}), compile=False, safe_mode=not trusted)
    except Exception as error:  # whatever Keras raises for a file that it cannot make a model of
        hint = "; if you trust the file, add --allow-unsafe" if "safe_mode" in str(error) else ""
        raise InputError(f"cannot load {path}: {explain_failure(path, error)}{hint}") from error
    if not isinstance(network, keras.Model):
        raise InputError(f"{path} holds a {type(network).__name__}, not a model")
    return network


def register_own_layers() -> None:
    """Make Layerwise's own Keras layers known to Keras, by importing them."""
    import layerwise.plugins.loaders.keras.layers
    import layerwise.plugins.loaders.keras.losses  # noqa: F401


def _read_config(path: Path) -> object:
    """The architecture in the file, as plain values."""
    try:
        if path.suffix.lower() == ".keras":
            with zipfile.ZipFile(path) as archive:
                return json.loads(archive.read("config.json"))
        import h5py

        with h5py.File(path, "r") as file:
            if "model_config" not in file.attrs:
                raise InputError(f"{path} holds no architecture: name the model, and give the file with --weights")
            return json.loads(file.attrs["model_config"])
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is not a Keras model file, or is damaged: {first_line(error)}") from error
