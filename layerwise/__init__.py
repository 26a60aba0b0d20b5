"""Layerwise: how a neural network turns the similarity of its inputs into the similarity of its outputs.

What a plugin author needs is imported from here. Names are loaded on first use, so that `import layerwise`
takes no time.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_WHERE = {
    "InputError": "layerwise.core.errors",
    "LayerwiseError": "layerwise.core.errors",
    "PluginError": "layerwise.core.errors",
    "StimulusError": "layerwise.core.errors",
    "derive_layers": "layerwise.core.derive",
    "Graph": "layerwise.core.graph",
    "Node": "layerwise.core.graph",
    "hookimpl": "layerwise.core.hookspecs",
    "ActivationStatistic": "layerwise.core.kinds",
    "CommandGroup": "layerwise.core.kinds",
    "Comparator": "layerwise.core.kinds",
    "Engine": "layerwise.core.kinds",
    "LayerSelector": "layerwise.core.kinds",
    "Metric": "layerwise.core.kinds",
    "MetricComparator": "layerwise.core.kinds",
    "ModelLoader": "layerwise.core.kinds",
    "Reorderer": "layerwise.core.kinds",
    "RepresentationStatistic": "layerwise.core.kinds",
    "SectionBuilder": "layerwise.core.kinds",
    "StatisticValue": "layerwise.core.kinds",
    "StimulusSource": "layerwise.core.kinds",
    "JointStatistic": "layerwise.core.kinds",
    "StreamedStatistic": "layerwise.core.kinds",
    "Transform": "layerwise.core.kinds",
    "WeightStatistic": "layerwise.core.kinds",
    "Layer": "layerwise.core.layers",
    "near_names": "layerwise.core.layers",
    "LoadRequest": "layerwise.core.model",
    "Model": "layerwise.core.model",
    "ModelInfo": "layerwise.core.model",
    "WeightTensor": "layerwise.core.model",
    "Parameter": "layerwise.core.parameters",
    "Bar": "layerwise.core.report",
    "Card": "layerwise.core.report",
    "Chart": "layerwise.core.report",
    "Fact": "layerwise.core.report",
    "Facts": "layerwise.core.report",
    "Figure": "layerwise.core.report",
    "Gallery": "layerwise.core.report",
    "Listing": "layerwise.core.report",
    "ReportContext": "layerwise.core.report",
    "ReportSection": "layerwise.core.report",
    "Table": "layerwise.core.report",
    "Representation": "layerwise.core.representation",
    "represent": "layerwise.core.representation",
    "Decoded": "layerwise.core.stimuli",
    "Stimulus": "layerwise.core.stimuli",
    "StimulusSet": "layerwise.core.stimuli",
    "LayerSummary": "layerwise.core.summary",
    "open_history": "layerwise.opening",
    "read_caffemodel": "layerwise.plugins.loaders.caffe",
    "find_classes": "layerwise.plugins.loaders.class_names",
    "fingerprint_model": "layerwise.plugins.loaders.fingerprint",
    "Preprocessing": "layerwise.plugins.loaders.preprocessing",
    "affine": "layerwise.plugins.loaders.preprocessing",
    "find_preprocessing": "layerwise.plugins.loaders.preprocessing",
    "fit_channels": "layerwise.plugins.loaders.preprocessing",
}
_MODULES = ("charts",)
__all__ = sorted([*_WHERE, *_MODULES])  # noqa: PLE0605 - a list of names, computed


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"layerwise.{name}")
    if name not in _WHERE:
        raise AttributeError(f"module 'layerwise' has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
