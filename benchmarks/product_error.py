"""How far products of a layer are off that are taken in float32, by the number of units whose products add up there.

    python benchmarks/product_error.py [--stimuli 500] [--units 32768]

Prints for each kind of activations and width of a block the standard deviation and the largest error of a product of
two stimuli less the mean stimulus, over the product of their lengths, against float64; the same over what
`Resolution.dissimilarity_errors` of `partial.SINGLE_PRODUCTS` says; and how often that is exceeded six times.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.blas import single_threaded_blas
from layerwise.core.network.partial import SINGLE_PRODUCTS
from layerwise.core.network.resolution import SURE
from layerwise.core.runs.streaming.chunks import BLOCK

WIDTHS = (512, 2048, BLOCK, 16384)


def draw(n_stimuli: int, n_units: int) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Activations of several kinds that have a few directions in common."""
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(n_stimuli, n_units))
    mixed += rng.normal(size=(n_stimuli, 8)) @ rng.normal(size=(8, n_units))
    yield "normal", mixed.astype(np.float32)
    yield "rectified", np.maximum(mixed, 0).astype(np.float32)
    yield "sparse", np.maximum(mixed - 2 * mixed.std(), 0).astype(np.float32)
    few = rng.normal(size=(n_stimuli, 4)) @ rng.normal(size=(4, n_units))
    yield "four directions", few.astype(np.float32)
    yield "binary", (few > 0).astype(np.float32) * np.float32(0.7)
    yield "large biases", (mixed + 1000 * rng.normal(size=n_units)).astype(np.float32)


def measure(rows: NDArray[np.float32], width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The error of each pair's product, over both lengths, and what it is said to be."""
    centred = rows - rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    exact = centred.astype(np.float64) @ centred.T.astype(np.float64)
    found = np.zeros_like(exact)
    for start in range(0, rows.shape[1], width):
        block = np.ascontiguousarray(centred[:, start : start + width])
        found += block @ block.T
    length = np.sqrt(np.diagonal(exact))
    pairs = np.triu_indices(len(rows), 1)
    off = ((found - exact) / np.outer(length, length))[pairs]
    return off, SINGLE_PRODUCTS.dissimilarity_errors(1 - (exact / np.outer(length, length))[pairs])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stimuli", type=int, default=500)
    parser.add_argument("--units", type=int, default=32768)
    options = parser.parse_args()
    print(f"{'activations':16}{'block':>8}{'deviation':>12}{'largest':>12}{'over said':>12}{'exceeded':>10}")
    with single_threaded_blas():
        for name, rows in draw(options.stimuli, options.units):
            for width in WIDTHS:
                off, said = measure(rows, width)
                off, said = off[said >= SINGLE_PRODUCTS.products], said[said >= SINGLE_PRODUCTS.products]  # not near
                ratio, beyond = np.std(off / said), float((np.abs(off) > SURE * said).mean())
                print(f"{name:16}{width:8}{off.std():12.1e}{np.abs(off).max():12.1e}{ratio:12.2f}{beyond:10.1e}")


if __name__ == "__main__":
    main()
