"""What a notebook starts with and where it lives: what type checkers read, and what is loaded on first use."""

from . import keras as keras
from . import plugin as plugin
from .core.analysis.checking.check_run import CheckPlan as CheckPlan
from .core.analysis.checking.check_run import LayerCheck as LayerCheck
from .core.base.errors import InputError as InputError
from .core.base.errors import LayerwiseError as LayerwiseError
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
from .training.recorder import RecordingWarning as RecordingWarning
from .training.training_recorder import TrainingRecorder as TrainingRecorder

__version__: str
__all__ = [
    "Calibration",
    "CheckPlan",
    "CheckResult",
    "History",
    "InputError",
    "LabelledMatrix",
    "LayerCheck",
    "LayerwiseError",
    "MeasureWarning",
    "ProfileCurves",
    "RecordingWarning",
    "Run",
    "RunList",
    "RunWarning",
    "StimulusOrder",
    "TrainingRecorder",
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
    "distance_correlation",
    "eigenspace_overlap",
    "gulp",
    "imd",
    "jaccard",
    "linear_predictivity",
    "list_baseline_layers",
    "magnitude_difference",
    "mutual_knn",
    "open_history",
    "procrustes",
    "pwcca",
    "pwcca_symmetric",
    "rank_similarity",
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
