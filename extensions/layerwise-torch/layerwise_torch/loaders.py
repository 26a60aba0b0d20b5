"""The loaders: of Python modules (`torch:`), files, torchvision and timm.

They are cheap to ask, since PyTorch is imported when one of them loads something.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from layerwise.plugin import InputError, LoadRequest, Model, ModelLoader

from layerwise_torch.settings import split_model

_SUFFIXES = (".pt", ".pts", ".pt2", ".pth", ".torchscript")


class TorchModuleLoader(ModelLoader):
    """Loads any `torch.nn.Module` by its import path, from installed packages and the current folder.

    Weights are a state dictionary (`.pt`, `.pth`, `.safetensors`) or none: then the network has those that its
    own code gives it, under the seed. Pixels get ImageNet's mean and deviation, photos are squashed, unless the
    network or the MODEL says otherwise.
    """

    name: ClassVar[str] = "torch"
    description: ClassVar[str] = "any torch.nn.Module by import path: torch:package.module:factory"
    understands: ClassVar[frozenset[str]] = frozenset({"output"})

    def accepts(self, model: str) -> bool:
        """Whether it begins with `torch:`."""
        return model.startswith("torch:")

    def load(self, request: LoadRequest) -> Model:
        """Import, make, fill with weights, trace.

        Raises:
            InputError: If any of that fails; says what and where.
        """
        from layerwise_torch.networks import load_module

        return load_module(request)

    def adopt(self, model: object, request: LoadRequest) -> Model | None:
        """A live `torch.nn.Module`: a copy of it is analysed, so that its training is left alone.

        The size of its input and what is done to pixels are said in the network's attribute `layerwise`.

        Raises:
            InputError: If it does not take images of that size, or cannot be analysed.
        """
        torch = sys.modules.get("torch")
        if torch is None or not isinstance(model, torch.nn.Module):
            return None
        from layerwise_torch.networks import adopt_network

        return adopt_network(model, request)


class TransformersLoader(ModelLoader):
    """Loads `transformers:FOLDER`, a folder as the `transformers` library saves it, where that is installed.

    Texts go in where the folder holds a tokenizer, tokens otherwise; a network for pictures gets pictures. Nothing is
    downloaded, and no code that lies in the folder is run.
    """

    name: ClassVar[str] = "transformers"
    description: ClassVar[str] = "transformers:FOLDER, a network (and tokenizer) saved by HuggingFace's transformers"
    understands: ClassVar[frozenset[str]] = frozenset({"output"})

    def accepts(self, model: str) -> bool:
        """Whether it begins with `transformers:`."""
        return model.startswith("transformers:")

    def load(self, request: LoadRequest) -> Model:
        """Make the network from its configuration, fill in its weights, trace.

        Raises:
            InputError: If transformers is not installed, or the folder does not hold a network that it can make.
        """
        from layerwise_torch.huggingface import load_transformers

        return load_transformers(request)


class TorchFileLoader(ModelLoader):
    """Loads TorchScript files and `torch.export` files; neither is unpickled.

    Pixels get ImageNet's mean and deviation, photos are squashed, unless the MODEL says otherwise.
    """

    name: ClassVar[str] = "torch-file"
    description: ClassVar[str] = "a TorchScript file (.pt, .pts) or a torch.export file (.pt2)"
    understands: ClassVar[frozenset[str]] = frozenset({"output"})

    def accepts(self, model: str) -> bool:
        """Whether it is called as such files are, there or not."""
        try:
            return Path(split_model(model)[0]).suffix.lower() in _SUFFIXES
        except InputError:
            return Path(model.partition("@")[0]).suffix.lower() in _SUFFIXES

    def load(self, request: LoadRequest) -> Model:
        """Load the program and take it apart.

        Raises:
            InputError: If the file is missing, damaged, no program, or could run code and is not trusted.
        """
        from layerwise_torch.networks import load_file

        return load_file(request)


class TorchvisionLoader(ModelLoader):
    """Loads `torchvision:resnet50` and the other classifiers of torchvision, where that is installed.

    Weights are a word (`imagenet`, `DEFAULT`, `IMAGENET1K_V2`), which torchvision downloads, a file, or none: then
    the network is untrained. What is done to pixels and the size are those of the (default) weights.
    """

    name: ClassVar[str] = "torchvision"
    description: ClassVar[str] = "torchvision:NAME, untrained or with --weights imagenet or a file"
    understands: ClassVar[frozenset[str]] = frozenset({"output"})

    def known_models(self) -> Sequence[str]:
        """The classifiers that the installed torchvision has, read without importing it."""
        from layerwise_torch.zoo_names import list_torchvision

        return [f"torchvision:{name}" for name in list_torchvision()]

    def accepts(self, model: str) -> bool:
        """Whether it begins with `torchvision:`."""
        return model.startswith("torchvision:")

    def load(self, request: LoadRequest) -> Model:
        """Build the network and fill in its weights.

        Raises:
            InputError: If torchvision is not installed, or has no such network or weights.
            LayerwiseError: If published weights cannot be downloaded.
        """
        from layerwise_torch.zoo import load_torchvision

        return load_torchvision(request)


class TimmLoader(ModelLoader):
    """Loads `timm:NAME`, any network of timm, where that is installed.

    Weights are `imagenet` or `pretrained`, which timm downloads, a file, or none: then the network is untrained.
    What is done to pixels and the size follow timm's data configuration.
    """

    name: ClassVar[str] = "timm"
    description: ClassVar[str] = "timm:NAME, untrained or with --weights imagenet or a file"
    understands: ClassVar[frozenset[str]] = frozenset({"output"})

    def accepts(self, model: str) -> bool:
        """Whether it begins with `timm:`."""
        return model.startswith("timm:")

    def load(self, request: LoadRequest) -> Model:
        """Build the network and fill in its weights.

        Raises:
            InputError: If timm is not installed, or has no such network.
            LayerwiseError: If published weights cannot be downloaded.
        """
        from layerwise_torch.zoo import load_timm

        return load_timm(request)
