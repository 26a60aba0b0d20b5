"""One checkpoint at a time, for whoever watches a training while it goes on: what is known of it, computed once.

A checkpoint that is stored doesn't change any more, so a moment is made when its run appears and kept from then on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.compare import compare_layers, compare_pairs
from layerwise.core.analysis.measure import Measure
from layerwise.core.analysis.profile_run import largest_value
from layerwise.core.analysis.training.alarms import Alarm, AlarmLimits, find_alarms
from layerwise.core.analysis.training.course import Course, Reading, read_checkpoint
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.history.records import LayerAddress, RunRecord
from layerwise.core.host.registry import Registry
from layerwise.core.network.layers import Layer
from layerwise.core.network.representation import NO_TRANSFORM

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Moment:
    """What is known of a checkpoint.

    Attributes:
        run: The checkpoint.
        reading: What is stored of it.
        matrix: (n_layers, n_layers); the measure between its layers, NaN where undefined or absent.
        change: (n_layers,); how far each layer is from what it was one checkpoint before, NaN at the first.
    """

    run: RunRecord
    reading: Reading
    matrix: Values
    change: Values


@dataclass(frozen=True)
class Watch:
    """How a training is watched.

    Attributes:
        registry: Knows the comparators.
        history: Where runs are; what is computed is kept there, too.
        measure: What compares layers; it has a largest value.
        layers: The layers that are watched, in order of depth.
    """

    registry: Registry
    history: HistoryProtocol
    measure: Measure
    layers: tuple[Layer, ...]

    def look(self, run: RunRecord, before: RunRecord | None) -> Moment:
        """A checkpoint, seen from the one before.

        Raises:
            InputError: If the measure has no largest value, or the two are of different stimuli.
        """
        transform = NO_TRANSFORM if NO_TRANSFORM in run.transforms else run.transforms[0]
        here = self._locate(run, transform)
        known = [place for place, address in enumerate(here) if address is not None]
        addresses = [address for address in here if address is not None]
        matrix = np.full((len(here), len(here)), np.nan)
        if addresses:
            table = compare_layers(self.registry, self.history, self.measure, addresses)
            matrix[np.ix_(known, known)] = table.matrix
        return Moment(
            run, read_checkpoint(self.history, run, transform), matrix, self._change(here, before, transform)
        )

    def _change(self, here: Sequence[LayerAddress | None], before: RunRecord | None, transform: str) -> Values:
        change = np.full(len(here), np.nan)
        if before is None:
            return change
        largest = largest_value(self.measure)
        both = zip(self._locate(before, transform), here, strict=True)
        pairs = {
            place: (one, other) for place, (one, other) in enumerate(both) if one is not None and other is not None
        }
        answers = compare_pairs(self.registry, self.history, self.measure, list(pairs.values()))
        for place, answer in zip(pairs, answers, strict=True):
            if answer.value is not None:
                change[place] = answer.value if self.measure.kind == "distance" else largest - answer.value
        return change

    def _locate(self, run: RunRecord, transform: str) -> list[LayerAddress | None]:
        there = {layer.name for layer in self.history.list_layers(run.id)}
        return [
            self.measure.resolve(LayerAddress(run.id, layer.name, transform)) if layer.name in there else None
            for layer in self.layers
        ]

    def find_alarms(self, moments: Sequence[Moment], limits: AlarmLimits) -> tuple[Alarm, ...]:
        """Alarms over the moments so far."""
        if not moments:
            return ()
        steps = tuple(place if one.run.step is None else one.run.step for place, one in enumerate(moments))
        course = Course(steps, self.layers, tuple(one.reading for one in moments))
        return find_alarms(course, np.stack([one.change for one in moments]), limits)
