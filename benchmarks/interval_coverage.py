"""How often each kind of interval covers the truth, and how often the permutation test is fooled: docs/inference.md.

python benchmarks/interval_coverage.py [--simulations 500] [--comparators rsa-pearson cka-debiased]
python benchmarks/interval_coverage.py --comparators cka --biased
python benchmarks/interval_coverage.py --profile    smoothness and crossing, rather than comparisons
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from simulation import (
    POPULATIONS,
    Chain,
    Coverage,
    find_profile_truth,
    find_truth,
    measure_coverage,
    measure_difference_coverage,
    measure_false_positives,
    measure_profile_coverage,
)

from layerwise.core.analysis.measure import find_measure
from layerwise.plugins import load_plugins

N_DRAWS = 2000  # sets of stimuli whose mean is the truth of a biased measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=500)
    parser.add_argument("--resamples", type=int, default=300)
    parser.add_argument("--stimuli", type=int, nargs="+", default=[20, 40, 60])
    parser.add_argument("--populations", nargs="+", default=list(POPULATIONS))
    parser.add_argument("--comparators", nargs="+", default=["rsa-pearson"])
    parser.add_argument("--skip-tests", action="store_true")
    parser.add_argument("--biased", action="store_true", help="the truth is the mean of as many stimuli, as of cka")
    parser.add_argument("--profile", action="store_true", help="numbers of profiles, rather than comparisons")
    wanted = parser.parse_args()
    if wanted.profile:
        cover_profiles(wanted)
    else:
        cover_comparisons(wanted)


def cover_profiles(wanted: argparse.Namespace) -> None:
    """Coverage of a profile's numbers."""
    numbers = ("smoothness", "crossing", "total", "shares:3")
    for name in wanted.comparators:
        measure = find_measure(load_plugins(), name)
        truths = dict(zip(numbers, find_profile_truth(measure, Chain(), numbers), strict=True))
        for n_stimuli in wanted.stimuli:
            covered = measure_profile_coverage(
                measure, Chain(), truths, n_stimuli, wanted.simulations, wanted.resamples
            )
            for number, found in covered.items():
                print(f"{name} {number} truth {truths[number]:.4f} n {n_stimuli}: {describe(found)}", flush=True)


def describe(found: Mapping[str, Coverage]) -> str:
    """Per method: the share covered, (how often the truth was below, above), and the mean width."""
    return " ".join(
        f"{method} {item.share:.3f} ({item.n_below}<,{item.n_above}>, {item.width:.3f})"
        for method, item in found.items()
    )


def cover_comparisons(wanted: argparse.Namespace) -> None:
    """Coverage of comparisons and of paired differences, and false positives."""
    registry = load_plugins()
    n = wanted.simulations
    for name in wanted.comparators:
        measure = find_measure(registry, name)
        for population in wanted.populations:
            truth = find_truth(measure, POPULATIONS[population])
            for n_stimuli in wanted.stimuli:
                if wanted.biased:
                    truth = find_truth(measure, POPULATIONS[population], n_stimuli, N_DRAWS)
                found = measure_coverage(measure, POPULATIONS[population], truth, n_stimuli, n, wanted.resamples)
                print(f"{name} {population} truth {truth:.4f} n {n_stimuli}: {describe(found)}", flush=True)
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
