"""How often each kind of interval covers the truth, and how often the permutation test is fooled: docs/inference.md.

python benchmarks/coverage.py [--simulations 500] [--comparators rsa-pearson cka-debiased]
"""

from __future__ import annotations

import argparse

from layerwise.core.inference.simulation import (
    POPULATIONS,
    find_truth,
    measure_coverage,
    measure_difference_coverage,
    measure_false_positives,
)
from layerwise.core.measures import find_measure
from layerwise.plugins import load_plugins


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=500)
    parser.add_argument("--resamples", type=int, default=300)
    parser.add_argument("--stimuli", type=int, nargs="+", default=[20, 40, 60])
    parser.add_argument("--populations", nargs="+", default=list(POPULATIONS))
    parser.add_argument("--comparators", nargs="+", default=["rsa-pearson"])
    parser.add_argument("--skip-tests", action="store_true")
    wanted = parser.parse_args()
    registry = load_plugins()
    n = wanted.simulations
    for name in wanted.comparators:
        measure = find_measure(registry, name)
        for population in wanted.populations:
            truth = find_truth(measure, POPULATIONS[population])
            for n_stimuli in wanted.stimuli:
                found = measure_coverage(measure, POPULATIONS[population], truth, n_stimuli, n, wanted.resamples)
                shares = " ".join(
                    f"{method} {item.share:.3f} ({item.n_below}<,{item.n_above}>, {item.width:.3f})"
                    for method, item in found.items()
                )
                print(f"{name} {population} truth {truth:.4f} n {n_stimuli}: {shares}", flush=True)
        if wanted.skip_tests:
            continue
        for n_stimuli in wanted.stimuli:
            differences = measure_difference_coverage(
                measure, POPULATIONS["moderate"], n_stimuli, n, wanted.resamples
            )
            shares = " ".join(f"{method} {item.share:.3f}" for method, item in differences.items())
            print(f"{name} difference n {n_stimuli}: {shares}", flush=True)
            p = measure_false_positives(measure, POPULATIONS["none"], n_stimuli, n)
            print(f"{name} permutation test n {n_stimuli}: p <= 0.05 in {(p <= 0.05).mean():.3f}", flush=True)


if __name__ == "__main__":
    main()
