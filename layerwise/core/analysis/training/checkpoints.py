"""Which runs are the checkpoints of one training, in which order, and which layers they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.choose import list_main_layers
from layerwise.core.analysis.compare import compare_pairs
from layerwise.core.analysis.compute_pairs import Progress
from layerwise.core.analysis.measure import Measure
from layerwise.core.base.errors import InputError
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import LayerAddress, RunRecord
from layerwise.core.history.references import PREFIX, list_checkpoints
from layerwise.core.host.registry import Registry
from layerwise.core.host.selection import select_layers
from layerwise.core.network.layers import Layer
from layerwise.core.network.representation import NO_TRANSFORM


@dataclass(frozen=True)
class Training:
    """Checkpoints of one training on the same stimuli.

    Attributes:
        name: The lineage, or what else the runs have in common.
        runs: At least two, in order of step.
    """

    name: str
    runs: tuple[RunRecord, ...]

    @property
    def steps(self) -> tuple[int, ...]:
        """The step of each checkpoint; where one has none, their numbers from 0."""
        steps = [run.step for run in self.runs if run.step is not None]
        return tuple(steps) if len(steps) == len(self.runs) else tuple(range(len(self.runs)))

    @property
    def last(self) -> RunRecord:
        """What the training has come to."""
        return self.runs[-1]


def read_training(history: HistoryProtocol, name: str, stimuli: str | None = None) -> Training:
    """The training of a lineage.

    Args:
        history: Where its runs are.
        name: The lineage, with `lineage:` before it or without.
        stimuli: Name of the stimulus set, where it was recorded on several.

    Raises:
        InputError: If there is no such lineage, it was recorded on several sets, or fewer than twice.
    """
    lineage = name.removeprefix(PREFIX)
    runs = list_checkpoints(history, lineage)
    sets = list(dict.fromkeys(run.stimuli_name for run in runs))
    if stimuli is not None:
        if stimuli not in sets:
            raise InputError(f"lineage '{lineage}' was not recorded on '{stimuli}'; it was on {', '.join(sets)}")
        runs = [run for run in runs if run.stimuli_name == stimuli]
    elif len({run.stimuli_fingerprint for run in runs}) > 1:
        raise InputError(
            f"lineage '{lineage}' was recorded on several stimulus sets, say which with --stimuli: {', '.join(sets)}"
        )
    return make_training(lineage, runs)


def make_training(name: str, runs: Sequence[RunRecord]) -> Training:
    """A training of these checkpoints, which are put into order of step where all have one.

    Raises:
        InputError: If there are fewer than two, or they are of different stimuli.
    """
    if len(runs) < 2:
        raise InputError(f"'{name}' has {len(runs)} checkpoint so far; what changes over training takes two or more")
    other = next((run for run in runs if run.stimuli_fingerprint != runs[0].stimuli_fingerprint), None)
    if other is not None:
        sets = f"'{runs[0].stimuli_name}' and '{other.stimuli_name}'"
        raise InputError(f"checkpoints of one training are of the same stimuli, and these are of {sets}")
    stepped = all(run.step is not None for run in runs)
    return Training(name, tuple(sorted(runs, key=lambda run: run.step or 0) if stepped else runs))


def choose_training_layers(
    registry: Registry, history: HistoryProtocol, training: Training, selectors: Sequence[str] | None = None
) -> list[Layer]:
    """The layers of the last checkpoint that the selectors pick, without them the main ones; in order of depth.

    Raises:
        InputError: If there is no such selector, or it picks nothing.
    """
    if not selectors:
        return list_main_layers(history, training.last)
    chosen = select_layers(registry, selectors, history.list_layers(training.last.id))
    return sorted(chosen, key=lambda layer: layer.position)


@dataclass(frozen=True, eq=False)
class Compared:
    """A measure for each layer at each checkpoint.

    Attributes:
        values: (n_checkpoints, n_layers); NaN where undefined, and where a checkpoint lacks a layer.
        reasons: Why values are undefined, each once.
    """

    values: NDArray[np.float64]
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrainingQuestion:
    """What every question about a training is asked with.

    Attributes:
        registry: Knows the comparators.
        history: Where representations are, and where comparisons are kept.
        training: The checkpoints.
        measure: What compares layers.
        layers: Layers of the last checkpoint, in order of depth.
        transform: Under which activation transform they were analysed.
        save: Whether to keep what has to be computed.
        progress: Told how many pairs of how many are done.
    """

    registry: Registry
    history: HistoryProtocol
    training: Training
    measure: Measure
    layers: tuple[Layer, ...]
    transform: str = NO_TRANSFORM
    save: bool = True
    progress: Progress | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The layers' names."""
        return tuple(layer.name for layer in self.layers)

    @cached_property
    def addresses(self) -> list[list[LayerAddress | None]]:
        """Where each checkpoint has each layer, as the measure reads it; None where a checkpoint lacks it."""
        there = [{layer.name for layer in self.history.list_layers(run.id)} for run in self.training.runs]
        return [
            [self.locate(run, name) if name in known else None for name in self.names]
            for run, known in zip(self.training.runs, there, strict=True)
        ]

    def locate(self, run: RunRecord, name: str) -> LayerAddress:
        """Where the measure reads a layer of a run."""
        return self.measure.resolve(LayerAddress(run.id, name, self.transform))

    def compare(self, places: Mapping[tuple[int, int], tuple[LayerAddress, LayerAddress]]) -> Compared:
        """The measure for a pair of layers at each of these places, (checkpoint, layer).

        Raises:
            InputError: If the runs are of different stimuli.
        """
        asked = compare_pairs(
            self.registry, self.history, self.measure, list(places.values()), save=self.save, progress=self.progress
        )
        values = np.full((len(self.training.runs), len(self.layers)), np.nan)
        for place, answer in zip(places, asked, strict=True):
            values[place] = np.nan if answer.value is None else answer.value
        return Compared(values, tuple(dict.fromkeys(answer.reason for answer in asked if answer.value is None)))
