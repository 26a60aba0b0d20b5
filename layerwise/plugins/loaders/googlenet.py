"""The `googlenet` loader: the network of the published analysis, from its Caffe weights, Keras weights, or none.

Weights that `layerwise models fetch googlenet` has brought are found without being named.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from layerwise.core.base.errors import InputError
from layerwise.core.host.kinds import ModelLoader
from layerwise.core.network.model import NO_WEIGHTS, UNTRAINED, LoadRequest, Model
from layerwise.plugins.loaders.caffe import Blobs, read_caffemodel
from layerwise.plugins.loaders.class_names import find_classes, list_class_files
from layerwise.plugins.loaders.description import ModelDescription
from layerwise.plugins.loaders.fetching import Asset, fetch_assets, fetched_folder
from layerwise.plugins.loaders.googlenet_layers import MAIN, MEAN_BGR, N_CLASSES, build_googlenet, caffe_names
from layerwise.plugins.loaders.keras.weights import load_weights
from layerwise.plugins.loaders.preprocessing import affine, choose_preprocessing
from layerwise.plugins.loaders.seeding import seeded
from layerwise.plugins.loaders.tensorflow_setup import check_device

_HOST = "http://dl.caffe.berkeleyvision.org"
WEIGHTS = Asset(
    "bvlc_googlenet.caffemodel", f"{_HOST}/bvlc_googlenet.caffemodel", "405fc5acd08a3bb12de8ee5e23a96bec22f08204"
)
CLASSES = Asset(
    "synset_words.txt",
    f"{_HOST}/caffe_ilsvrc12.tar.gz",
    "e03a09a8336d75b7bb008748eadee253a30cb2c2",
    "synset_words.txt",
)
"""What the Berkeley Vision and Learning Center published, with the checksums it gave or of what it gave."""


class GoogLeNetLoader(ModelLoader):
    """Loads GoogLeNet from a `.caffemodel` or a Keras weights file, or untrained with `--weights none`.

    Photos are squashed to 224 x 224, as its authors did.
    """

    name: ClassVar[str] = "googlenet"
    description: ClassVar[str] = (
        "GoogLeNet (Szegedy et al. 2015), from Caffe or Keras weights; `layerwise models fetch googlenet` brings them"
    )

    def known_models(self) -> tuple[str, ...]:
        """Its one name."""
        return (self.name,)

    def accepts(self, model: str) -> bool:
        """Whether this is its name, in any case."""
        return model.lower() == self.name

    def load(self, request: LoadRequest) -> Model:
        """Build the network and fill in its weights.

        Raises:
            InputError: If the weights file is missing, damaged, or another network's, or none is named or fetched.
        """
        check_device(request.device)
        path = _find_weights(request)
        blobs = read_caffemodel(path) if path is not None and path.suffix == ".caffemodel" else None
        with seeded(request.seed):
            network = build_googlenet()
        if blobs is not None and path is not None:
            fill_weights(network, blobs, path)
        elif path is not None:
            load_weights(network, path)
        return _describe(network, request, path)

    def list_files(self, request: LoadRequest) -> list[Path]:
        """The weights file where one is named, and names of classes."""
        path = _find_weights(request)
        return [*([path] if path is not None else []), *list_class_files(request.class_names, path)]

    def fetch(self, model: str) -> list[Path]:
        """Download weights and names of classes from where their authors published them."""
        del model
        return fetch_assets(fetched_folder("googlenet"), [WEIGHTS, CLASSES])


def _find_weights(request: LoadRequest) -> Path | None:
    """The weights file that is named or was fetched; None where the network shall be untrained.

    Raises:
        InputError: If there is none.
    """
    if request.weights == NO_WEIGHTS or (request.graph_only and request.weights is None):
        return None
    if request.weights is not None:
        if Path(request.weights).is_file():
            return Path(request.weights)
        raise InputError(
            f"no weights file '{request.weights}' for googlenet; it is a .caffemodel or a Keras weights file"
        )
    fetched = fetched_folder("googlenet") / WEIGHTS.name
    if fetched.is_file():
        return fetched
    raise InputError(
        "googlenet needs weights: `layerwise models fetch googlenet` downloads the published ones once (51 MiB), "
        "--weights FILE names a .caffemodel or a Keras weights file, --weights none analyses random weights"
    )


def _describe(network: Any, request: LoadRequest, path: Path | None) -> Model:
    from layerwise.plugins.loaders.keras.model import KerasModel
    from layerwise.plugins.loaders.tensorflow.placement import find_placement

    names, ids = find_classes(request.class_names, path, N_CLASSES)
    words = f"BGR minus ({', '.join(f'{mean:g}' for mean in MEAN_BGR)})"
    usual = affine(words, (1.0, 1.0, 1.0), tuple(-mean for mean in MEAN_BGR), bgr=True)
    description = ModelDescription(
        name="googlenet",
        source=f"{UNTRAINED}, seed {request.seed}" if path is None else path.name,
        preprocessing=choose_preprocessing(request.preprocessing, usual),
        class_names=names,
        class_ids=ids,
    )
    return KerasModel(network, description, MAIN, has_own_names=True, placement=find_placement())


def fill_weights(network: Any, blobs: Blobs, path: Path) -> None:
    """Put a Caffe model's blobs into the network; layers it does not have, such as auxiliary heads, are ignored.

    Caffe stores convolutions as (out, in, height, width) and dense layers as (out, in).

    Raises:
        InputError: If a blob is missing or has another shape than the network needs.
    """
    for name, theirs in caffe_names().items():
        found = blobs.get(theirs, ())
        layer = network.get_layer(name)
        if len(found) != 2:
            raise InputError(f"{path}: layer '{theirs}' has {len(found)} blobs, but weights and a bias are needed")
        kernel, bias = found
        wanted = tuple(layer.kernel.shape)
        theirs_wanted = wanted[::-1] if len(wanted) == 2 else (wanted[3], wanted[2], wanted[0], wanted[1])
        squeezed = kernel.reshape(kernel.shape[-2:]) if len(wanted) == 2 and kernel.ndim == 4 else kernel
        if squeezed.shape != theirs_wanted or bias.size != wanted[-1]:
            raise InputError(
                f"{path}: layer '{theirs}' has blobs of shape {kernel.shape} and {bias.shape}, "
                f"expected {theirs_wanted} and {(wanted[-1],)}"
            )
        axes = (1, 0) if len(wanted) == 2 else (2, 3, 1, 0)
        layer.set_weights([np.ascontiguousarray(squeezed.transpose(axes)), bias.reshape(-1)])
