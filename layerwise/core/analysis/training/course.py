"""What is stored of each checkpoint, over time: statistics of layers and of weights, loss, metrics and accuracy."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.training.checkpoints import Training
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import RunRecord
from layerwise.core.network.layers import Layer
from layerwise.core.network.representation import NO_TRANSFORM

Values = NDArray[np.float64]
ACCURACY = ("top-1", "top-5")


@dataclass(frozen=True)
class Reading:
    """What is stored of one checkpoint.

    Attributes:
        values: Loss and metrics as they were recorded, and the accuracy on the stimuli, by name.
        statistics: By statistic, then layer; NaN where undefined.
        weights: By statistic, then tensor; likewise.
    """

    values: Mapping[str, float]
    statistics: Mapping[str, Mapping[str, float]]
    weights: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Course:
    """What is stored of a training, checkpoint by checkpoint.

    Attributes:
        steps: The step of each checkpoint.
        layers: The layers, in order of depth.
        readings: What is stored of each checkpoint.
    """

    steps: tuple[int, ...]
    layers: tuple[Layer, ...]
    readings: tuple[Reading, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The layers' names."""
        return tuple(layer.name for layer in self.layers)

    @property
    def statistics(self) -> tuple[str, ...]:
        """The statistics of layers that any checkpoint has."""
        return _names(reading.statistics for reading in self.readings)

    @property
    def weight_statistics(self) -> tuple[str, ...]:
        """The statistics of weights that any checkpoint has."""
        return _names(reading.weights for reading in self.readings)

    @property
    def tensors(self) -> tuple[str, ...]:
        """The weight tensors that any checkpoint has statistics of."""
        return _names(found for reading in self.readings for found in reading.weights.values())

    @property
    def value_names(self) -> tuple[str, ...]:
        """Loss, metrics and accuracy, as far as any checkpoint has them."""
        return _names(reading.values for reading in self.readings)

    def statistic(self, name: str) -> Values:
        """A statistic of the layers, (n_checkpoints, n_layers); NaN where undefined or not measured."""
        return _table([reading.statistics.get(name, {}) for reading in self.readings], self.names)

    def weight_statistic(self, name: str) -> Values:
        """A statistic of the weights, (n_checkpoints, n_tensors); NaN where undefined or not measured."""
        return _table([reading.weights.get(name, {}) for reading in self.readings], self.tensors)

    def value(self, name: str) -> Values:
        """A loss, a metric or an accuracy, (n_checkpoints,); NaN where it was not recorded."""
        return _table([reading.values for reading in self.readings], (name,))[:, 0]


def read_course(
    history: HistoryProtocol, training: Training, layers: Sequence[Layer], transform: str = NO_TRANSFORM
) -> Course:
    """What is stored of each checkpoint of a training.

    Args:
        history: Where it is stored.
        training: The checkpoints.
        layers: Layers of the last checkpoint, in order of depth.
        transform: Under which activation transform they were analysed.
    """
    readings = tuple(read_checkpoint(history, run, transform) for run in training.runs)
    return Course(training.steps, tuple(layers), readings)


def read_checkpoint(history: HistoryProtocol, run: RunRecord, transform: str = NO_TRANSFORM) -> Reading:
    """What is stored of one checkpoint."""
    statistics: dict[str, dict[str, float]] = {}
    for item in history.read_statistics(run.id):
        if item.transform == transform:
            statistics.setdefault(item.result.name, {})[item.layer] = _number(item.result.value)
    weights: dict[str, dict[str, float]] = {}
    for tensor in history.read_weights(run.id):
        for result in tensor.statistics:
            if result.vector is None or result.value is not None:
                weights.setdefault(result.name, {})[tensor.name] = _number(result.value)
    return Reading(read_values(run), statistics, weights)


def read_values(run: RunRecord) -> dict[str, float]:
    """Loss and metrics of a checkpoint, which are its tags that are numbers, and the accuracy on its stimuli."""
    values = {}
    for name, text in run.tags.items():
        try:
            values[name] = float(text)
        except ValueError:
            continue  # a tag in words
    if run.accuracy is not None:
        values |= dict(zip(ACCURACY, (run.accuracy.top1, run.accuracy.top5), strict=True))
    return values


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _names(found: Iterable[Mapping[str, object]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for names in found for name in names))


def _table(rows: Sequence[Mapping[str, float]], names: Sequence[str]) -> Values:
    values = [[row.get(name, math.nan) for name in names] for row in rows]
    return np.array(values, dtype=np.float64).reshape(len(rows), len(names))
