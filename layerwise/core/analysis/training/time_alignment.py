"""Two trainings aligned in time: which moment of the one is like which moment of the other.

Checkpoints are compared by what their layers make of the same stimuli: the similarity of two checkpoints is the mean
over the layers of that name in both. The best monotone path through the checkpoint x checkpoint matrix (dynamic time
warping, `alignment.find_best_path`) says when the one training is where the other one is, and its cost how far apart
they stay all the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.alignment import Alignment, align_layers, measure_path
from layerwise.core.analysis.compare import compare_layers
from layerwise.core.analysis.profile_run import largest_value
from layerwise.core.analysis.training.checkpoints import Training, TrainingQuestion
from layerwise.core.base.errors import InputError

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TimeAlignment:
    """The alignment of two trainings.

    Attributes:
        first: The training of the rows.
        second: That of the columns.
        measure: Name of the comparator.
        layers: The layers that are in both, over which similarities are averaged.
        matrix: (n_checkpoints, m_checkpoints); mean of the measure over the layers, NaN where none is defined.
        alignment: The best path through it, and that of equal relative time.
        cost: Mean distance along the best path, from 0: the largest similarity minus the similarity, or the distance.
        even_cost: The same along the path of equal relative time.
    """

    first: Training
    second: Training
    measure: str
    layers: tuple[str, ...]
    matrix: Values
    alignment: Alignment
    cost: float
    even_cost: float

    @property
    def steps(self) -> tuple[tuple[int, int], ...]:
        """The best path as steps of the first and of the second training."""
        return tuple((self.first.steps[row], self.second.steps[column]) for row, column in self.alignment.path)


def align_trainings(question: TrainingQuestion, other: Training) -> TimeAlignment:
    """Align a training with another one of the same stimuli.

    Args:
        question: What is asked about: its training has the rows.
        other: The other training, whose layers of the same names count.

    Raises:
        InputError: If they share no layer, are of different stimuli, or the measure has no largest value.
    """
    largest = largest_value(question.measure)
    there = {layer.name for layer in question.history.list_layers(other.last.id)}
    shared = tuple(layer for layer in question.layers if layer.name in there and layer.role != "input")
    if not shared:
        names = f"'{question.training.name}' and '{other.name}'"
        raise InputError(f"{names} have no layers of the same names; --layers says which count")
    matrix = compare_checkpoints(question, other, [layer.name for layer in shared])
    found = align_layers(matrix, question.measure.kind)
    distances = largest - matrix if question.measure.kind == "similarity" else matrix
    cost, even = (measure_path(distances, path) for path in (found.path, found.even))
    return TimeAlignment(
        question.training,
        other,
        question.measure.name,
        tuple(layer.name for layer in shared),
        matrix,
        found,
        np.nan if cost is None else cost,
        np.nan if even is None else even,
    )


def compare_checkpoints(question: TrainingQuestion, other: Training, layers: list[str]) -> Values:
    """(n_checkpoints, m_checkpoints); the measure between two checkpoints, averaged over layers where it is defined.

    Args:
        question: What is asked about: its training has the rows.
        other: The training of the columns; the same one for the course of a training with itself.
        layers: Names of layers that both have.
    """
    first, second = question.training, other
    total = np.zeros((len(first.runs), len(second.runs)))
    counts = np.zeros_like(total)
    for name in layers:
        rows, columns = (_have(question, training, name) for training in (first, second))
        table = compare_layers(
            question.registry,
            question.history,
            question.measure,
            [question.locate(first.runs[place], name) for place in rows],
            [question.locate(second.runs[place], name) for place in columns],
            save=question.save,
            progress=question.progress,
        )
        defined = np.isfinite(table.matrix)
        total[np.ix_(rows, columns)] += np.where(defined, table.matrix, 0)
        counts[np.ix_(rows, columns)] += defined
    return np.where(counts > 0, total / np.maximum(counts, 1), np.nan)


def _have(question: TrainingQuestion, training: Training, name: str) -> list[int]:
    """The checkpoints that have a layer."""
    listed = [question.history.list_layers(run.id) for run in training.runs]
    return [place for place, layers in enumerate(listed) if any(layer.name == name for layer in layers)]
