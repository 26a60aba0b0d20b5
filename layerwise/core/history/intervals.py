"""Intervals and permutation tests as they are kept, with all that decides them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from layerwise.core.base.provider import Provider
from layerwise.core.history.records import LayerAddress

DEFAULT_METHOD = "corrected"
DEFAULT_LEVEL = 0.95
Alternative = Literal["alike", "two-sided"]


@dataclass(frozen=True)
class Interval:
    """What a number may be in the population that the stimuli come from.

    Attributes:
        low: Lower end; None where there is none, and then `reason` says why.
        high: Upper end.
        p: Two-sided p-value of the number being 0 in the population; None where there is none.
        reason: Why there is no interval.
    """

    low: float | None
    high: float | None
    p: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class IntervalPlan:
    """How intervals are made; everything but the stimuli that decides them.

    Attributes:
        n_resamples: How many resamples are drawn.
        seed: Decides which.
        method: Name of the method.
        level: Share of intervals that are to cover the truth.
    """

    n_resamples: int
    seed: int = 0
    method: str = DEFAULT_METHOD
    level: float = DEFAULT_LEVEL


@dataclass(frozen=True)
class PermutationPlan:
    """How permutation tests are made.

    Attributes:
        n_permutations: How many permutations are drawn.
        seed: Decides which.
        alternative: What is tested for.
    """

    n_permutations: int
    seed: int = 0
    alternative: Alternative = "alike"


@dataclass(frozen=True)
class ComparisonInterval:
    """A kept interval of one comparison; `low` None says why in `reason`."""

    comparator: Provider
    first: LayerAddress
    second: LayerAddress
    low: float | None
    high: float | None
    reason: str = ""


@dataclass(frozen=True)
class ComparisonTest:
    """A kept permutation test of one comparison; `p` None says why in `reason`. Not corrected for a family."""

    comparator: Provider
    first: LayerAddress
    second: LayerAddress
    p: float | None
    reason: str = ""
