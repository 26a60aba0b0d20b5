"""How much of what turning a tree's branches can gain an order of its leaves has, for the main layers of a run.

python benchmarks/leaf_order.py HISTORY [--run latest]

The gain is that over the tree's leaves as they come, in the sum of the distances of neighbours; all of it is what the
best order has. SciPy's `optimal_leaf_ordering` beside it.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import squareform

from layerwise.core.history.records import LayerAddress
from layerwise.plugin import open_history
from layerwise.plugins.leaf_order import find_leaf_order


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("history", help="URL of a database: sqlite:///layerwise.db")
    parser.add_argument("--run", default="latest")
    wanted = parser.parse_args()
    print(f"{'layer':12} {'as it is':>9} {'SciPy':>9} {'ours':>9}  SciPy's share  SciPy s  ours s")
    with open_history(wanted.history) as history:
        run = history.find_run(wanted.run)
        for layer in history.list_layers(run.id):
            if layer.is_main:
                representation = history.read_representation(LayerAddress(run.id, layer.name))
                print(measure(layer.name, 1 - representation.correlation.astype(np.float64)), flush=True)


def measure(name: str, distances: NDArray[np.float64]) -> str:
    """A line of the table."""
    np.fill_diagonal(distances, 0)
    condensed = squareform(distances, checks=False)
    tree = linkage(condensed, method="average")
    started = time.perf_counter()
    theirs = leaves_list(optimal_leaf_ordering(tree, condensed))
    between = time.perf_counter()
    ours = find_leaf_order(distances, tree)
    ended = time.perf_counter()
    plain, scipys, best = (length(distances, order) for order in (leaves_list(tree), theirs, ours))
    share = (plain - scipys) / (plain - best)
    times = f"{between - started:8.2f} {ended - between:7.2f}"
    return f"{name:12} {plain:9.3f} {scipys:9.3f} {best:9.3f}  {share:13.0%} {times}"


def length(distances: NDArray[np.float64], order: NDArray[np.intp]) -> float:
    """The sum of the distances of neighbours."""
    return float(distances[order[:-1], order[1:]].sum())


if __name__ == "__main__":
    main()
