"""What is asked for, and what is kept: intervals and tests, with all that decides them."""

from __future__ import annotations

from dataclasses import dataclass

from layerwise.core.errors import InputError
from layerwise.core.inference.intervals import DEFAULT_LEVEL, DEFAULT_METHOD, check_level, find_method
from layerwise.core.inference.permutation import Alternative
from layerwise.core.records import LayerAddress, Provider

MIN_RESAMPLES = 20


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

    def check(self) -> None:
        """Make sure that it can be done.

        Raises:
            InputError: If there is no such method, or a number makes no sense.
        """
        find_method(self.method)
        check_level(self.level)
        if self.n_resamples < MIN_RESAMPLES:
            raise InputError(f"--bootstrap takes at least {MIN_RESAMPLES} resamples, not {self.n_resamples}")


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

    def check(self) -> None:
        """Make sure that it can be done.

        Raises:
            InputError: If there are too few permutations for a p-value of 0.05.
        """
        if self.n_permutations < MIN_RESAMPLES:
            raise InputError(f"--permutations takes at least {MIN_RESAMPLES} permutations, not {self.n_permutations}")


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
