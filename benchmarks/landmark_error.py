"""How far answers from pairs with landmarks are off, on layers of a run that keeps all pairs.

    python benchmarks/landmark_error.py history.db --run latest --landmarks 50 100 200

Stimuli are put into another order each time, so that others are landmarks; each measure is computed of every two
main layers from pairs with the landmarks, and from all pairs. Prints the deviation as its root mean square and its
largest size over orders and layers; of the participation ratio relative to its value.
"""

from __future__ import annotations

import argparse
from itertools import combinations

import numpy as np

from layerwise.core.analysis.compute_panels import compute_in_panels
from layerwise.core.analysis.measure import Measure, find_measure
from layerwise.core.history.records import LayerAddress
from layerwise.core.network.matrices.landmarks import LandmarkPairs
from layerwise.core.network.matrices.pairs import Pairs
from layerwise.core.network.representation import Representation
from layerwise.plugins import load_plugins
from layerwise.storage import open_store

MEASURES = ("rsa-pearson", "rsa-cosine", "cka", "cka-debiased", "rv2")
Errors = dict[str, list[float]]


def main() -> None:
    """Read, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("history")
    parser.add_argument("--run", default="latest")
    parser.add_argument("--landmarks", type=int, nargs="+", default=[50, 100, 200])
    parser.add_argument("--orders", type=int, default=10)
    given = parser.parse_args()
    with open_store(f"sqlite:///{given.history}") as store:
        run = store.find_run(given.run)
        names = [layer.name for layer in store.list_layers(run.id) if layer.is_main]
        layers = store.read_representations([LayerAddress(run.id, name) for name in names])
    registry = load_plugins()
    measures = [find_measure(registry, name) for name in MEASURES]
    exact = {measure.name: compare(measure, layers) for measure in measures}
    ratios = [trace**2 / squares for trace, squares in (layer.centred_sums for layer in layers)]
    print(f"{run.model.name}, {run.n_stimuli} stimuli, {len(layers)} layers, {given.orders} orders")
    for n_landmarks in given.landmarks:
        errors: Errors = {}
        for seed in range(given.orders):
            order = np.random.default_rng(seed).permutation(run.n_stimuli)
            some = [LandmarkPairs(layer.take(order), n_landmarks) for layer in layers]
            for measure in measures:
                found = compare(measure, some)
                errors.setdefault(measure.name, []).extend(found[pair] - exact[measure.name][pair] for pair in found)
            for layer, ratio in zip(some, ratios, strict=True):
                trace, squares = layer.centred_sums
                errors.setdefault("participation-ratio", []).append(trace**2 / squares / ratio - 1)
        for name, off in errors.items():
            print(f"{n_landmarks:5d}  {name:20s} {np.sqrt(np.mean(np.square(off))):.4f}  {np.abs(off).max():.4f}")


def compare(measure: Measure, layers: list[Representation] | list[LandmarkPairs]) -> dict[tuple[int, int], float]:
    """The measure of every two layers, by places."""
    places = [LayerAddress("", str(index)) for index in range(len(layers))]
    pairs = list(combinations(range(len(layers)), 2))
    held: dict[LayerAddress, Pairs] = dict(zip(places, layers, strict=True))
    asked = [(places[first], places[second]) for first, second in pairs]
    found = compute_in_panels(measure, held, asked, 2**31, lambda *_: None)
    values = {pair: found[ends].value for pair, ends in zip(pairs, asked, strict=True)}
    return {pair: value for pair, value in values.items() if value is not None}


if __name__ == "__main__":
    main()
