"""Layers of which only pairs with some of the stimuli are known, the landmarks: n x m numbers in place of n x n.

The first m stimuli are landmarks, so what is known are the first m rows of the upper triangle. Vectors of one number
a stimulus are those of all n: lengths about the mean of all stimuli, means, norms. What is a mean over pairs is taken
over the n x m, and what is a sum over all pairs is estimated from them: each pair of different stimuli stands for as
many as there are of all over those that are known, and what stimuli are with themselves is exact. So where the
landmarks are drawn at random, sums are right on average.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.base.spool import Spool
from layerwise.core.network.matrices.overview import Overview, look_over
from layerwise.core.network.matrices.pairs import Pairs
from layerwise.core.network.matrices.panels import Panel, panels, read_only
from layerwise.core.network.resolution import Resolution

LEAST_LANDMARKS = 3


def count_pairs(n_stimuli: int, n_landmarks: int | None = None) -> int:
    """Pairs of different stimuli of which at least one is a landmark; None where all are."""
    n_rows = n_stimuli if n_landmarks is None else n_landmarks
    return n_rows * (2 * n_stimuli - n_rows - 1) // 2


def check_landmarks(n_landmarks: int, n_stimuli: int) -> None:
    """Make sure that so many of the stimuli can be landmarks.

    Raises:
        InputError: If there are too few, or no more stimuli than that.
    """
    if n_landmarks < LEAST_LANDMARKS:
        raise InputError(f"--landmarks {n_landmarks}: at least {LEAST_LANDMARKS} are needed")
    if n_landmarks >= n_stimuli:
        raise InputError(
            f"--landmarks {n_landmarks} of {n_stimuli} stimuli: all pairs would be kept, which a run does without it"
        )


def describe_landmarks(run_id: str, n_landmarks: int, what: str = "what was asked for") -> str:
    """Why something cannot be had of a run with landmarks, and what has it, in one line."""
    return (
        f"{what} needs all pairs of stimuli, and run {run_id} keeps those with its first {n_landmarks:,} stimuli "
        f"alone (--landmarks); a run with --limit {n_landmarks} has all pairs of these"
    )


class LandmarkPairs(Pairs):
    """A layer's pairs with its landmarks, of whatever knows these pairs.

    Attributes:
        landmarks: Number of landmarks m, the first stimuli.
    """

    landmarks: int

    def __init__(self, layer: Pairs, n_landmarks: int) -> None:
        """Stand before a layer.

        Args:
            layer: Knows at least the first rows of the upper triangle, about the mean of all its stimuli.
            n_landmarks: How many.

        Raises:
            InputError: If it knows fewer, or was not computed from activations, so that its reference is no mean.
        """
        check_landmarks(n_landmarks, layer.n_stimuli)
        if (layer.landmarks or layer.n_stimuli) < n_landmarks:
            raise InputError(f"pairs with {layer.landmarks} stimuli are known, not with {n_landmarks}")
        if not layer.has_zero:
            raise InputError("imported distances have no mean stimulus, which comparing by landmarks needs")
        self._layer, self.landmarks = layer, n_landmarks
        self.deviation, self.mean, self.norm = layer.deviation, layer.mean, layer.norm
        self.n_features, self.resolution, self.has_zero = layer.n_features, layer.resolution, layer.has_zero

    @property
    def entry_type(self) -> np.dtype[np.floating]:
        """The type in which pairs are stored."""
        return self._layer.entry_type

    def make_spool(self) -> Spool | None:
        """Where the layer's own lies."""
        return self._layer.make_spool()

    def upper_panels(self, n_rows: int | None = None) -> Iterator[tuple[slice, Panel]]:
        """Pairs with landmarks once: the first rows of what `Pairs` has."""
        for rows, panel in self._layer.upper_panels(n_rows):
            if rows.start >= self.landmarks:
                return
            if rows.stop <= self.landmarks:
                yield rows, panel
                continue
            n_left = self.landmarks - rows.start
            few = replace(panel, entries=panel.entries[:n_left], rows=panel.rows.take(slice(n_left)))
            yield slice(rows.start, self.landmarks), few

    @property
    def undefined(self) -> NDArray[np.intp]:
        """None: they were computed."""
        return np.empty(0, dtype=np.intp)

    @property
    def share(self) -> float:
        """How many pairs of different stimuli one that is known stands for."""
        return count_pairs(self.n_stimuli) / count_pairs(self.n_stimuli, self.landmarks)

    @cached_property
    def centred_sums(self) -> tuple[float, float]:
        """Trace of `column_centred_gram`, which is exact, and its squared Frobenius norm as it is estimated.

        A stimulus that is far from the mean has a long row. So the squares of the landmarks' rows stand for those of
        all in proportion to the trace (a ratio estimator): where all stimuli lie on a line that is exact, and the
        participation ratio is never below 1.
        """
        self.require_all()
        squares = self.deviation**2
        lengths = np.zeros(self.n_stimuli)  # of rows, squared
        for rows, panel in self.upper_panels():
            products = panel.centred_products()
            products *= products
            lengths[rows] += products.sum(axis=1)
            lengths[rows.stop :] += products[:, len(products) :].sum(axis=0)
        known = float(squares[: self.landmarks].sum())
        trace = float(squares.sum())
        return trace, trace * float(lengths[: self.landmarks].sum()) / known if known > 0 else 0.0

    @cached_property
    def _overview(self) -> Overview:
        """As of all pairs; the reference is their mean, so that means of rows are 0."""
        found = look_over(self.deviation, self.resolution, self.upper_panels(), self.share)
        return replace(found, centred_means=read_only(np.zeros(self.n_stimuli)))


@dataclass(eq=False)
class LandmarkRows(Pairs):
    """Pairs with landmarks, in memory.

    Attributes:
        entries: (m, n); rows of a representation's entries.
        deviation: As of `Pairs`.
        mean: Likewise.
        norm: Likewise.
        n_features: Likewise.
        resolution: Likewise.
        has_zero: Likewise.
    """

    entries: NDArray[np.floating]
    deviation: NDArray[np.float64]
    mean: NDArray[np.float64]
    norm: NDArray[np.float64]
    n_features: int
    resolution: Resolution
    has_zero: bool = True

    def __post_init__(self) -> None:
        self.landmarks = len(self.entries)
        for name in ("entries", "deviation", "mean", "norm"):
            setattr(self, name, read_only(getattr(self, name)))

    @property
    def entry_type(self) -> np.dtype[np.floating]:
        """The type in which pairs are stored."""
        return self.entries.dtype

    def upper_panels(self, n_rows: int | None = None) -> Iterator[tuple[slice, Panel]]:
        """Pairs with landmarks once."""
        for rows in panels(len(self.entries), n_rows):
            rest = slice(rows.start, None)
            sides = self._side.take(rows), self._side.take(rest)
            yield rows, Panel(self.entries[rows, rest], *sides, self.n_features, self.resolution)


def hold_landmarks(layer: Pairs) -> LandmarkPairs:
    """The layer's pairs with its landmarks, copied into memory."""
    n_landmarks = layer.landmarks or 0
    entries = np.empty((n_landmarks, layer.n_stimuli), dtype=layer.entry_type)
    for rows, panel in layer.upper_panels():
        n_below = n_landmarks - rows.start
        entries[rows, rows.start :] = panel.entries
        entries[rows.start :, rows] = panel.entries[:, :n_below].T
    deviation, mean, norm = (np.array(vector) for vector in (layer.deviation, layer.mean, layer.norm))
    rows_held = LandmarkRows(entries, deviation, mean, norm, layer.n_features, layer.resolution)
    return LandmarkPairs(rows_held, n_landmarks)
