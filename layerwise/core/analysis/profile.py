"""How a network turns the similarity of its inputs into that of its outputs, as a few numbers.

Everything here is a pure function of one layer x layer matrix, with the layers in order of computation: the
*step* that each layer takes from the one before, the *share* of all change that this is, where the layers stop being
more like the input than like the output, and how *smooth* the whole transition is.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from layerwise.core.history.profiles import Crossing, Profile

_ROUNDING = 1e-6  # what a measure may be beyond its largest value, as for any comparator
Vector = NDArray[np.float64]


def measure_profile(
    layers: Sequence[str],
    matrix: ArrayLike,
    kind: Literal["similarity", "distance"],
    largest: float = 1.0,
    input_index: int | None = 0,
    output_index: int | None = -1,
) -> Profile:
    """The profile of a layer x layer matrix.

    A step is `largest` minus the similarity of two neighbours, or their distance. With k = m - 1 steps d_1 .. d_k,
    the shares are p_i = d_i / sum d; exp(-sum p_i log p_i) is the number of equal steps as spread out as these (the
    Hill number of order 1: Hill 1973), and smoothness is (that number - 1) / (k - 1).

    Args:
        layers: Names of the m layers, in order of computation.
        matrix: (m, m); row the earlier layer, column the later one; NaN where undefined.
        kind: What the matrix holds.
        largest: The similarity of a layer with itself; not used for distances.
        input_index: Where the input is; None where it is not among the layers.
        output_index: Where the end point is (the logits, or the output); None likewise.
    """
    values = np.asarray(matrix, dtype=np.float64)
    n_layers = len(layers)
    unknown = np.full(n_layers, np.nan)
    to_input = unknown if input_index is None else values[input_index].copy()
    to_output = unknown if output_index is None else values[:, output_index].copy()
    steps = unknown.copy()
    neighbours = np.diagonal(values, 1)
    steps[1:] = largest - neighbours if kind == "similarity" else neighbours
    why_not = _find_obstacle(layers, steps[1:])
    if not why_not:
        steps[1:] = np.maximum(steps[1:], 0)
    shares = unknown.copy()
    smoothness = None
    if not why_not:
        shares[1:] = steps[1:] / steps[1:].sum()
        smoothness = measure_smoothness(steps[1:])
        why_not = "" if smoothness is not None else "one step alone is neither smooth nor abrupt"
    crossings: tuple[Crossing, ...] = ()
    if input_index is None or output_index is None:
        missing = "input" if input_index is None else "output"
        why_not = "; ".join(filter(None, (why_not, f"the {missing} is not among the layers, so nothing crosses")))
    else:
        towards = to_output - to_input if kind == "similarity" else to_input - to_output
        crossings = find_crossings(layers, towards)
    end_point = "" if output_index is None else layers[output_index]
    return Profile(tuple(layers), kind, to_input, to_output, steps, shares, smoothness, crossings, why_not, end_point)


def measure_smoothness(steps: ArrayLike) -> float | None:
    """How evenly a change is spread over k steps: (exp(H) - 1) / (k - 1), H the entropy of their shares.

    Args:
        steps: (k,); never negative, not all 0.

    Returns:
        From 0 (one step carries everything) to 1 (all are equal); None for fewer than two steps.
    """
    sizes = np.asarray(steps, dtype=np.float64)
    if len(sizes) < 2:
        return None
    shares = sizes / sizes.max()  # so that neither tiny nor huge steps leave the range of floats
    shares = shares[shares > 0] / shares.sum()
    entropy = -float((shares * np.log(shares)).sum())
    return min(max((math.exp(entropy) - 1) / (len(sizes) - 1), 0.0), 1.0)


def find_crossings(layers: Sequence[str], towards: ArrayLike) -> tuple[Crossing, ...]:
    """Where a curve along the layers changes sign, interpolated linearly; undefined layers are passed over.

    Args:
        layers: Names of the m layers.
        towards: (m,); how much more a layer is like the output than like the input.
    """
    curve = np.asarray(towards, dtype=np.float64)
    places = [int(index) for index in np.flatnonzero(np.isfinite(curve))]
    scale = max(len(layers) - 1, 1)
    found = []
    signed = [place for place in places if curve[place] != 0]
    for before, after in itertools.pairwise(signed):
        if (curve[before] > 0) == (curve[after] > 0):
            continue
        level = [place for place in places if before < place < after]  # where the curves meet exactly
        if level:
            middle = level[len(level) // 2]
            found.append(Crossing((level[0] + level[-1]) / 2 / scale, layers[middle], layers[middle]))
            continue
        share = abs(curve[before]) / (abs(curve[before]) + abs(curve[after]))
        depth = (before + float(share) * (after - before)) / scale
        found.append(Crossing(depth, layers[before], layers[after]))
    return tuple(found)


def _find_obstacle(layers: Sequence[str], steps: Vector) -> str:
    """Why there are no shares; empty where there are."""
    for (before, after), step in zip(itertools.pairwise(layers), steps, strict=True):
        if not math.isfinite(step):
            return f"the step from {before} to {after} is undefined"
        if step < -_ROUNDING:
            return f"the step from {before} to {after} is negative: the measure exceeds its value for equal layers"
    if not len(steps):
        return "there is only one layer"
    return "" if steps.max() > 0 else "no layer changes anything"
