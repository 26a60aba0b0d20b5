"""What two outputs for the same stimuli have in common: how often the answer is the same, how far apart they are.

Everything is a number for each stimulus, averaged over stimuli; intervals come from resamples of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A number over stimuli, with an interval from resamples of them.

    Attributes:
        value: The number.
        low: Lower end of the 95 % interval, percentiles of the resamples.
        high: Upper end.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Resampling:
    """How intervals over stimuli are made.

    Attributes:
        n_resamples: How many resamples are drawn.
        seed: Decides which.
    """

    n_resamples: int = 1000
    seed: int = 0

    def draw(self, n_stimuli: int) -> NDArray[np.intp]:
        """Stimuli of each resample, (n_resamples, n_stimuli)."""
        rng = np.random.default_rng(self.seed)
        return rng.integers(0, n_stimuli, (self.n_resamples, n_stimuli))


def average_over(values: Values, draws: NDArray[np.intp], counted: NDArray[np.bool_] | None = None) -> Estimate:
    """The mean over stimuli, and over resamples of them.

    Args:
        values: (n,).
        draws: As `Resampling.draw` gives them.
        counted: Which stimuli count; all by default.
    """
    weights = np.ones(len(values)) if counted is None else counted.astype(np.float64)
    sums = (values * weights)[draws].sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = sums / weights[draws].sum(axis=1)
    means = means[np.isfinite(means)]
    value = float((values * weights).sum() / weights.sum())
    if not len(means):
        return Estimate(value, value, value)
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(value, float(low), float(high))


def disagree(first: NDArray[np.floating], second: NDArray[np.floating]) -> Values:
    """Whether the largest output is another one, for each stimulus; (n,) of 0 and 1.

    Args:
        first: (n, n_classes).
        second: Likewise.
    """
    answers = [np.asarray(rows, dtype=np.float64).argmax(axis=1) for rows in (first, second)]
    return np.asarray(answers[0] != answers[1], dtype=np.float64)


def diverge(first: NDArray[np.floating], second: NDArray[np.floating]) -> Values:
    """Jensen-Shannon divergence of each row, (n,), in bits, between 0 and 1 (Lin 1991)."""
    a, b = first.astype(np.float64), second.astype(np.float64)
    middle = (a + b) / 2

    def entropy(rows: Values) -> Values:
        terms = np.where(rows > 0, rows * np.log2(np.where(rows > 0, rows, 1)), 0)
        return np.asarray(-terms.sum(axis=1))

    return np.clip(entropy(middle) - (entropy(a) + entropy(b)) / 2, 0, 1)


def find_hits(outputs: NDArray[np.floating], classes: Sequence[frozenset[int]]) -> Values:
    """Whether the largest output is of a class that the label names, for each stimulus; (n,) of 0 and 1."""
    best = np.asarray(outputs, dtype=np.float64).argmax(axis=1)
    return np.array([float(int(index) in found) for index, found in zip(best, classes, strict=True)])


def find_labelled(classes: Sequence[frozenset[int]]) -> NDArray[np.bool_]:
    """Which stimuli have a label that names a class."""
    return np.array([bool(found) for found in classes], dtype=np.bool_)
