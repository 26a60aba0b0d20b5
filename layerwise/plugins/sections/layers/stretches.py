"""Stretchs: stretches of a network in which each layer hardly changes what it gets from the one before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.inference.from_history import ask_intervals
from layerwise.core.base.errors import InputError
from layerwise.core.history.records import RunRecord
from layerwise.report.content import Finding, ReportContext
from layerwise.report.queries import address, chosen_measure, compare_table, main_layers, plan_bands

AGREEMENT = 0.8  # of the measure's largest value: two layers that agree so far are called alike
N_LAYERS_LEAST = 3  # two neighbours alike are one small step


@dataclass(frozen=True)
class Stretch:
    """A stretch of layers.

    Attributes:
        layers: Their names, in order of computation.
        least: The smallest similarity of two neighbours.
        bound: The lowest end of the intervals of all neighbours.
        ends: Similarity of the first layer and the last: small steps add up.
    """

    layers: tuple[str, ...]
    least: float
    bound: float
    ends: float


def find_stretch(
    names: Sequence[str], values: NDArray[np.float64], low: NDArray[np.float64], agreement: float
) -> Stretch | None:
    """The longest stretch in which neighbours agree, as far as intervals carry; of equally long ones the first.

    Args:
        names: The m layers, in order of computation.
        values: (m, m); similarities.
        low: (m, m); lower ends of their intervals, NaN where there is none.
        agreement: From where on two layers agree.
    """
    alike = np.diagonal(low, 1) >= agreement  # never of a NaN
    best = (0, 0)
    start = 0
    for place, holds in enumerate([*alike, False]):
        if holds:
            continue
        if place - start > best[1] - best[0]:
            best = (start, place)
        start = place + 1
    first, last = best
    if last - first + 1 < N_LAYERS_LEAST:
        return None
    least, bound = (float(np.diagonal(matrix, 1)[first:last].min()) for matrix in (values, low))
    return Stretch(tuple(names[first : last + 1]), least, bound, float(values[first, last]))


def query_stretch(context: ReportContext, run: RunRecord) -> Stretch | None:
    """The longest such stretch of a run's main layers; None without intervals or a largest value of the measure."""
    measure = chosen_measure(context)
    largest = measure.comparator.offer.value_range[1]
    plan = plan_bands(context, measure)
    layers = main_layers(context, run)
    if measure.kind != "similarity" or largest is None or plan is None or len(layers) < N_LAYERS_LEAST:
        return None
    addresses = [address(context, run, layer) for layer in layers]
    try:
        table = ask_intervals(context.history, measure, addresses, plan)
    except InputError:  # too few stimuli
        return None
    values = np.asarray(compare_table(context, addresses).matrix, dtype=np.float64)
    return find_stretch([layer.name for layer in layers], values, table.low, AGREEMENT * largest)


def tell_stretch(stretch: Stretch) -> Finding:
    """The sentence on it."""
    first, last = stretch.layers[0], stretch.layers[-1]
    least, bound = (f"{math.floor(100 * number) / 100:.2f}" for number in (stretch.least, stretch.bound))
    text = (
        f"Steps are small from {first} to {last}: neighbours are similar by {least} or more (intervals from "
        f"{bound}). They add up: the two ends of these {len(stretch.layers)} layers are similar by "
        f"{stretch.ends:.2f}."
    )
    return Finding(text, "layers", 0.7)
