"""The names for authors of plugins and where they live: what type checkers read, and what is loaded on first use."""

from .cli.options.common import DEFAULT_DATABASE as DEFAULT_DATABASE
from .cli.options.common import DatabaseOption as DatabaseOption
from .core.base.errors import InputError as InputError
from .core.base.errors import LayerwiseError as LayerwiseError
from .core.base.errors import PluginError as PluginError
from .core.base.errors import StimulusError as StimulusError
from .core.base.parameters import Parameter as Parameter
from .core.base.parameters import Setting as Setting
from .core.base.provider import Provider as Provider
from .core.base.words import near_names as near_names
from .core.history.costs import Costs as Costs
from .core.history.costs import RunCosts as RunCosts
from .core.history.protocols import HistoryProtocol as HistoryProtocol
from .core.history.records import Accuracy as Accuracy
from .core.history.records import Attempt as Attempt
from .core.history.records import Comparison as Comparison
from .core.history.records import LayerAddress as LayerAddress
from .core.history.records import LayerStatistic as LayerStatistic
from .core.history.records import Ordering as Ordering
from .core.history.records import Prediction as Prediction
from .core.history.records import RunFilter as RunFilter
from .core.history.records import RunRecord as RunRecord
from .core.history.records import StatisticResult as StatisticResult
from .core.history.records import StimulusRecord as StimulusRecord
from .core.history.records import WeightResult as WeightResult
from .core.host.hookspecs import hookimpl as hookimpl
from .core.host.jobs import LayerSink as LayerSink
from .core.host.jobs import StreamedLayer as StreamedLayer
from .core.host.jobs import StreamJob as StreamJob
from .core.host.kinds import ActivationStatistic as ActivationStatistic
from .core.host.kinds import CommandGroup as CommandGroup
from .core.host.kinds import Comparator as Comparator
from .core.host.kinds import Engine as Engine
from .core.host.kinds import JointStatistic as JointStatistic
from .core.host.kinds import LayerSelector as LayerSelector
from .core.host.kinds import Matrix as Matrix
from .core.host.kinds import Metric as Metric
from .core.host.kinds import MetricComparator as MetricComparator
from .core.host.kinds import ModelLoader as ModelLoader
from .core.host.kinds import Offer as Offer
from .core.host.kinds import Reorderer as Reorderer
from .core.host.kinds import RepresentationStatistic as RepresentationStatistic
from .core.host.kinds import Statistic as Statistic
from .core.host.kinds import StatisticValue as StatisticValue
from .core.host.kinds import StimulusSource as StimulusSource
from .core.host.kinds import StreamedStatistic as StreamedStatistic
from .core.host.kinds import Transform as Transform
from .core.host.kinds import UnitTransform as UnitTransform
from .core.host.kinds import WeightStatistic as WeightStatistic
from .core.host.plans import Target as Target
from .core.host.registered import Registered as Registered
from .core.host.registry import Registry as Registry
from .core.network.arrays import Arrays as Arrays
from .core.network.graph import Graph as Graph
from .core.network.graph import Node as Node
from .core.network.inputs import InputSpec as InputSpec
from .core.network.layer_naming import derive_layers as derive_layers
from .core.network.layers import Layer as Layer
from .core.network.layers import Role as Role
from .core.network.model import Compiled as Compiled
from .core.network.model import CompiledReplaced as CompiledReplaced
from .core.network.model import Floats as Floats
from .core.network.model import LoadRequest as LoadRequest
from .core.network.model import Model as Model
from .core.network.model import ModelInfo as ModelInfo
from .core.network.model import WeightTensor as WeightTensor
from .core.network.partial import PartialSums as PartialSums
from .core.network.pixels import ArrayReader as ArrayReader
from .core.network.pixels import FileReader as FileReader
from .core.network.pixels import StimuliReader as StimuliReader
from .core.network.products import Products as Products
from .core.network.products import represent as represent
from .core.network.representation import Representation as Representation
from .core.network.resolution import Resolution as Resolution
from .core.network.stimuli import Decoded as Decoded
from .core.network.stimuli import DecodedArrays as DecodedArrays
from .core.network.stimuli import InputSet as InputSet
from .core.network.stimuli import LoadedStimuli as LoadedStimuli
from .core.network.stimuli import Resize as Resize
from .core.network.stimuli import Stimulus as Stimulus
from .core.network.stimuli import StimulusSet as StimulusSet
from .core.network.summary import LayerSummary as LayerSummary
from .notebook.opening import open_history as open_history
from .plugins.engines import LocalEngine as LocalEngine
from .plugins.loaders.caffe import read_caffemodel as read_caffemodel
from .plugins.loaders.class_names import find_classes as find_classes
from .plugins.loaders.description import ModelDescription as ModelDescription
from .plugins.loaders.description import describe_choice as describe_choice
from .plugins.loaders.description import describe_model as describe_model
from .plugins.loaders.fingerprint import fingerprint_model as fingerprint_model
from .plugins.loaders.importing import current_folder_first as current_folder_first
from .plugins.loaders.importing import find_object as find_object
from .plugins.loaders.importing import import_place as import_place
from .plugins.loaders.preprocessing import Affine as Affine
from .plugins.loaders.preprocessing import Preprocessing as Preprocessing
from .plugins.loaders.preprocessing import affine as affine
from .plugins.loaders.preprocessing import find_preprocessing as find_preprocessing
from .plugins.loaders.preprocessing import fit_channels as fit_channels
from .report.atlas import MatrixBrowser as MatrixBrowser
from .report.atlas import PairExplorer as PairExplorer
from .report.atlas import StimulusMap as StimulusMap
from .report.content import Alternatives as Alternatives
from .report.content import Bar as Bar
from .report.content import Card as Card
from .report.content import Chart as Chart
from .report.content import Choice as Choice
from .report.content import Content as Content
from .report.content import Fact as Fact
from .report.content import Facts as Facts
from .report.content import Figure as Figure
from .report.content import Finding as Finding
from .report.content import Gallery as Gallery
from .report.content import Listing as Listing
from .report.content import Preview as Preview
from .report.content import ReportContext as ReportContext
from .report.content import ReportSection as ReportSection
from .report.content import SideBySide as SideBySide
from .report.content import Table as Table
from .report.content import Verdict as Verdict
from .report.section import NamedFigure as NamedFigure
from .report.section import SectionBuilder as SectionBuilder
from .training.schedule import Every as Every

__all__ = [
    "DEFAULT_DATABASE",
    "Accuracy",
    "ActivationStatistic",
    "Affine",
    "Alternatives",
    "ArrayReader",
    "Arrays",
    "Attempt",
    "Bar",
    "Card",
    "Chart",
    "Choice",
    "CommandGroup",
    "Comparator",
    "Comparison",
    "Compiled",
    "CompiledReplaced",
    "Content",
    "Costs",
    "DatabaseOption",
    "Decoded",
    "DecodedArrays",
    "Engine",
    "Every",
    "Fact",
    "Facts",
    "Figure",
    "FileReader",
    "Floats",
    "Gallery",
    "Graph",
    "HistoryProtocol",
    "InputError",
    "InputSet",
    "InputSpec",
    "JointStatistic",
    "Layer",
    "LayerAddress",
    "LayerSelector",
    "LayerSink",
    "LayerStatistic",
    "LayerSummary",
    "LayerwiseError",
    "Listing",
    "LoadRequest",
    "LoadedStimuli",
    "LocalEngine",
    "Matrix",
    "MatrixBrowser",
    "Metric",
    "MetricComparator",
    "Model",
    "ModelDescription",
    "ModelInfo",
    "ModelLoader",
    "NamedFigure",
    "Node",
    "Offer",
    "Ordering",
    "PairExplorer",
    "Parameter",
    "PartialSums",
    "PluginError",
    "Prediction",
    "Preprocessing",
    "Products",
    "Provider",
    "Registered",
    "Registry",
    "Reorderer",
    "ReportContext",
    "ReportSection",
    "Representation",
    "RepresentationStatistic",
    "Resize",
    "Resolution",
    "Role",
    "RunCosts",
    "RunFilter",
    "RunRecord",
    "SectionBuilder",
    "Setting",
    "SideBySide",
    "Statistic",
    "StatisticResult",
    "StatisticValue",
    "StimuliReader",
    "Stimulus",
    "StimulusError",
    "StimulusMap",
    "StimulusRecord",
    "StimulusSet",
    "StimulusSource",
    "StreamJob",
    "StreamedLayer",
    "StreamedStatistic",
    "Table",
    "Target",
    "Transform",
    "UnitTransform",
    "Verdict",
    "WeightResult",
    "WeightStatistic",
    "WeightTensor",
    "affine",
    "current_folder_first",
    "derive_layers",
    "describe_choice",
    "describe_model",
    "find_classes",
    "find_object",
    "find_preprocessing",
    "fingerprint_model",
    "fit_channels",
    "hookimpl",
    "import_place",
    "near_names",
    "open_history",
    "read_caffemodel",
    "represent",
]
