"""PyTorch models for Layerwise: any `nn.Module`, TorchScript and `torch.export` files, torchvision and timm.

A plugin like any other: it registers loaders and a selector through Layerwise's hooks and imports nothing but
Layerwise's public names. PyTorch is imported when a model is loaded, not before.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from layerwise import LayerSelector, ModelLoader, hookimpl

if TYPE_CHECKING:
    from layerwise_torch.losses import DeCov, SmoothDecorrelation, WatchedLayers

__all__ = ["DeCov", "SmoothDecorrelation", "WatchedLayers"]
_HOMES = {"DeCov": "losses", "SmoothDecorrelation": "losses", "WatchedLayers": "losses"}


def __getattr__(name: str) -> Any:
    """What is for use in a training; PyTorch is imported with it."""
    if name not in _HOMES:
        raise AttributeError(f"module 'layerwise_torch' has no attribute '{name}'")
    return getattr(import_module(f"layerwise_torch.{_HOMES[name]}"), name)


@hookimpl
def register_model_loaders() -> Sequence[ModelLoader]:
    """The loaders: of Python modules, files, torchvision and timm."""
    from layerwise_torch.loaders import TimmLoader, TorchFileLoader, TorchModuleLoader, TorchvisionLoader

    return [TorchModuleLoader(), TorchFileLoader(), TorchvisionLoader(), TimmLoader()]


@hookimpl
def register_layer_selectors() -> Sequence[LayerSelector]:
    """`module:NAME`, what a module of the network returns."""
    from layerwise_torch.selectors import ModuleSelector

    return [ModuleSelector()]
