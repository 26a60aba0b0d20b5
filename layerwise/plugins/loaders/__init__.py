"""Loaders of models: GoogLeNet, `keras.applications`, Keras files, SavedModel folders and frozen graphs."""

from __future__ import annotations

from collections.abc import Sequence

from layerwise.core.hookspecs import hookimpl
from layerwise.core.kinds import ModelLoader


@hookimpl
def register_model_loaders() -> Sequence[ModelLoader]:
    """The built-in loaders, the most particular first."""
    from layerwise.plugins.loaders.googlenet import GoogLeNetLoader

    return [GoogLeNetLoader()]
