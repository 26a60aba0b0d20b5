"""How often `layerwise check` is wrong, and how often it tells: the tables of docs/checks.md.

python benchmarks/check_size_and_power.py [--checks 500] [--comparators rsa-pearson cka-debiased]
"""

from __future__ import annotations

import argparse

from check_simulation import ChangedNetwork, measure_check

from layerwise.core.analysis.measure import find_measure
from layerwise.plugins import load_plugins


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checks", type=int, default=500)
    parser.add_argument("--resamples", type=int, default=200)
    parser.add_argument("--layers", type=int, default=10)
    parser.add_argument("--stimuli", type=int, nargs="+", default=[32, 64, 128])
    parser.add_argument("--change", type=float, nargs="+", default=[0.1])
    parser.add_argument("--ratios", type=float, nargs="+", default=[0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0])
    parser.add_argument("--comparators", nargs="+", default=["rsa-pearson"])
    wanted = parser.parse_args()
    registry = load_plugins()
    print("measure | truth | change in margins | n | any pass | all pass | any fail | layers pass | layers fail")
    for name in wanted.comparators:
        measure = find_measure(registry, name)
        for change in wanted.change:
            network = ChangedNetwork(wanted.layers, change)
            truths = network.find_truths(measure)
            for ratio in wanted.ratios:
                for n in wanted.stimuli:
                    rates = measure_check(measure, network, truths, ratio, n, wanted.checks, wanted.resamples)
                    shown = (rates.any_pass, rates.all_pass, rates.any_fail, rates.layers_pass, rates.layers_fail)
                    row = " | ".join(f"{value:.3f}" for value in shown)
                    print(f"{name} | {truths.mean():.3f} | {ratio:g} | {n} | {row}", flush=True)


if __name__ == "__main__":
    main()
