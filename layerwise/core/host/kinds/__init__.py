"""The kinds of thing a plugin can offer, as base classes: what each is asked for and what it must give.

A plugin subclasses one of these, and returns instances from the matching `register_*` hook. `name` is what
people type, `description` one line for `layerwise plugins`.
"""

from layerwise.core.host.kinds.commands import CommandGroup
from layerwise.core.host.kinds.engines import Engine
from layerwise.core.host.kinds.inputs import LayerSelector, ModelLoader, StimulusSource, Transform, UnitTransform
from layerwise.core.host.kinds.measures import Comparator, Matrix, Metric, MetricComparator, Reorderer
from layerwise.core.host.kinds.offer import Offer
from layerwise.core.host.kinds.panelled import PairSums, PanelComparator
from layerwise.core.host.kinds.statistics import (
    ActivationStatistic,
    JointStatistic,
    RepresentationStatistic,
    Statistic,
    StatisticValue,
    StreamedStatistic,
    WeightStatistic,
)

__all__ = [
    "ActivationStatistic",
    "CommandGroup",
    "Comparator",
    "Engine",
    "JointStatistic",
    "LayerSelector",
    "Matrix",
    "Metric",
    "MetricComparator",
    "ModelLoader",
    "Offer",
    "PairSums",
    "PanelComparator",
    "Reorderer",
    "RepresentationStatistic",
    "Statistic",
    "StatisticValue",
    "StimulusSource",
    "StreamedStatistic",
    "Transform",
    "UnitTransform",
    "WeightStatistic",
]
