"""The public names of Layerwise and where they live: what type checkers read, and what is loaded on first use."""

from . import keras as keras
from .cli.options.common import DEFAULT_DATABASE as DEFAULT_DATABASE
from .cli.options.common import DatabaseOption as DatabaseOption
from .core.analysis.checking.check_run import CheckPlan as CheckPlan
from .core.analysis.checking.check_run import LayerCheck as LayerCheck
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
from .notebook import charts as charts
from .notebook.analyze import analyze as analyze
from .notebook.calibrating import Calibration as Calibration
from .notebook.calibrating import calibrate as calibrate
from .notebook.checking import CheckResult as CheckResult
from .notebook.checking import check as check
from .notebook.checking import list_baseline_layers as list_baseline_layers
from .notebook.checking import save_baseline as save_baseline
from .notebook.history import History as History
from .notebook.history import RunList as RunList
from .notebook.labelled import LabelledMatrix as LabelledMatrix
from .notebook.labelled import ProfileCurves as ProfileCurves
from .notebook.labelled import StimulusOrder as StimulusOrder
from .notebook.measures import MeasureWarning as MeasureWarning
from .notebook.measures import angular_procrustes as angular_procrustes
from .notebook.measures import bures as bures
from .notebook.measures import cca_mean as cca_mean
from .notebook.measures import cka as cka
from .notebook.measures import cka_debiased as cka_debiased
from .notebook.measures import cka_rbf as cka_rbf
from .notebook.measures import cknna as cknna
from .notebook.measures import compare as compare
from .notebook.measures import concentricity_difference as concentricity_difference
from .notebook.measures import cycle_knn as cycle_knn
from .notebook.measures import distance_correlation as distance_correlation
from .notebook.measures import eigenspace_overlap as eigenspace_overlap
from .notebook.measures import gulp as gulp
from .notebook.measures import imd as imd
from .notebook.measures import jaccard as jaccard
from .notebook.measures import linear_predictivity as linear_predictivity
from .notebook.measures import magnitude_difference as magnitude_difference
from .notebook.measures import mutual_knn as mutual_knn
from .notebook.measures import procrustes as procrustes
from .notebook.measures import pwcca as pwcca
from .notebook.measures import pwcca_symmetric as pwcca_symmetric
from .notebook.measures import rank_similarity as rank_similarity
from .notebook.measures import rsa_cosine as rsa_cosine
from .notebook.measures import rsa_kendall as rsa_kendall
from .notebook.measures import rsa_pearson as rsa_pearson
from .notebook.measures import rsa_rho_a as rsa_rho_a
from .notebook.measures import rsa_spearman as rsa_spearman
from .notebook.measures import rsm_norm_difference as rsm_norm_difference
from .notebook.measures import rv2 as rv2
from .notebook.measures import second_order_cosine as second_order_cosine
from .notebook.measures import svcca as svcca
from .notebook.measures import uniformity_difference as uniformity_difference
from .notebook.opening import open_history as open_history
from .notebook.run import Run as Run
from .notebook.watching import RunWarning as RunWarning
from .plugins.engines import LocalEngine as LocalEngine
from .plugins.loaders.caffe import read_caffemodel as read_caffemodel
from .plugins.loaders.class_names import find_classes as find_classes
from .plugins.loaders.description import ModelDescription as ModelDescription
from .plugins.loaders.description import describe_model as describe_model
from .plugins.loaders.fingerprint import fingerprint_model as fingerprint_model
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
from .report.content import Gallery as Gallery
from .report.content import Listing as Listing
from .report.content import ReportContext as ReportContext
from .report.content import ReportSection as ReportSection
from .report.content import SideBySide as SideBySide
from .report.content import Table as Table
from .report.content import Verdict as Verdict
from .report.section import NamedFigure as NamedFigure
from .report.section import SectionBuilder as SectionBuilder
from .training.recorder import RecordingWarning as RecordingWarning
from .training.schedule import Every as Every
from .training.training_recorder import TrainingRecorder as TrainingRecorder

__version__: str
__all__ = [
    "DEFAULT_DATABASE",
    "Accuracy",
    "ActivationStatistic",
    "Affine",
    "Alternatives",
    "ArrayReader",
    "Attempt",
    "Bar",
    "Calibration",
    "Card",
    "Chart",
    "CheckPlan",
    "CheckResult",
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
    "History",
    "HistoryProtocol",
    "InputError",
    "InputSet",
    "InputSpec",
    "JointStatistic",
    "LabelledMatrix",
    "Layer",
    "LayerAddress",
    "LayerCheck",
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
    "MeasureWarning",
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
    "PluginError",
    "Prediction",
    "Preprocessing",
    "Products",
    "ProfileCurves",
    "Provider",
    "RecordingWarning",
    "Registered",
    "Registry",
    "Reorderer",
    "ReportContext",
    "ReportSection",
    "Representation",
    "RepresentationStatistic",
    "Resize",
    "Role",
    "Run",
    "RunCosts",
    "RunFilter",
    "RunList",
    "RunRecord",
    "RunWarning",
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
    "StimulusOrder",
    "StimulusRecord",
    "StimulusSet",
    "StimulusSource",
    "StreamJob",
    "StreamedLayer",
    "StreamedStatistic",
    "Table",
    "Target",
    "TrainingRecorder",
    "Transform",
    "UnitTransform",
    "Verdict",
    "WeightResult",
    "WeightStatistic",
    "WeightTensor",
    "affine",
    "analyze",
    "angular_procrustes",
    "bures",
    "calibrate",
    "cca_mean",
    "charts",
    "check",
    "cka",
    "cka_debiased",
    "cka_rbf",
    "cknna",
    "compare",
    "concentricity_difference",
    "cycle_knn",
    "derive_layers",
    "describe_model",
    "distance_correlation",
    "eigenspace_overlap",
    "find_classes",
    "find_preprocessing",
    "fingerprint_model",
    "fit_channels",
    "gulp",
    "hookimpl",
    "imd",
    "jaccard",
    "linear_predictivity",
    "list_baseline_layers",
    "magnitude_difference",
    "mutual_knn",
    "near_names",
    "open_history",
    "procrustes",
    "pwcca",
    "pwcca_symmetric",
    "rank_similarity",
    "read_caffemodel",
    "represent",
    "rsa_cosine",
    "rsa_kendall",
    "rsa_pearson",
    "rsa_rho_a",
    "rsa_spearman",
    "rsm_norm_difference",
    "rv2",
    "save_baseline",
    "second_order_cosine",
    "svcca",
    "uniformity_difference",
]
