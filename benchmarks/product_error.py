"""How far products of a layer are off that are taken in float32, by the number of units whose products add up there.

    python benchmarks/product_error.py [--stimuli 500] [--units 32768]

Prints for each kind of activations and width of a block the standard deviation and the largest error of a product of
two stimuli less the mean stimulus, over the product of their lengths, against float64; and how often the tables of
`Resolution` (`blocks.SINGLE_PRODUCTS`) are exceeded by more than six standard deviations.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.blas import single_threaded_blas
from layerwise.core.network.resolution import SURE
from layerwise.core.runs.streaming.blocks import BLOCK, SINGLE_PRODUCTS

WIDTHS = (512, 2048, BLOCK, 16384)


def draw(n_stimuli: int, n_units: int) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Activations of several kinds that have a few directions in common."""
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(n_stimuli, n_units))
    mixed += rng.normal(size=(n_stimuli, 8)) @ rng.normal(size=(8, n_units))
    yield "normal", mixed.astype(np.float32)
    yield "rectified", np.maximum(mixed, 0).astype(np.float32)
    yield "sparse", np.maximum(mixed - 2 * mixed.std(), 0).astype(np.float32)
    yield "large biases", (mixed + 1000 * rng.normal(size=n_units)).astype(np.float32)


def measure(rows: NDArray[np.float32], width: int) -> NDArray[np.float64]:
    """The error of each pair's product, over both lengths."""
    centred = rows - rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    exact = centred.astype(np.float64) @ centred.T.astype(np.float64)
    found = np.zeros_like(exact)
    for start in range(0, rows.shape[1], width):
        block = np.ascontiguousarray(centred[:, start : start + width])
        found += block @ block.T
    length = np.sqrt(np.diagonal(exact))
    pairs = np.triu_indices(len(rows), 1)
    off: NDArray[np.float64] = ((found - exact) / np.outer(length, length))[pairs]
    return off


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stimuli", type=int, default=500)
    parser.add_argument("--units", type=int, default=32768)
    options = parser.parse_args()
    allowed = SURE * SINGLE_PRODUCTS.products
    print(f"{'activations':14}{'block':>8}{'deviation':>12}{'largest':>12}{'exceeded':>10}")
    with single_threaded_blas():
        for name, rows in draw(options.stimuli, options.units):
            for width in WIDTHS:
                off = measure(rows, width)
                worst, beyond = np.abs(off).max(), float((np.abs(off) > allowed).mean())
                print(f"{name:14}{width:8}{np.sqrt(np.mean(off**2)):12.1e}{worst:12.1e}{beyond:10.1e}")


if __name__ == "__main__":
    main()
