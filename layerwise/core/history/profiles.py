"""Profiles of a run, as they are kept: a network's transition from the input's structure to the output's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.provider import Provider
from layerwise.core.history.intervals import Interval, IntervalPlan
from layerwise.core.network.representation import NO_TRANSFORM

Vector = NDArray[np.float64]

DEFINITION = 1
"""Counted up whenever a number below is defined differently; kept profiles of another definition do not count."""


@dataclass(frozen=True)
class ProfileKey:
    """What a kept profile is of.

    Attributes:
        run_id: The run.
        layers: Names of the layers, in order of computation.
        comparator: Who compared them, with which settings.
        transform: Under which transform.
        end_point: Name of the layer that counts as the output; empty where none does.
    """

    run_id: str
    layers: tuple[str, ...]
    comparator: Provider
    transform: str = NO_TRANSFORM
    end_point: str = ""


@dataclass(frozen=True)
class Crossing:
    """A place where layers turn from being more like the input to being more like the output, or back.

    Attributes:
        depth: Relative depth from 0 (first layer) to 1 (last), interpolated linearly between the two layers.
        after: The last layer before it.
        before: The first layer behind it; the same where the curves meet exactly at a layer.
    """

    depth: float
    after: str
    before: str


@dataclass(frozen=True, eq=False)
class Profile:
    """A network's transition from the input's structure to the output's, over m layers.

    Attributes:
        layers: Names of the m layers, in order of computation.
        kind: Whether `to_input` and `to_output` are similarities or distances.
        to_input: float64 (m,); the measure between the input and each layer; NaN where undefined.
        to_output: float64 (m,); the measure between each layer and the end point; NaN where undefined.
        steps: float64 (m,); change from the layer before, never negative; NaN for the first.
        shares: float64 (m,); each step over the sum of all; NaN for the first, and where some step is undefined.
        smoothness: 1 where all steps are equal, 0 where one step does it all; None where undefined.
        crossings: Where `to_input` and `to_output` cross, from first to last; an odd number of times, as a rule once.
        reason: Why there is no smoothness, or no crossing.
        end_point: Name of the layer that `to_output` is about: the logits where a softmax ends the network, unless
            another one was asked for; empty where the end was not analysed.
    """

    layers: tuple[str, ...]
    kind: Literal["similarity", "distance"]
    to_input: Vector
    to_output: Vector
    steps: Vector
    shares: Vector
    smoothness: float | None
    crossings: tuple[Crossing, ...]
    reason: str = ""
    end_point: str = ""

    @property
    def depths(self) -> Vector:
        """Relative depth of each layer: its index over m - 1; (m,)."""
        return np.linspace(0, 1, len(self.layers))

    @property
    def progress(self) -> Vector:
        """Share of all change that is done by each layer, from 0 to 1; (m,), NaN where there are no shares."""
        return np.concatenate([[0.0 if np.isfinite(self.shares[1:]).all() else np.nan], np.cumsum(self.shares[1:])])

    @property
    def total(self) -> float | None:
        """The sum of all steps: the length of the way; None where a step is undefined."""
        steps = self.steps[1:]
        return float(steps.sum()) if steps.size and np.isfinite(steps).all() else None

    @property
    def effective_steps(self) -> float | None:
        """The number of equal steps that would spread the change as evenly; 1 to m - 1, None where undefined."""
        return None if self.smoothness is None else 1 + self.smoothness * (len(self.layers) - 2)

    @property
    def largest(self) -> int | None:
        """Index of the layer with the largest share; None where there are no shares."""
        return None if self.smoothness is None else int(np.nanargmax(self.shares))


@dataclass(frozen=True)
class ProfileIntervals:
    """Intervals of a profile's numbers.

    Attributes:
        plan: How they were made.
        numbers: Of `smoothness`, `effective_steps`, `total`, and `crossing` (the depth of the first one).
        curves: Of `to_input`, `to_output`, `steps` and `shares`: one a layer.
    """

    plan: IntervalPlan
    numbers: Mapping[str, Interval]
    curves: Mapping[str, tuple[Interval, ...]]
