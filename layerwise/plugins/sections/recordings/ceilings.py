"""The noise ceilings of a report: those of the areas that several of its recordings have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from layerwise.core.analysis.recordings.ceilings import LEAST_RECORDINGS, allows_ceiling, measure_ceiling
from layerwise.plugins.sections.recordings.queries import Area
from layerwise.report.content import ReportContext
from layerwise.report.queries import chosen_measure, compare


@dataclass(frozen=True)
class Ceiling:
    """Between which values the best possible network lies.

    Attributes:
        areas: The same area of each recording.
        low: Mean correlation of a recording with the mean of the others.
        high: Mean correlation of a recording with the mean of all.
    """

    areas: tuple[Area, ...]
    low: float
    high: float

    @property
    def name(self) -> str:
        """What the recordings call it."""
        return self.areas[0].own_name


def find_ceilings(context: ReportContext, areas: Sequence[Area]) -> list[Ceiling]:
    """The ceilings of all areas that two recordings or more have; none where the measure allows none."""
    if not allows_ceiling(chosen_measure(context)):
        return []
    shared: dict[str, list[Area]] = {}
    for area in areas:
        shared.setdefault(area.own_name, []).append(area)
    found = []
    for same in shared.values():
        if len(same) >= LEAST_RECORDINGS:
            low, high = measure_ceiling(compare(context, [area.address for area in same]))
            if np.isfinite([low, high]).all():
                found.append(Ceiling(tuple(same), low, high))
    return found
