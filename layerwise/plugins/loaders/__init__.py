"""Loaders of models: GoogLeNet, `keras.applications`, Keras files, SavedModel folders and frozen graphs."""

from __future__ import annotations

from collections.abc import Sequence

from layerwise.core.host.hookspecs import hookimpl
from layerwise.core.host.kinds import ModelLoader


@hookimpl
def register_model_loaders() -> Sequence[ModelLoader]:
    """The built-in loaders, the most particular first."""
    from layerwise.plugins.loaders.googlenet import GoogLeNetLoader
    from layerwise.plugins.loaders.graphdef.files import FrozenGraphLoader, SavedModelLoader
    from layerwise.plugins.loaders.keras.applications import KerasApplicationsLoader
    from layerwise.plugins.loaders.keras.files import KerasFileLoader
    from layerwise.plugins.loaders.keras.modules import KerasModuleLoader

    return [
        GoogLeNetLoader(),
        KerasApplicationsLoader(),
        KerasModuleLoader(),
        KerasFileLoader(),
        FrozenGraphLoader(),
        SavedModelLoader(),
    ]
