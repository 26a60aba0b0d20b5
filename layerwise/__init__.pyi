from layerwise import charts as charts
from layerwise.cli.options import DEFAULT_DATABASE as DEFAULT_DATABASE
from layerwise.cli.options import Database as DatabaseOption
from layerwise.core.atlas import MatrixBrowser as MatrixBrowser
from layerwise.core.atlas import PairExplorer as PairExplorer
from layerwise.core.atlas import StimulusMap as StimulusMap
from layerwise.core.derive import derive_layers as derive_layers
from layerwise.core.errors import InputError as InputError
from layerwise.core.errors import LayerwiseError as LayerwiseError
from layerwise.core.errors import PluginError as PluginError
from layerwise.core.errors import StimulusError as StimulusError
from layerwise.core.figures import NamedFigure as NamedFigure
from layerwise.core.graph import Graph as Graph
from layerwise.core.graph import Node as Node
from layerwise.core.hookspecs import hookimpl as hookimpl
from layerwise.core.kinds import ActivationStatistic as ActivationStatistic
from layerwise.core.kinds import CommandGroup as CommandGroup
from layerwise.core.kinds import Comparator as Comparator
from layerwise.core.kinds import Engine as Engine
from layerwise.core.kinds import JointStatistic as JointStatistic
from layerwise.core.kinds import LayerSelector as LayerSelector
from layerwise.core.kinds import Matrix as Matrix
from layerwise.core.kinds import Metric as Metric
from layerwise.core.kinds import MetricComparator as MetricComparator
from layerwise.core.kinds import ModelLoader as ModelLoader
from layerwise.core.kinds import Offer as Offer
from layerwise.core.kinds import Reorderer as Reorderer
from layerwise.core.kinds import RepresentationStatistic as RepresentationStatistic
from layerwise.core.kinds import SectionBuilder as SectionBuilder
from layerwise.core.kinds import Statistic as Statistic
from layerwise.core.kinds import StatisticValue as StatisticValue
from layerwise.core.kinds import StimulusSource as StimulusSource
from layerwise.core.kinds import StreamedStatistic as StreamedStatistic
from layerwise.core.kinds import Transform as Transform
from layerwise.core.kinds import UnitTransform as UnitTransform
from layerwise.core.kinds import WeightStatistic as WeightStatistic
from layerwise.core.layers import Layer as Layer
from layerwise.core.layers import Role as Role
from layerwise.core.layers import near_names as near_names
from layerwise.core.model import Compiled as Compiled
from layerwise.core.model import Floats as Floats
from layerwise.core.model import LoadRequest as LoadRequest
from layerwise.core.model import Model as Model
from layerwise.core.model import ModelInfo as ModelInfo
from layerwise.core.model import WeightTensor as WeightTensor
from layerwise.core.parameters import Parameter as Parameter
from layerwise.core.parameters import Setting as Setting
from layerwise.core.protocols import History as History
from layerwise.core.records import Accuracy as Accuracy
from layerwise.core.records import Comparison as Comparison
from layerwise.core.records import LayerAddress as LayerAddress
from layerwise.core.records import LayerStatistic as LayerStatistic
from layerwise.core.records import Ordering as Ordering
from layerwise.core.records import Prediction as Prediction
from layerwise.core.records import Provider as Provider
from layerwise.core.records import RunFilter as RunFilter
from layerwise.core.records import RunRecord as RunRecord
from layerwise.core.records import StatisticResult as StatisticResult
from layerwise.core.records import StimulusRecord as StimulusRecord
from layerwise.core.records import WeightResult as WeightResult
from layerwise.core.registered import Registered as Registered
from layerwise.core.registry import Registry as Registry
from layerwise.core.report import Alternatives as Alternatives
from layerwise.core.report import Bar as Bar
from layerwise.core.report import Card as Card
from layerwise.core.report import Chart as Chart
from layerwise.core.report import Choice as Choice
from layerwise.core.report import Content as Content
from layerwise.core.report import Fact as Fact
from layerwise.core.report import Facts as Facts
from layerwise.core.report import Figure as Figure
from layerwise.core.report import Gallery as Gallery
from layerwise.core.report import Listing as Listing
from layerwise.core.report import ReportContext as ReportContext
from layerwise.core.report import ReportSection as ReportSection
from layerwise.core.report import SideBySide as SideBySide
from layerwise.core.report import Table as Table
from layerwise.core.report import Verdict as Verdict
from layerwise.core.representation import Products as Products
from layerwise.core.representation import Representation as Representation
from layerwise.core.representation import represent as represent
from layerwise.core.stimuli import Decoded as Decoded
from layerwise.core.stimuli import LoadedStimuli as LoadedStimuli
from layerwise.core.stimuli import Resize as Resize
from layerwise.core.stimuli import Stimulus as Stimulus
from layerwise.core.stimuli import StimulusSet as StimulusSet
from layerwise.core.streaming.job import LayerSink as LayerSink
from layerwise.core.streaming.job import StreamedLayer as StreamedLayer
from layerwise.core.streaming.job import StreamJob as StreamJob
from layerwise.core.streaming.job import Target as Target
from layerwise.core.summary import LayerSummary as LayerSummary
from layerwise.opening import open_history as open_history
from layerwise.plugins.engines import LocalEngine as LocalEngine
from layerwise.plugins.loaders.caffe import read_caffemodel as read_caffemodel
from layerwise.plugins.loaders.class_names import find_classes as find_classes
from layerwise.plugins.loaders.fingerprint import fingerprint_model as fingerprint_model
from layerwise.plugins.loaders.preprocessing import Preprocessing as Preprocessing
from layerwise.plugins.loaders.preprocessing import affine as affine
from layerwise.plugins.loaders.preprocessing import find_preprocessing as find_preprocessing
from layerwise.plugins.loaders.preprocessing import fit_channels as fit_channels

__version__: str
__all__ = [
    "DEFAULT_DATABASE",
    "Accuracy",
    "ActivationStatistic",
    "Alternatives",
    "Bar",
    "Card",
    "Chart",
    "Choice",
    "CommandGroup",
    "Comparator",
    "Comparison",
    "Compiled",
    "Content",
    "DatabaseOption",
    "Decoded",
    "Engine",
    "Fact",
    "Facts",
    "Figure",
    "Floats",
    "Gallery",
    "Graph",
    "History",
    "InputError",
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
    "ModelInfo",
    "ModelLoader",
    "NamedFigure",
    "Node",
    "Offer",
    "Ordering",
    "PairExplorer",
    "Parameter",
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
    "Role",
    "RunFilter",
    "RunRecord",
    "SectionBuilder",
    "Setting",
    "SideBySide",
    "Statistic",
    "StatisticResult",
    "StatisticValue",
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
    "charts",
    "derive_layers",
    "find_classes",
    "find_preprocessing",
    "fingerprint_model",
    "fit_channels",
    "hookimpl",
    "near_names",
    "open_history",
    "read_caffemodel",
    "represent",
]
