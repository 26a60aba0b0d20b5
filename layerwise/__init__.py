"""Layerwise: how a neural network turns the similarity of its inputs into the similarity of its outputs.

What the author of a plugin needs is imported from here, and from `layerwise.testing`: these names are the public
surface, kept as docs/plugins/api.md says. They are loaded on first use, so that `import layerwise` takes no time;
`__init__.pyi`, which `make surface` writes, tells type checkers and editors what they are.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_WHERE = {
    "DEFAULT_DATABASE": "layerwise.cli.options",
    "DatabaseOption": "layerwise.cli.options:Database",
    "MatrixBrowser": "layerwise.core.atlas",
    "PairExplorer": "layerwise.core.atlas",
    "StimulusMap": "layerwise.core.atlas",
    "NamedFigure": "layerwise.core.figures",
    "derive_layers": "layerwise.core.derive",
    "InputError": "layerwise.core.errors",
    "LayerwiseError": "layerwise.core.errors",
    "PluginError": "layerwise.core.errors",
    "StimulusError": "layerwise.core.errors",
    "Graph": "layerwise.core.graph",
    "Node": "layerwise.core.graph",
    "hookimpl": "layerwise.core.hookspecs",
    "ActivationStatistic": "layerwise.core.kinds",
    "CommandGroup": "layerwise.core.kinds",
    "Comparator": "layerwise.core.kinds",
    "Engine": "layerwise.core.kinds",
    "JointStatistic": "layerwise.core.kinds",
    "LayerSelector": "layerwise.core.kinds",
    "Matrix": "layerwise.core.kinds",
    "Metric": "layerwise.core.kinds",
    "MetricComparator": "layerwise.core.kinds",
    "ModelLoader": "layerwise.core.kinds",
    "Offer": "layerwise.core.kinds",
    "Reorderer": "layerwise.core.kinds",
    "RepresentationStatistic": "layerwise.core.kinds",
    "SectionBuilder": "layerwise.core.kinds",
    "Statistic": "layerwise.core.kinds",
    "StatisticValue": "layerwise.core.kinds",
    "StimulusSource": "layerwise.core.kinds",
    "StreamedStatistic": "layerwise.core.kinds",
    "Transform": "layerwise.core.kinds",
    "UnitTransform": "layerwise.core.kinds",
    "WeightStatistic": "layerwise.core.kinds",
    "Layer": "layerwise.core.layers",
    "Role": "layerwise.core.layers",
    "near_names": "layerwise.core.layers",
    "Compiled": "layerwise.core.model",
    "Floats": "layerwise.core.model",
    "LoadRequest": "layerwise.core.model",
    "Model": "layerwise.core.model",
    "ModelInfo": "layerwise.core.model",
    "WeightTensor": "layerwise.core.model",
    "Parameter": "layerwise.core.parameters",
    "Setting": "layerwise.core.parameters",
    "History": "layerwise.core.protocols",
    "Accuracy": "layerwise.core.records",
    "Comparison": "layerwise.core.records",
    "LayerAddress": "layerwise.core.records",
    "LayerStatistic": "layerwise.core.records",
    "Ordering": "layerwise.core.records",
    "Prediction": "layerwise.core.records",
    "Provider": "layerwise.core.records",
    "RunFilter": "layerwise.core.records",
    "RunRecord": "layerwise.core.records",
    "StatisticResult": "layerwise.core.records",
    "StimulusRecord": "layerwise.core.records",
    "WeightResult": "layerwise.core.records",
    "Registered": "layerwise.core.registered",
    "Registry": "layerwise.core.registry",
    "Alternatives": "layerwise.core.report",
    "Bar": "layerwise.core.report",
    "Card": "layerwise.core.report",
    "Chart": "layerwise.core.report",
    "Choice": "layerwise.core.report",
    "Content": "layerwise.core.report",
    "Fact": "layerwise.core.report",
    "Facts": "layerwise.core.report",
    "Figure": "layerwise.core.report",
    "Gallery": "layerwise.core.report",
    "Listing": "layerwise.core.report",
    "ReportContext": "layerwise.core.report",
    "ReportSection": "layerwise.core.report",
    "SideBySide": "layerwise.core.report",
    "Table": "layerwise.core.report",
    "Verdict": "layerwise.core.report",
    "Products": "layerwise.core.representation",
    "Representation": "layerwise.core.representation",
    "represent": "layerwise.core.representation",
    "Decoded": "layerwise.core.stimuli",
    "LoadedStimuli": "layerwise.core.stimuli",
    "Resize": "layerwise.core.stimuli",
    "Stimulus": "layerwise.core.stimuli",
    "StimulusSet": "layerwise.core.stimuli",
    "LayerSink": "layerwise.core.streaming.job",
    "StreamJob": "layerwise.core.streaming.job",
    "StreamedLayer": "layerwise.core.streaming.job",
    "Target": "layerwise.core.streaming.job",
    "LayerSummary": "layerwise.core.summary",
    "open_history": "layerwise.opening",
    "LocalEngine": "layerwise.plugins.engines",
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
    module, _, attribute = _WHERE[name].partition(":")
    return getattr(importlib.import_module(module), attribute or name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
