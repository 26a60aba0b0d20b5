"""What a layer x layer matrix costs here and in rsatoolbox, from the same activations.

    python benchmarks/rsatoolbox_comparison.py [--layers 20] [--stimuli 500] [--units 2000] [--rounds 3]

Layers are random, with something in common. rsatoolbox is asked as its documentation shows: `calc_rdm` of every
layer, then `compare` of all with all. Layerwise is asked twice: from the activations (boiled down to representations
first), and from representations alone, which is all that a stored run needs. Checks that both give the same, then
prints seconds, the best of the rounds, and the ratio. Needs `pip install rsatoolbox`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.measure import find_measure
from layerwise.core.host.kinds import MetricComparator
from layerwise.core.network.products import represent
from layerwise.core.network.representation import Representation
from layerwise.plugins import load_plugins

Values = NDArray[np.float64]
METHODS = {"rsa-pearson": "corr", "rsa-spearman": "spearman", "rsa-cosine": "cosine", "rsa-rho-a": "rho-a"}
SLOW = {"rsa-kendall": "tau-a"}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("layers", 20), ("stimuli", 500), ("units", 2000), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--kendall", action="store_true", help="Kendall's tau-a too, which takes minutes.")
    options = parser.parse_args()
    activations = draw_layers(options.layers, options.stimuli, options.units)
    representations = [represent(rows) for rows in activations]
    size = f"{options.layers} layers, {options.stimuli} stimuli, {options.units} units"
    print(f"{size}; seconds, best of {options.rounds}")
    print(f"{'':14s}{'rsatoolbox':>12s}{'layerwise':>12s}{'ratio':>8s}{'from history':>14s}{'ratio':>8s}")
    for name, method in (METHODS | SLOW if options.kendall else METHODS).items():
        theirs, expected = best(options.rounds, partial(ask_rsatoolbox, activations, method))
        ours, found = best(options.rounds, partial(ask_from_activations, name, activations))
        stored, _ = best(options.rounds, partial(ask_layerwise, name, representations))
        np.testing.assert_allclose(found, expected, atol=1e-5)
        print(
            f"{name:14s}{theirs:12.2f}{ours:12.2f}{theirs / ours:8.1f}{stored:14.2f}{theirs / stored:8.1f}",
            flush=True,
        )


def draw_layers(n_layers: int, n_stimuli: int, n_units: int) -> list[Values]:
    """Random activations that share ten directions."""
    rng = np.random.default_rng(0)
    common = rng.normal(size=(n_stimuli, 10))
    return [common @ rng.normal(size=(10, n_units)) + rng.normal(size=(n_stimuli, n_units)) for _ in range(n_layers)]


def ask_rsatoolbox(activations: list[Values], method: str) -> Values:
    """The layer x layer matrix as rsatoolbox computes it."""
    from rsatoolbox.data import Dataset
    from rsatoolbox.rdm import calc_rdm, compare, concat

    rdms = concat([calc_rdm(Dataset(rows), method="correlation") for rows in activations])
    return np.asarray(compare(rdms, rdms, method=method), dtype=np.float64)


def ask_from_activations(name: str, activations: list[Values]) -> Values:
    """The layer x layer matrix as Layerwise computes it, the representations included."""
    return ask_layerwise(name, [represent(rows) for rows in activations])


def ask_layerwise(name: str, representations: list[Representation]) -> Values:
    """The layer x layer matrix as Layerwise computes it, of correlation distances as rsatoolbox does."""
    measure = find_measure(REGISTRY, name, metric="correlation-distance")
    assert isinstance(measure.comparator.offer, MetricComparator)
    states = [measure.prepare(representation) for representation in representations]
    matrix = measure.compare_all(states, states)
    if matrix is not None:
        return matrix
    values = np.empty((len(states), len(states)))
    for i, first in enumerate(states):
        for j, second in enumerate(states[: i + 1]):
            values[i, j] = values[j, i] = measure.compare(first, second)
    return values


def best(n_rounds: int, work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of the fastest round, and what came out."""
    seconds = []
    for _ in range(n_rounds):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


REGISTRY = load_plugins()

if __name__ == "__main__":
    main()
