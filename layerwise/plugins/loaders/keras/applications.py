"""The loader of `keras.applications`: any of its networks by name, with published, own or no weights.

Which there are is read from the installed Keras without importing it, so that names can be listed at once.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import json
import os
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from layerwise.core.base.errors import LayerwiseError
from layerwise.core.host.kinds import ModelLoader
from layerwise.core.network.model import NO_WEIGHTS, UNTRAINED, LoadRequest, Model
from layerwise.plugins.loaders.class_names import Classes, find_classes, list_class_files
from layerwise.plugins.loaders.description import ModelDescription
from layerwise.plugins.loaders.fetching import Asset, fetch_assets
from layerwise.plugins.loaders.keras.weights import first_line, load_weights
from layerwise.plugins.loaders.preprocessing import Preprocessing, choose_preprocessing
from layerwise.plugins.loaders.seeding import seeded
from layerwise.plugins.loaders.tensorflow_setup import check_device, import_keras

IMAGENET = "imagenet"
_FAMILIES = ("convnext", "densenet", "efficientnet", "inception", "mobilenet", "nasnet", "resnet", "vgg", "xception")
"""What names of applications begin with, for where Keras is not installed and cannot say which there are."""
_ENDING = re.compile(r"(?<=[a-z0-9])(V\d|B\d|X?Large|Small|Mobile|Tiny|Base|(?<=V2)[SML]$)")


class KerasApplicationsLoader(ModelLoader):
    """Loads `inception_v3`, `resnet50` and the others, also as Keras spells them (`InceptionV3`).

    Weights are `imagenet`, which Keras downloads and which is taken where nothing is said, a Keras weights file, or
    `none`: then the network is untrained. Pixels go through the application's own `preprocess_input`; photos are
    cropped, as the authors of all of these did.
    """

    name: ClassVar[str] = "keras-applications"
    description: ClassVar[str] = (
        "any network of keras.applications, with its imagenet weights, or --weights FILE or none"
    )

    def known_models(self) -> tuple[str, ...]:
        """Names in snake case, sorted."""
        return tuple(sorted(name for name, _ in _find_applications().values()))

    def accepts(self, model: str) -> bool:
        """Whether it is one of the names, whatever its case and underscores."""
        known = _find_applications()
        return _bare(model) in known if known else model.isidentifier() and _bare(model).startswith(_FAMILIES)

    def load(self, request: LoadRequest) -> Model:
        """Build the network and fill in its weights.

        Raises:
            InputError: If the weights file is missing or another network's.
            LayerwiseError: If published weights cannot be downloaded.
        """
        check_device(request.device)
        import_keras()
        from layerwise.plugins.loaders.keras.model import KerasModel
        from layerwise.plugins.loaders.tensorflow.placement import find_placement

        name, class_name = _find_applications()[_bare(request.model)]
        build = getattr(import_keras().applications, class_name)
        weights = _choose(request)
        network = _build(build, name, weights, request.seed)
        path = None if weights in (IMAGENET, NO_WEIGHTS) else Path(weights)
        n_classes = int(network.output_shape[-1])
        names, ids = find_classes(request.class_names, path, n_classes)
        if weights == IMAGENET and not names:
            names, ids = _read_class_index(n_classes)
        description = ModelDescription(
            name=name,
            source=_describe_source(weights, request.seed),
            preprocessing=choose_preprocessing(request.preprocessing, _own_preprocessing(build)),
            resize="crop",
            class_names=names,
            class_ids=ids,
        )
        return KerasModel(network, description, placement=find_placement())

    def list_files(self, request: LoadRequest) -> list[Path] | None:
        """The weights file where one is named, and names of classes; not known for weights that Keras fetches."""
        weights = _choose(request)
        if weights == IMAGENET:
            return None
        path = None if weights == NO_WEIGHTS else Path(weights)
        return [*([path] if path is not None else []), *list_class_files(request.class_names, path)]

    def fetch(self, model: str) -> list[Path]:
        """Download the imagenet weights into Keras's own cache, where it looks for them, and see that they fit.

        They are checked by the checksums that Keras knows; of a few (`mobilenet`) it knows none.

        Raises:
            LayerwiseError: If they cannot be downloaded, or are not what was published.
        """
        keras = import_keras()
        name, class_name = _find_applications()[_bare(model)]
        with _fetching(keras) as fetched:
            _build(getattr(keras.applications, class_name), name, IMAGENET, 0)
        return fetched


@contextlib.contextmanager
def _fetching(keras: Any) -> Iterator[list[Path]]:
    """Within, what Keras downloads is downloaded by us: it goes on where it broke off. Gives the files that came."""
    module: Any = sys.modules[keras.utils.get_file.__module__]
    own, fetched = module.get_file, list[Path]()

    def get_file(fname: str, origin: str, *rest: Any, **options: Any) -> Any:
        digest = options.get("file_hash") or options.get("md5_hash") or ""
        folder = _keras_home() / options.get("cache_subdir", "datasets")
        fetched.extend(fetch_assets(folder, [Asset(fname, origin, digest)]))
        return own(fname, origin, *rest, **{"cache_dir": str(_keras_home()), **options})

    module.get_file = get_file
    try:
        yield fetched
    finally:
        module.get_file = own


def _choose(request: LoadRequest) -> str:
    """Which weights are meant: a file, `imagenet` or `none`."""
    return request.weights or (NO_WEIGHTS if request.graph_only else IMAGENET)


def _build(build: Any, name: str, weights: str, seed: int) -> Any:
    if weights == IMAGENET:
        try:
            with contextlib.redirect_stdout(
                sys.stderr
            ):  # Keras prints a progress bar, which must not end up in --json
                return build(weights="imagenet")
        except LayerwiseError:
            raise
        except Exception as error:  # urllib, http and Keras each have errors of their own
            raise LayerwiseError(
                f"cannot fetch the imagenet weights of {name}: {first_line(error)}; "
                "--weights FILE takes a file's, --weights none analyses random weights"
            ) from error
    with seeded(seed):
        network = build(weights=None)
    if weights != NO_WEIGHTS:
        load_weights(network, Path(weights))
    return network


def _describe_source(weights: str, seed: int) -> str:
    if weights == IMAGENET:
        return "keras.applications, imagenet weights"
    return f"{UNTRAINED}, seed {seed}" if weights == NO_WEIGHTS else Path(weights).name


def _find_applications() -> dict[str, tuple[str, str]]:
    """Name and class of each application, by its name without case and underscores; none without Keras."""
    found = importlib.util.find_spec("keras")
    return {} if found is None or found.origin is None else _read_applications(Path(found.origin).parent)


@cache
def _read_applications(keras: Path) -> dict[str, tuple[str, str]]:
    text = (keras / "applications" / "__init__.py").read_text(encoding="utf-8")
    imports = [node for node in ast.parse(text).body if isinstance(node, ast.ImportFrom)]
    classes = {
        alias.name: (node.module or "").rpartition(".")[2]
        for node in imports
        for alias in node.names
        if alias.name[0].isupper()
    }
    return {_bare(name): (_snake(name, family), name) for name, family in classes.items()}


def _bare(name: str) -> str:
    return name.replace("_", "").lower()


def _snake(name: str, family: str) -> str:
    """`InceptionV3` as `inception_v3`: as its module is called, where that is the same word."""
    return family if _bare(family) == _bare(name) else _ENDING.sub(r"_\1", name).lower()


def _own_preprocessing(build: Any) -> Preprocessing:
    """What the application's own module does to pixels."""
    module = sys.modules[build.__module__]
    word = build.__module__.rpartition(".")[2]
    # The function works in place on floats, so it is given a copy of its own.
    return Preprocessing(
        f"keras.applications.{word}.preprocess_input",
        lambda pixels: np.asarray(module.preprocess_input(np.array(pixels, np.float32)), np.float32),
    )


def _keras_home() -> Path:
    return Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))


def _read_class_index(n_classes: int) -> Classes:
    """ImageNet's classes from Keras's cache, if it has fetched them before; never fails, never downloads."""
    try:
        index = json.loads((_keras_home() / "models" / "imagenet_class_index.json").read_text(encoding="utf-8"))
        pairs = [index[str(place)] for place in range(n_classes)]
        return tuple(str(pair[1]).replace("_", " ") for pair in pairs), tuple(str(pair[0]) for pair in pairs)
    except (OSError, ValueError, KeyError, IndexError):
        return (), ()
