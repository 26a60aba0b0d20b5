"""Loaders of models: GoogLeNet, `keras.applications`, Keras files, SavedModel folders and frozen graphs."""

from __future__ import annotations

from collections.abc import Sequence

from layerwise.core.hookspecs import hookimpl
from layerwise.core.kinds import ModelLoader


@hookimpl
def register_model_loaders() -> Sequence[ModelLoader]:
    """The built-in loaders, the most particular first."""
    from layerwise.plugins.loaders.googlenet import GoogLeNetLoader
    from layerwise.plugins.loaders.keras_applications import KerasApplicationsLoader
    from layerwise.plugins.loaders.keras_files import KerasFileLoader
    from layerwise.plugins.loaders.tensorflow_files import FrozenGraphLoader, SavedModelLoader

    return [
        GoogLeNetLoader(),
        KerasApplicationsLoader(),
        KerasFileLoader(),
        FrozenGraphLoader(),
        SavedModelLoader(),
    ]
