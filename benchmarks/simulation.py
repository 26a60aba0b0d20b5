"""Known truths, to hold intervals and tests against: how often an interval covers it, how often a test is fooled.

A population is an endless supply of stimuli with two layers. Its true value is the measure on very many of them. From
it many small sets of stimuli are drawn, and each is asked for an interval, as a user would.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.inference.every_pair import compare_every_pair
from layerwise.core.analysis.inference.generic import permute, replicate
from layerwise.core.analysis.inference.intervals import METHODS, make_intervals
from layerwise.core.analysis.inference.permutation import permutation_p
from layerwise.core.analysis.inference.profile_intervals import list_numbers
from layerwise.core.analysis.inference.replicates import Replicates, Values
from layerwise.core.analysis.measure import Measure
from layerwise.core.analysis.profile import measure_profile
from layerwise.core.analysis.profile_run import largest_value
from layerwise.core.history.intervals import Interval
from layerwise.core.network.products import represent

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
    "halves": Population(own=1.0, noise=0.5),  # other units that read the same, as the halves of one layer do
    "none": Population(independent=True, noise=1.0),
}


@dataclass(frozen=True)
class Chain:
    """A network of layers that read, from one to the next, less of the input's properties and more of their own.

    Attributes:
        own: Share of what each layer reads that the first does not.
        noise: Standard deviation of each layer's noise, in units of that of the signal.
    """

    own: tuple[float, ...] = (0.0, 0.15, 0.3, 0.7, 0.85, 1.0)
    noise: float = 0.5

    def draw(self, n_stimuli: int, rng: np.random.Generator) -> list[Values]:
        """Activations of the layers for new stimuli; each (n_stimuli, N_UNITS)."""
        shared, own, _ = np.random.default_rng(7).normal(size=(3, N_LATENT, N_UNITS))
        hidden = rng.normal(size=(2, n_stimuli, N_LATENT))
        spread = self.noise * np.sqrt(N_LATENT) / 2
        return [
            (1 - part) * hidden[0] @ shared + part * hidden[1] @ own + spread * rng.normal(size=(n_stimuli, N_UNITS))
            for part in self.own
        ]


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

    def simulate(rng: np.random.Generator, number: int) -> Replicates:
        layers = [represent(activations) for activations in population.draw(n_stimuli, rng)]
        return replicate(measure, layers, n_resamples, number).select(_PAIR)

    return _cover(simulate, [truth], n_simulations, methods, seed)[0]


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
    zero, one, two = np.array([0]), np.array([1]), np.array([2])

    def simulate(rng: np.random.Generator, number: int) -> Replicates:
        first, second = population.draw(n_stimuli, rng)
        noise = population.noise * np.sqrt(N_LATENT) / 2 * rng.normal(size=(2, *second.shape))
        layers = [represent(activations) for activations in (first, second + noise[0], second + noise[1])]
        replicates = replicate(measure, layers, n_resamples, number)
        return replicates.select((zero, one)).minus(replicates.select((zero, two)))

    return _cover(simulate, [0.0], n_simulations, methods, seed)[0]


def find_profile_truth(
    measure: Measure, chain: Chain, numbers: Sequence[str], n_stimuli: int = 2000, n_draws: int = 6
) -> list[float]:
    """Numbers of a chain's profile for the population: the means over draws of many stimuli."""
    rng = np.random.default_rng(99)
    found = []
    for _ in range(n_draws):
        layers = [represent(activations) for activations in chain.draw(n_stimuli, rng)]
        profile = _profile(measure, chain)(compare_every_pair(measure, layers))
        found.append([profile[name] for name in numbers])
    return [float(value) for value in np.mean(found, axis=0)]


def measure_profile_coverage(
    measure: Measure,
    chain: Chain,
    truths: Mapping[str, float],
    n_stimuli: int,
    n_simulations: int,
    n_resamples: int = 300,
    methods: Sequence[str] = tuple(METHODS),
    seed: int = 0,
) -> dict[str, dict[str, Coverage]]:
    """The same for numbers of a profile, such as `smoothness`: by number and method.

    Raises:
        InputError: If there are fewer than four stimuli.
    """

    def simulate(rng: np.random.Generator, number: int) -> Replicates:
        layers = [represent(activations) for activations in chain.draw(n_stimuli, rng)]
        names, found = replicate(measure, layers, n_resamples, number).map(_profile(measure, chain))
        return found.select((np.array([names.index(name) for name in truths]),))

    found = _cover(simulate, list(truths.values()), n_simulations, methods, seed)
    return dict(zip(truths, found, strict=True))


def _cover(
    simulate: Callable[[np.random.Generator, int], Replicates],
    truths: Sequence[float],
    n_simulations: int,
    methods: Sequence[str],
    seed: int,
) -> list[dict[str, Coverage]]:
    """How often the intervals of each number hold its truth."""
    rng = np.random.default_rng(seed)
    ends: dict[str, list[list[tuple[float, float]]]] = {name: [] for name in methods}
    for number in range(n_simulations):
        replicates = simulate(rng, number)
        for name in methods:
            made = make_intervals(replicates, METHODS[name])
            ends[name].append([_ends(item) for item in made])
    return [
        {name: _summarise(np.array(found)[:, index], truth) for name, found in ends.items()}
        for index, truth in enumerate(truths)
    ]


def _ends(interval: Interval) -> tuple[float, float]:
    return (np.nan, np.nan) if interval.low is None or interval.high is None else (interval.low, interval.high)


def _profile(measure: Measure, chain: Chain) -> Callable[[Values], dict[str, float]]:
    names = [str(index) for index in range(len(chain.own))]
    return lambda matrix: list_numbers(measure_profile(names, matrix, measure.kind, largest_value(measure)))


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
