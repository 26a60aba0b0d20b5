"""Which published findings survive calibration, deconfounding and correction: the numbers of docs/which-findings.md.

python benchmarks/published_findings.py sqlite:///layerwise.db TRAINED UNTRAINED [--permutations 1000]
"""

from __future__ import annotations

import argparse
import itertools

import numpy as np
from numpy.typing import NDArray

import layerwise as lw

MEASURES = ("rsa-pearson", "cka", "cka-debiased")
BRANCHES = ("mixed4d/1x1", "mixed4d/3x3", "mixed4d/5x5", "mixed4d/pool")
Table = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("history")
    parser.add_argument("trained")
    parser.add_argument("untrained")
    parser.add_argument("--permutations", type=int, default=1000)
    wanted = parser.parse_args()
    with lw.History(wanted.history) as history:
        runs = {"trained": history[wanted.trained], "untrained": history[wanted.untrained]}
        main_layers = history.store.list_layers(runs["trained"].run_id)
        names = [layer.name for layer in main_layers if layer.is_main]
        layers = [*names, *BRANCHES]
        for measure in MEASURES:
            for label, run in runs.items():
                ways = {
                    "raw": np.asarray(run.compare(measure, layers=layers)),
                    "without input": np.asarray(run.compare(measure, layers=layers, partial="input")),
                    "calibrated": calibrate(run, measure, layers, wanted.permutations),
                }
                for way, table in ways.items():
                    order = list(run.compare(measure, layers=layers).rows)
                    tell(f"{label} | {measure} | {way}", table, order, names)
            tell_between(measure, runs["trained"], runs["untrained"], names)


def calibrate(run: lw.Run, measure: str, layers: list[str], n_permutations: int) -> Table:
    return np.asarray(lw.calibrate(run, measure=measure, layers=layers, n_permutations=n_permutations).scores)


def tell(label: str, table: Table, order: list[str], names: list[str]) -> None:
    """Neighbours, the input, the sharpest drop, and the 5x5 branch of mixed4d."""
    place = {name: order.index(name) for name in order}

    def at(one: str, other: str) -> float:
        return float(table[place[one], place[other]])

    steps = {f"{a}-{b}": at(a, b) for a, b in itertools.pairwise(names) if np.isfinite(at(a, b))}
    lowest = min(steps, key=lambda step: steps[step])
    print(f"{label} | neighbours: mean {np.mean(list(steps.values())):.3f}, lowest {steps[lowest]:.3f} ({lowest})")
    towards = [at(names[0], name) for name in names[1:]]
    if np.isfinite(towards).any():
        first = next((name for name, value in zip(names[1:], towards, strict=True) if value < 0.5), "none")
        print(f"{label} | to input: {towards[0]:.3f} first, {towards[-1]:.3f} last, below 0.5 from {first}")
    five, others = BRANCHES[2], [BRANCHES[0], BRANCHES[1], BRANCHES[3]]
    siblings = [at(one, other) for place_, one in enumerate(others) for other in others[place_ + 1 :]]
    own = [at(five, other) for other in others]
    print(f"{label} | 5x5 with siblings {np.mean(own):.3f}, siblings with each other {np.mean(siblings):.3f}")
    output = {name: at(name, names[-1]) for name in BRANCHES}
    print(
        f"{label} | to output: {', '.join(f'{name[8:]} {value:.3f}' for name, value in output.items())}", flush=True
    )


def tell_between(measure: str, trained: lw.Run, untrained: lw.Run, names: list[str]) -> None:
    """The same layers of both networks."""
    for way, partial in (("raw", ()), ("without input", "input")):
        table = np.asarray(trained.compare(measure, other=untrained, layers=names, partial=partial))
        same = {name: float(value) for name, value in zip(names, table.diagonal(), strict=True) if np.isfinite(value)}
        middle = np.mean([value for name, value in same.items() if name not in ("input", "output")])
        shown = ", ".join(f"{name} {same[name]:.3f}" for name in ("conv2d0", "mixed4a", "avgpool0") if name in same)
        print(f"trained with untrained | {measure} | {way} | mean {middle:.3f}; {shown}", flush=True)


if __name__ == "__main__":
    main()
