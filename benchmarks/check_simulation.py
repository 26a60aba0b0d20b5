"""Networks whose layers have changed by a known amount, to hold `layerwise check` against: size and power."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from layerwise.core.analysis.checking.equivalence import decide, place, simultaneous_level
from layerwise.core.analysis.inference.every_pair import compare_every_pair
from layerwise.core.analysis.inference.generic import replicate
from layerwise.core.analysis.inference.replicates import Values
from layerwise.core.analysis.measure import Measure
from layerwise.core.network.products import represent

N_LATENT, N_UNITS = 8, 60
ALPHA = 0.05
_PAIR = (np.array([0]), np.array([1]))


@dataclass(frozen=True)
class ChangedNetwork:
    """Layers that read `N_LATENT` properties of the same stimuli, before a change and after it.

    Attributes:
        n_layers: How many layers.
        change: Share of what a layer reads after the change that it did not read before.
        noise: Standard deviation of each layer's own noise, in units of that of the signal; new after the change.
    """

    n_layers: int = 10
    change: float = 0.1
    noise: float = 0.1

    @cached_property
    def weights(self) -> Values:
        """(n_layers, 2, N_LATENT, N_UNITS)."""
        return np.random.default_rng(11).normal(size=(self.n_layers, 2, N_LATENT, N_UNITS))

    def draw(self, n_stimuli: int, rng: np.random.Generator) -> list[tuple[Values, Values]]:
        """Activations of each layer before and after, for new stimuli; each (n_stimuli, N_UNITS)."""
        hidden = rng.normal(size=(n_stimuli, N_LATENT))
        spread = self.noise * np.sqrt(N_LATENT)
        pairs = []
        for before, other in self.weights:
            noise = spread * rng.normal(size=(2, n_stimuli, N_UNITS))
            after = (1 - self.change) * before + self.change * other
            pairs.append((hidden @ before + noise[0], hidden @ after + noise[1]))
        return pairs

    def find_truths(self, measure: Measure, n_stimuli: int = 1000, n_draws: int = 8) -> Values:
        """How alike each layer is before and after, for the population; (n_layers,)."""
        rng = np.random.default_rng(99)
        found = [
            [compare_every_pair(measure, list(map(represent, pair)))[0, 1] for pair in self.draw(n_stimuli, rng)]
            for _ in range(n_draws)
        ]
        return np.asarray(np.mean(found, axis=0))


@dataclass(frozen=True)
class CheckRates:
    """How checks came out.

    Attributes:
        any_pass: Share of checks in which a layer passed.
        all_pass: Share in which all did.
        any_fail: Share in which a layer failed.
        layers_pass: Share of all layers that passed.
        layers_fail: Share of all layers that failed.
        n_checks: How many checks.
    """

    any_pass: float
    all_pass: float
    any_fail: float
    layers_pass: float
    layers_fail: float
    n_checks: int


def measure_check(
    measure: Measure,
    network: ChangedNetwork,
    truths: Values,
    ratio: float,
    n_stimuli: int,
    n_checks: int,
    n_resamples: int = 200,
    seed: int = 0,
) -> CheckRates:
    """Check a network whose layers have all changed by `ratio` margins; at 1 both errors are at their largest."""
    rng = np.random.default_rng(seed)
    verdicts = []
    level = simultaneous_level(ALPHA, network.n_layers)
    best = 1.0 if measure.kind == "similarity" else 0.0
    for number in range(n_checks):
        standings = []
        for (before, after), truth in zip(network.draw(n_stimuli, rng), truths, strict=True):
            layers = [represent(before), represent(after)]
            replicates = replicate(measure, layers, n_resamples, number).select(_PAIR)
            placed = place(replicates, best - (best - truth) / ratio, measure.kind, level)
            assert placed.standing is not None, placed.reason
            standings.append(placed.standing)
        verdicts.append([decision.verdict for decision in decide(standings, ALPHA)])
    found = np.array(verdicts)
    passed, failed = found == "pass", found == "fail"
    return CheckRates(
        float(passed.any(axis=1).mean()),
        float(passed.all(axis=1).mean()),
        float(failed.any(axis=1).mean()),
        float(passed.mean()),
        float(failed.mean()),
        n_checks,
    )
