"""By how much a split-half noise ceiling is too low or too high: docs/inference.md.

python benchmarks/ceiling_bias.py [--simulations 500]

Channels of a layer read 6 hidden properties of 40 stimuli with random weights, and each has noise of its own. So the
matrix that endlessly many such channels would give is known, and with it what the ceiling estimates: the correlation
of the layer's own matrix with that one. Channels of unequal size have scales exp(s N(0, 1)).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.inference.ceiling import measure_ceiling
from layerwise.core.analysis.inference.every_pair import compare_every_pair
from layerwise.core.analysis.measure import Measure, find_measure
from layerwise.core.network.products import Products, represent
from layerwise.core.network.representation import double_centre
from layerwise.plugins import load_plugins
from layerwise.plugins.split_half import HalfATransform, HalfBTransform

Floats = NDArray[np.float64]
N_STIMULI, N_PROPERTIES = 40, 6


def draw_layers(n_channels: int, noise: float, spread: float, n_layers: int) -> Iterator[tuple[Floats, Floats]]:
    """Activations of layers, (N_STIMULI, n_channels), each with the Gram matrix that endless channels would have."""
    rng = np.random.default_rng([n_channels, round(10 * noise), round(10 * spread)])
    for _ in range(n_layers):
        stimuli = rng.normal(size=(N_STIMULI, N_PROPERTIES))
        channels = stimuli @ rng.normal(size=(N_PROPERTIES, n_channels))
        channels += noise * rng.normal(size=channels.shape)
        yield (
            channels * np.exp(spread * rng.normal(size=n_channels)),
            stimuli @ stimuli.T + noise**2 * np.eye(N_STIMULI),
        )


def measure_bias(measure: Measure, n_channels: int, noise: float, spread: float, n_layers: int) -> str:
    """A line of the table."""
    truths, found = [], []
    for channels, endless in draw_layers(n_channels, noise, spread, n_layers):
        norm = np.sqrt(np.diagonal(endless)).copy()
        population = Products(double_centre(endless.copy()), np.zeros(N_STIMULI), norm, n_channels).represent()
        truths.append(compare_every_pair(measure, [represent(channels), population])[0, 1])
        halves = [represent(half.apply(channels.astype(np.float32))) for half in (HalfATransform(), HalfBTransform())]
        ceiling = measure_ceiling(measure, halves).ceiling
        found.append(np.nan if ceiling is None else ceiling)
    truth, mean, error = np.mean(truths), np.nanmean(found), np.nanstd(found) / np.sqrt(n_layers)
    defined = np.isfinite(found).mean()
    return (
        f"{n_channels:8} {noise:5} {spread:6}  {truth:6.3f} {mean:7.3f}  {mean - truth:+.3f} +- {error:.3f}"
        f"  {np.nanstd(found):6.3f} {defined:7.0%}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=500)
    wanted = parser.parse_args()
    rsa = find_measure(load_plugins(), "rsa-pearson")
    print("channels noise spread   truth ceiling  bias            spread defined")
    for spread in (0.0, 1.0, 1.5):
        for n_channels in (6, 10, 20, 60, 200):
            for noise in (0.5, 2.0):
                print(measure_bias(rsa, n_channels, noise, spread, wanted.simulations), flush=True)


if __name__ == "__main__":
    main()
