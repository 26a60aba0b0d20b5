"""Sums over all pairs of stimuli of a layer, taken in one look: pairs may have to be read from a disk."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from layerwise.core.network.matrices.panels import Matrix, Panel, Vector, above_diagonal, read_only
from layerwise.core.network.resolution import Resolution


@dataclass(frozen=True, eq=False)
class Overview:
    """What one look at all pairs tells.

    Attributes:
        spread: Standard deviation of the dissimilarities of different stimuli that are known.
        entry_error: Root of the mean square of the errors of all dissimilarities.
        centred_means: float64 (n,); mean over stimuli of each row of a_i a_j (1 - d_ij).
    """

    spread: float
    entry_error: float
    centred_means: Vector


class Moments:
    """Number, mean and standard deviation of what is finite above the diagonals of panels, added one by one."""

    def __init__(self, origin: float | None = None) -> None:
        """Begin with nothing. The origin is what is taken out of all; None for the mean of the first panel."""
        self.n_known, self._origin, self._total, self._squares = 0, origin, 0.0, 0.0

    def add(self, panel: Matrix) -> None:
        """Take in a panel of the upper triangle, which is spoilt."""
        n_rows, n_columns = panel.shape
        if not np.isfinite(panel.sum()):
            values = above_diagonal(panel)
            self._add(values[np.isfinite(values)])
            return
        n_own = n_rows * (n_rows - 1) // 2
        n_pairs = n_own + n_rows * (n_columns - n_rows)
        if not n_pairs:
            return
        np.fill_diagonal(panel, 0)
        if self._origin is None:  # so that nothing cancels
            self._origin = float(panel[:, :n_rows].sum() / 2 + panel[:, n_rows:].sum()) / n_pairs
        panel -= self._origin
        np.fill_diagonal(panel, 0)
        own, rest = panel[:, :n_rows], panel[:, n_rows:]  # the former has each pair twice
        self.n_known += n_pairs
        self._total += float(own.sum()) / 2 + float(rest.sum())
        self._squares += float(np.einsum("ij,ij", own, own)) / 2 + float(np.einsum("ij,ij", rest, rest))

    def _add(self, known: Vector) -> None:
        if not len(known):
            return
        self._origin = float(known.mean()) if self._origin is None else self._origin
        known -= self._origin
        self.n_known += len(known)
        self._total += float(known.sum())
        self._squares += float(known @ known)

    @property
    def mean(self) -> float:
        """Their mean; NaN of none."""
        return (self._origin or 0.0) + self._total / self.n_known if self.n_known else float("nan")

    @property
    def spread(self) -> float:
        """Their standard deviation (divided by their number); 0 of none."""
        if not self.n_known:
            return 0.0
        return float(np.sqrt(max(self._squares / self.n_known - (self._total / self.n_known) ** 2, 0.0)))

    @property
    def sum_of_squares(self) -> float:
        """Of what they are more than the origin."""
        return self._squares


def find_moments(panels: Iterable[Matrix]) -> tuple[int, float, float]:
    """Number, mean and standard deviation of what is finite above the diagonals of panels, which are spoilt."""
    moments = Moments()
    for panel in panels:
        moments.add(panel)
    return moments.n_known, moments.mean, moments.spread


def look_over(
    deviation: Vector, resolution: Resolution, panels: Iterable[tuple[slice, Panel]], share: float = 1.0
) -> Overview:
    """What one look at all pairs tells.

    Args:
        deviation: (n,); distance of each stimulus from the reference.
        resolution: How well the layer is known.
        panels: All pairs, as `Pairs.upper_panels` gives them.
        share: How many pairs one of these stands for, where they are not all.
    """
    n_stimuli = len(deviation)
    across = np.zeros(n_stimuli)
    spread, errors = Moments(), Moments(origin=0.0)
    for rows, panel in panels:
        products = panel.centred_products()
        across[rows] += products.sum(axis=1)
        across[rows.stop :] += products[:, len(products) :].sum(axis=0)
        apart = panel.dissimilarity()
        errors.add(panel.dissimilarity_errors(apart))
        spread.add(apart)
    itself = float(resolution.dissimilarity_errors(np.zeros(1))[0])
    squares = 2 * share * errors.sum_of_squares + n_stimuli * itself**2
    n_entries = 2 * share * errors.n_known + n_stimuli
    entry_error = float(np.sqrt(squares / n_entries)) if n_entries else float("nan")
    return Overview(spread.spread, entry_error, read_only(across / max(n_stimuli, 1)))
