"""What one wide layer costs, from activations in memory to its correlation matrix, and one comparison of two such.

    python benchmarks/one_layer.py [--features 200000] [--stimuli 500] [--rounds 3] [--theirs 200000]

Measured in turns, on one thread: the products alone at the rate at which this machine multiplies a matrix with its
own transpose (`syrk`, blocks of 4,096 columns); Layerwise, as an engine sums a layer: chunks, all moments and counts,
the representation; and rsatoolbox's `calc_rdm(method="correlation")`, of the first `--theirs` features where all of
them would take too long: what it costs is in proportion to their number. Then the second-order step: RSA of two
stored layers against rsatoolbox's `compare` of two sets of distances. Checks that both give the same. Processor
seconds, medians (rsatoolbox's layer once); the ratios are kept in a file (`figures.py`). Needs `pip install
rsatoolbox`.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from figures import keep
from numpy.typing import NDArray
from scipy.linalg.blas import ssyrk

from layerwise.core.analysis.measure import find_measure
from layerwise.core.base.blas import single_threaded_blas
from layerwise.core.network.representation import Representation
from layerwise.core.runs.streaming.chunks import BLOCK
from layerwise.core.runs.streaming.host_arrays import HostArrays
from layerwise.core.runs.streaming.plan import chunk_width
from layerwise.plugins import load_plugins

Values = NDArray[np.float32]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("features", 200_000), ("stimuli", 500), ("rounds", 3), ("theirs", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    chunks = draw_chunks(options.stimuli, options.features)
    registry, arrays = load_plugins(), HostArrays()
    with single_threaded_blas():
        boil_down(arrays, chunks[:1])  # which loads what is compiled
        seconds: dict[str, list[float]] = {}
        n_theirs = min(options.theirs or options.features, options.features)
        n_chunks = -(-n_theirs // chunks[0].shape[1])
        whole = np.concatenate([chunk.astype(np.float64) for chunk in chunks[:n_chunks]], axis=1)[:, :n_theirs]
        ways: dict[str, Callable[[], Any]] = {
            "syrk alone": partial(multiply, chunks),
            "layerwise": partial(boil_down, arrays, chunks),
        }
        found = measure(ways, options.rounds, seconds)
        found |= measure({"rsatoolbox": partial(ask_rsatoolbox, whole)}, 1, seconds)  # which takes its time
        seconds["rsatoolbox"][0] *= options.features / n_theirs
        layer, rdm = boil_down(arrays, [whole.astype(np.float32)]), found["rsatoolbox"]
        upper = np.triu_indices(options.stimuli, 1)
        np.testing.assert_allclose(1 - layer.correlation[upper], rdm.dissimilarities[0], atol=1e-5)
        other_rows = whole[:, : n_theirs // 2]
        other, other_rdm = boil_down(arrays, [other_rows.astype(np.float32)]), ask_rsatoolbox(other_rows)
        compared = measure(
            {
                "RSA, layerwise": partial(compare, registry, layer, other),
                "RSA, rsatoolbox": partial(compare_rsatoolbox, rdm, other_rdm),
            },
            options.rounds,
            seconds,
        )
    np.testing.assert_allclose(compared["RSA, layerwise"], compared["RSA, rsatoolbox"], atol=1e-5)
    print_table(seconds, options)


def draw_chunks(n_stimuli: int, n_features: int) -> list[Values]:
    """Rectified activations with something in common, as an engine's buffer has them."""
    rng, width = np.random.default_rng(0), chunk_width(n_stimuli)
    common = rng.normal(size=(n_stimuli, 10)).astype(np.float32)
    found = []
    for start in range(0, n_features, width):
        size = min(width, n_features - start)
        values = common @ rng.standard_normal((10, size), dtype=np.float32)
        values += rng.standard_normal((n_stimuli, size), dtype=np.float32)
        found.append(np.maximum(values, 0, out=values))
    return found


def multiply(chunks: list[Values]) -> NDArray[np.float64]:
    """Nothing but the products."""
    gram = np.zeros((len(chunks[0]), len(chunks[0])))
    for chunk in chunks:
        for start in range(0, chunk.shape[1], BLOCK):
            gram += ssyrk(1.0, chunk[:, start : start + BLOCK].T, trans=1, lower=1)
    return gram


def boil_down(arrays: HostArrays, chunks: list[Values]) -> Representation:
    """A layer as a run has it."""
    total = arrays.sum_chunk(chunks[0], in_double=False)
    for chunk in chunks[1:]:
        total.merge(arrays.sum_chunk(chunk, in_double=False))
    products, _ = total.finish("the layer")
    representation = products.represent()
    assert isinstance(representation, Representation)  # and no pairs in tiles, which more stimuli would be
    representation.correlation  # noqa: B018 - the matrix that rsatoolbox gives
    return representation


def ask_rsatoolbox(rows: NDArray[np.float64]) -> Any:
    """A layer as rsatoolbox has it."""
    from rsatoolbox.data import Dataset
    from rsatoolbox.rdm import calc_rdm

    return calc_rdm(Dataset(rows), method="correlation")


def compare(registry: Any, first: Representation, second: Representation) -> float:
    """RSA of two layers, nothing prepared."""
    measured = find_measure(registry, "rsa-pearson", metric="correlation-distance")
    return float(measured.compare(measured.prepare(first), measured.prepare(second)))


def compare_rsatoolbox(first: Any, second: Any) -> float:
    """The same."""
    from rsatoolbox.rdm import compare as compare_rdms

    return float(compare_rdms(first, second, method="corr")[0, 0])


def measure(ways: dict[str, Callable[[], Any]], n_rounds: int, seconds: dict[str, list[float]]) -> dict[str, Any]:
    """Each way in turns; what came out last."""
    found = {}
    for _ in range(n_rounds):
        for name, work in ways.items():
            began = time.process_time()
            found[name] = work()
            seconds.setdefault(name, []).append(time.process_time() - began)
    return found


def print_table(seconds: dict[str, list[float]], options: argparse.Namespace) -> None:
    """Medians and ratios."""
    print(f"{options.stimuli} stimuli, {options.features:,} features; processor seconds, medians of {options.rounds}")
    middle = {name: statistics.median(each) for name, each in seconds.items()}
    for name, value in middle.items():
        print(f"{name:<20}{value:>10.3f}")
    ratios = {
        "share of the syrk rate": middle["syrk alone"] / middle["layerwise"],
        "rsatoolbox / layerwise, one layer": middle["rsatoolbox"] / middle["layerwise"],
        "rsatoolbox / layerwise, RSA": middle["RSA, rsatoolbox"] / middle["RSA, layerwise"],
    }
    keep("one layer", ratios)


if __name__ == "__main__":
    main()
