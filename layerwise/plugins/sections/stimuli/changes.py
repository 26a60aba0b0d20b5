"""Which pairs of stimuli changed most between two layers: more alike in the one than in the other.

Values of two layers are not on one scale: r = 0.4 is nothing special in an early layer, and a lot in a late one. So
each pair has a place in each layer, between the layer's least alike pair (0) and its most alike one (1), and what
counts is how far it moves: how far it lies from the diagonal of the scatter. Ranks would not do: in an output almost
all pairs are equally unlike, and their ranks are noise. Of the pairs that changed most each stimulus is listed once,
in the pair that changed most; otherwise a single odd stimulus would fill the list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.parallel import side_by_side
from layerwise.core.network.representation import strict_upper
from layerwise.report.atlas import ChangedPair, LayerPair, PairMeasure

N_CHANGED = 6


@dataclass(frozen=True, eq=False)
class PlacedPairs:
    """One layer's pairs of stimuli, each of them as in the strict upper triangle by rows.

    Attributes:
        values: float64 (m,); the measure's value of each pair; NaN where undefined.
        places: float32 (m,); from 0, the least alike, to 1, the most; NaN where undefined or where all are the same.
        unit: float64 (m,); `values` centred and of length 1; None where some are undefined or all are the same.
        n_stimuli: Number of stimuli; m = n (n - 1) / 2.
    """

    values: NDArray[np.float64]
    places: NDArray[np.float32]
    unit: NDArray[np.float64] | None
    n_stimuli: int


def place_pairs(matrix: NDArray[np.floating], measure: PairMeasure) -> PlacedPairs:
    """Place a layer's pairs between the least and the most alike of them."""
    values = strict_upper(matrix).astype(np.float64)
    alike = values if measure.kind == "similarity" else -values
    defined = np.isfinite(values)
    low, high = (float(alike[defined].min()), float(alike[defined].max())) if defined.any() else (0.0, 0.0)
    places = (alike - low) / (high - low) if high > low else np.full(len(values), np.nan)
    return PlacedPairs(
        values, places.astype(np.float32), _standardise(values) if defined.all() else None, len(matrix)
    )


def _standardise(values: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Centred values of length 1; None where nothing varies but rounding."""
    centred = values - values.mean() if values.size else values
    length = float(np.linalg.norm(centred))
    largest = float(np.abs(values).max(initial=0.0))
    return centred / length if length > 1e-12 * largest * np.sqrt(len(values)) else None


def correlate(first: PlacedPairs, second: PlacedPairs) -> tuple[float | None, int]:
    """Pearson correlation of two layers' values over the pairs that both define, and the number of these."""
    both = np.isfinite(first.values) & np.isfinite(second.values)
    units = [_standardise(layer.values[both]) for layer in (first, second)]
    if units[0] is None or units[1] is None or both.sum() < 2:
        return None, int(both.sum())
    return float(np.clip(units[0] @ units[1], -1, 1)), int(both.sum())


def correlate_complete(layers: Sequence[PlacedPairs]) -> NDArray[np.float64]:
    """`correlate` of every two layers that define all pairs, in one product; (m, m), NaN for the others."""
    table = np.full((len(layers), len(layers)), np.nan)
    whole = [index for index, layer in enumerate(layers) if layer.unit is not None]
    if whole:
        units = np.stack([layer.unit for layer in layers if layer.unit is not None])
        table[np.ix_(whole, whole)] = np.clip(units @ units.T, -1, 1)
    return table


def find_changed(gain: NDArray[np.float32], n_stimuli: int, n_pairs: int = N_CHANGED) -> list[tuple[int, int]]:
    """The pairs with the largest positive gain, each stimulus once: of pairs that share one, the larger gain.

    Args:
        gain: (m,); of each pair of stimuli, strict upper triangle by rows; without NaN.
        n_stimuli: How many stimuli there are.
        n_pairs: How many pairs at most.
    """
    floor = _high_enough(gain, 8 * n_pairs)
    found: list[tuple[int, int]] = []
    while True:
        places = np.flatnonzero(gain >= floor) if floor > 0 else np.flatnonzero(gain > 0)
        ranked = places[np.argsort(-gain[places], kind="stable")]
        found = _each_once(ranked, n_stimuli, n_pairs)
        if len(found) == n_pairs or floor <= 0:
            return found
        floor = floor / 2 if floor > 1e-3 else 0.0


def _high_enough(gain: NDArray[np.float32], n_places: int) -> float:
    """A gain that at least `n_places` pairs reach, found without sorting them all; 0 where there are fewer."""
    width = len(gain) // (2 * n_places)
    if width < 2:
        return 0.0
    peaks = gain[: 2 * n_places * width].reshape(-1, width).max(axis=1)
    return float(np.partition(peaks, -n_places)[-n_places])


def _each_once(ranked: NDArray[np.intp], n_stimuli: int, n_pairs: int) -> list[tuple[int, int]]:
    """The first pairs of a list that share no stimulus."""
    taken: set[int] = set()
    found: list[tuple[int, int]] = []
    rows, columns = pair_of(ranked, n_stimuli)
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        if row not in taken and column not in taken:
            taken |= {row, column}
            found.append((row, column))
            if len(found) == n_pairs:
                break
    return found


def pair_of(places: NDArray[np.intp], n_stimuli: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of places in the strict upper triangle by rows."""
    starts = np.arange(n_stimuli) * (2 * n_stimuli - np.arange(n_stimuli) - 1) // 2
    rows = np.searchsorted(starts[:-1], places, side="right") - 1
    return rows, places - starts[rows] + rows + 1


def compare_pairs(
    first: PlacedPairs, second: PlacedPairs, layers: tuple[int, int], correlation: float = np.nan
) -> LayerPair:
    """Two layers held against each other; `layers` are their positions in the atlas.

    `correlation` is that of the two where it is known and they define all pairs, else it is found here.
    """
    complete = bool(np.isfinite(correlation))
    known = (correlation, len(first.values)) if complete else correlate(first, second)
    gain = second.places - first.places
    gain = gain if complete else np.nan_to_num(gain)
    joined = [_describe(first, second, pair) for pair in find_changed(gain, first.n_stimuli)]
    parted = [_describe(first, second, pair) for pair in find_changed(-gain, first.n_stimuli)]
    return LayerPair(layers, known[1], known[0], tuple(parted), tuple(joined))


def _describe(first: PlacedPairs, second: PlacedPairs, pair: tuple[int, int]) -> ChangedPair:
    row, column = pair
    place = row * (2 * first.n_stimuli - row - 1) // 2 + column - row - 1
    return ChangedPair(
        row,
        column,
        (float(first.values[place]), float(second.values[place])),
        (float(first.places[place]), float(second.places[place])),
    )


def compare_all_pairs(layers: Sequence[tuple[int, PlacedPairs]]) -> tuple[LayerPair, ...]:
    """Every two of these layers; each comes with its position in the atlas, in order of computation."""
    table = correlate_complete([pairs for _, pairs in layers])

    def compare(ends: tuple[int, int]) -> LayerPair:
        (place, first), (other, second) = (layers[end] for end in ends)
        return compare_pairs(first, second, (place, other), float(table[ends]))

    with side_by_side(True) as spread:
        return tuple(spread(compare, list(combinations(range(len(layers)), 2))))
