"""PyTorch models for Layerwise: any `nn.Module`, TorchScript and `torch.export` files, torchvision and timm.

A plugin like any other: it registers loaders and a selector through Layerwise's hooks and imports nothing but
Layerwise's public names. PyTorch is imported when a model is loaded, not before.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from layerwise.plugin import LayerSelector, ModelLoader, hookimpl

if TYPE_CHECKING:
    from layerwise_torch.losses import DeCov, SmoothDecorrelation, WatchedLayers
    from layerwise_torch.recording import Recorder

    LightningRecorder: Any

__all__ = ["DeCov", "LightningRecorder", "Recorder", "SmoothDecorrelation", "WatchedLayers"]
_HOMES = {"DeCov": "losses", "Recorder": "recording", "SmoothDecorrelation": "losses", "WatchedLayers": "losses"}


def __getattr__(name: str) -> Any:
    """What is for use in a training; PyTorch is imported with it."""
    if name == "LightningRecorder":
        made = import_module("layerwise_torch.recording").make_lightning_recorder()
    elif name in _HOMES:
        made = getattr(import_module(f"layerwise_torch.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"module 'layerwise_torch' has no attribute '{name}'")
    globals()[name] = made
    return made


@hookimpl
def register_model_loaders() -> Sequence[ModelLoader]:
    """The loaders: of Python modules, files, torchvision, timm and HuggingFace's transformers."""
    from layerwise_torch.loaders import (
        TimmLoader,
        TorchFileLoader,
        TorchModuleLoader,
        TorchvisionLoader,
        TransformersLoader,
    )

    return [TorchModuleLoader(), TorchFileLoader(), TorchvisionLoader(), TimmLoader(), TransformersLoader()]


@hookimpl
def register_layer_selectors() -> Sequence[LayerSelector]:
    """`module:NAME`, what a module of the network returns."""
    from layerwise_torch.selectors import ModuleSelector

    return [ModuleSelector()]
