"""Known truths, to hold intervals and tests against: how often an interval covers it, how often a test is fooled.

A population is an endless supply of stimuli with two layers. Its true value is the measure on very many of them. From
it many small sets of stimuli are drawn, and each is asked for an interval, as a user would.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from layerwise.core.inference.generic import compare_every_pair, permute, replicate
from layerwise.core.inference.intervals import METHODS, make_intervals
from layerwise.core.inference.permutation import permutation_p
from layerwise.core.inference.replicates import Values
from layerwise.core.measures import Measure
from layerwise.core.representation import represent

N_LATENT, N_UNITS = 8, 60
_PAIR = (np.array([0]), np.array([1]))


@dataclass(frozen=True)
class Population:
    """Stimuli with `N_LATENT` hidden properties that two layers of `N_UNITS` units read, each with noise of its own.

    Attributes:
        own: Share of what the second layer reads that the first does not.
        noise: Standard deviation of the noise, in units of that of the signal, 2 sqrt(2).
        n_classes: Number of classes of stimuli; 0 for none. Classes make some pairs far more alike than others.
        independent: Whether the second layer reads other properties altogether.
    """

    own: float = 0.6
    noise: float = 1.5
    n_classes: int = 0
    independent: bool = False
    _weights: Values = field(init=False, repr=False)

    def __post_init__(self) -> None:
        weights = np.random.default_rng(7).normal(size=(3, N_LATENT, N_UNITS))
        object.__setattr__(self, "_weights", weights)

    def draw(self, n_stimuli: int, rng: np.random.Generator) -> tuple[Values, Values]:
        """Activations of the two layers for new stimuli; each (n_stimuli, N_UNITS)."""
        hidden = rng.normal(size=(2, n_stimuli, N_LATENT))
        if self.n_classes:
            centres = np.random.default_rng(8).normal(size=(2, self.n_classes, N_LATENT)) * 1.5
            classes = rng.integers(self.n_classes, size=(2, n_stimuli))
            hidden = 0.6 * hidden + np.stack([centres[layer][classes[layer]] for layer in (0, 1)])
        shared, own, other = self._weights
        first = hidden[0] @ shared
        second = hidden[1] @ other if self.independent else hidden[0] @ ((1 - self.own) * shared + self.own * own)
        spread = self.noise * np.sqrt(N_LATENT) / 2
        noise = spread * rng.normal(size=(2, n_stimuli, N_UNITS))
        return first + noise[0], second + noise[1]


POPULATIONS: Mapping[str, Population] = {
    "weak": Population(own=1.5, noise=3.0),
    "moderate": Population(own=0.6, noise=1.5),
    "strong": Population(own=0.15, noise=0.5),
    "classes": Population(own=0.4, noise=1.0, n_classes=5),
    "none": Population(independent=True, noise=1.0),
}


@dataclass(frozen=True)
class Coverage:
    """How intervals of one method did.

    Attributes:
        n_simulations: Number of sets of stimuli.
        n_covered: Intervals that hold the true value.
        n_below: Intervals that lie wholly above the true value: it is below.
        n_above: Intervals that lie wholly below it.
        width: Mean width.
    """

    n_simulations: int
    n_covered: int
    n_below: int
    n_above: int
    width: float

    @property
    def share(self) -> float:
        """Share of intervals that hold the true value."""
        return self.n_covered / self.n_simulations


def find_truth(measure: Measure, population: Population, n_stimuli: int = 2000, n_draws: int = 6) -> float:
    """The measure for the population: the mean over draws of many stimuli."""
    rng = np.random.default_rng(99)
    return float(np.mean([_compare(measure, *population.draw(n_stimuli, rng)) for _ in range(n_draws)]))


def measure_coverage(
    measure: Measure,
    population: Population,
    truth: float,
    n_stimuli: int,
    n_simulations: int,
    n_resamples: int = 300,
    methods: Sequence[str] = tuple(METHODS),
    seed: int = 0,
) -> dict[str, Coverage]:
    """How often 95 % intervals from sets of `n_stimuli` cover the truth, for each method on the same sets.

    Raises:
        InputError: If there are fewer than four stimuli.
    """
    rng = np.random.default_rng(seed)
    ends: dict[str, list[tuple[float, float]]] = {name: [] for name in methods}
    for number in range(n_simulations):
        layers = [represent(activations) for activations in population.draw(n_stimuli, rng)]
        replicates = replicate(measure, layers, n_resamples, number).select(_PAIR)
        for name in methods:
            (found,) = make_intervals(replicates, METHODS[name])
            ends[name].append(
                (np.nan, np.nan) if found.low is None or found.high is None else (found.low, found.high)
            )
    return {name: _summarise(np.array(pairs), truth) for name, pairs in ends.items()}


def measure_difference_coverage(
    measure: Measure,
    population: Population,
    n_stimuli: int,
    n_simulations: int,
    n_resamples: int = 300,
    methods: Sequence[str] = tuple(METHODS),
    seed: int = 0,
) -> dict[str, Coverage]:
    """The same for the difference of two comparisons that share a layer and are truly equal.

    The first layer is compared with two others that read the same properties with different noise, so the truth
    is 0; what lies outside is the false-positive rate of the paired test.
    """
    rng = np.random.default_rng(seed)
    ends: dict[str, list[tuple[float, float]]] = {name: [] for name in methods}
    zero, one, two = np.array([0]), np.array([1]), np.array([2])
    for number in range(n_simulations):
        first, second = population.draw(n_stimuli, rng)
        noise = population.noise * np.sqrt(N_LATENT) / 2 * rng.normal(size=(2, *second.shape))
        layers = [represent(activations) for activations in (first, second + noise[0], second + noise[1])]
        replicates = replicate(measure, layers, n_resamples, number)
        change = replicates.select((zero, one)).minus(replicates.select((zero, two)))
        for name in methods:
            (found,) = make_intervals(change, METHODS[name])
            ends[name].append(
                (np.nan, np.nan) if found.low is None or found.high is None else (found.low, found.high)
            )
    return {name: _summarise(np.array(pairs), 0.0) for name, pairs in ends.items()}


def measure_false_positives(
    measure: Measure,
    population: Population,
    n_stimuli: int,
    n_simulations: int,
    n_permutations: int = 199,
    seed: int = 0,
) -> NDArray[np.float64]:
    """One-sided p-values of the permutation test for unrelated layers, one a simulation; (n_simulations,).

    Raises:
        InputError: If there are fewer than four stimuli.
    """
    rng = np.random.default_rng(seed)
    found = []
    for number in range(n_simulations):
        layers = [represent(activations) for activations in population.draw(n_stimuli, rng)]
        estimate, permuted = permute(measure, layers, n_permutations, number)
        found.append(permutation_p(estimate, permuted, measure.kind)[0, 1])
    return np.array(found)


def _compare(measure: Measure, first: Values, second: Values) -> float:
    return float(compare_every_pair(measure, [represent(first), represent(second)])[0, 1])


def _summarise(ends: Values, truth: float) -> Coverage:
    low, high = ends.T
    covered = (low <= truth) & (truth <= high)
    return Coverage(
        len(ends),
        int(covered.sum()),
        int((low > truth).sum()),
        int((high < truth).sum()),
        float(np.nanmean(high - low)),
    )
