"""What is known of a layer's pairs of stimuli, however it is held: in memory, or where it is stored.

Vectors of one number a stimulus are always at hand; what is known of pairs comes in panels of a few rows, and sums
over all pairs are taken from these. So whoever asks no more needs no matrix in memory.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.base.spool import Spool
from layerwise.core.network.matrices.overview import Overview, find_moments, look_over
from layerwise.core.network.matrices.panels import Matrix, Panel, Side
from layerwise.core.network.resolution import Resolution, deviation_of

_LEAST_INSIDE = 1e-6


class Pairs(ABC):
    """A layer's activations for n stimuli, as far as distances between them say.

    Attributes:
        deviation: float64 (n,); distance of each stimulus from a reference, of runs the mean stimulus.
        mean: float64 (n,); mean over units.
        norm: float64 (n,); Euclidean norm of the activation vector less its mean over units, 0 where constant.
        n_features: Number of units.
        resolution: How well it is known.
        has_zero: Whether similarities have a zero that means something.
        landmarks: With how many stimuli, the first ones, pairs are known (`landmarks`); None where all are.
    """

    deviation: NDArray[np.float64]
    mean: NDArray[np.float64]
    norm: NDArray[np.float64]
    n_features: int
    resolution: Resolution
    has_zero: bool
    landmarks: int | None = None

    @abstractmethod
    def upper_panels(self, n_rows: int | None = None) -> Iterator[tuple[slice, Panel]]:
        """All pairs of different stimuli once: some rows at a time, each with the columns from its first row on.

        The first columns of a panel, as many as it has rows, are pairs among the rows themselves: each twice, and the
        stimuli with themselves. `above_diagonal` leaves these out.

        Args:
            n_rows: How many rows at a time; None for as many as a cache holds.
        """

    @property
    @abstractmethod
    def entry_type(self) -> np.dtype[np.floating]:
        """The type in which pairs are stored: float32, or float64 where that is needed."""

    def make_spool(self) -> Spool | None:
        """A file for a copy of its pairs, where these lie on disk because memory is short; None for memory."""
        return None

    @property
    def n_stimuli(self) -> int:
        """Number of stimuli."""
        return len(self.mean)

    @property
    def constant(self) -> NDArray[np.intp]:
        """Indices of the stimuli with constant activations, whose correlations are undefined."""
        return np.flatnonzero(self.norm == 0)

    @property
    def undefined(self) -> NDArray[np.intp]:
        """Indices of the stimuli of which an imported matrix says nothing."""
        is_known = np.isfinite(self.centred_means).all()
        return np.empty(0, dtype=np.intp) if is_known else self._count_unknown()

    def _count_unknown(self) -> NDArray[np.intp]:
        n_unknown = np.zeros(self.n_stimuli, dtype=np.intp)
        for rows, panel in self.upper_panels():
            unknown = np.isnan(panel.entries)
            n_unknown[rows] += unknown.sum(axis=1)
            n_unknown[rows.stop :] += unknown[:, len(unknown) :].sum(axis=0)
        return np.flatnonzero(n_unknown >= max(self.n_stimuli - 1, 1))

    def require_finite(self) -> None:
        """Make sure that all activations were finite numbers, as those of a run are.

        Raises:
            InputError: If some were not; says how many stimuli.
        """
        n_spoilt = int((~np.isfinite(self.norm) | ~np.isfinite(self.mean)).sum())
        if n_spoilt:
            raise InputError(f"{n_spoilt} of {self.n_stimuli} stimuli have activations that are not finite")

    def require_all(self) -> None:
        """Make sure that all stimuli are known, of which Gram matrices need every one.

        Raises:
            InputError: If some activations are not finite, or nothing is known of some stimuli.
        """
        self.require_finite()
        if n_undefined := len(self.undefined):
            raise InputError(f"nothing is known of {n_undefined} of {self.n_stimuli} stimuli")

    @cached_property
    def _side(self) -> Side:
        return Side(self.deviation, self.mean, self.norm)

    # How well it is known

    @property
    def length(self) -> NDArray[np.float64]:
        """|x_i|, (n,)."""
        return self._side.length(self.n_features)

    @property
    def length_errors(self) -> NDArray[np.float64]:
        """The standard deviation of the error of |x_i|, (n,): what is left of sums over what distinguishes it."""
        known = self.resolution.dissimilarity_errors(np.ones(1))[0] * 4
        return np.asarray(np.maximum(known * self.deviation, 2.0**-52 * self.length))

    @property
    def activation_noise(self) -> NDArray[np.float64]:
        """Length of the vector of rounding errors of each stimulus's activations, (n,)."""
        return deviation_of(self.resolution.activations) * self.length

    # Sums over all pairs

    @cached_property
    def centred_sums(self) -> tuple[float, float]:
        """Trace and squared Frobenius norm of `column_centred_gram`, without that matrix: sums over panels.

        The sum of its eigenvalues, and of their squares.

        Raises:
            InputError: If some activations are not finite, or nothing is known of some stimuli.
        """
        self.require_all()
        across = self.centred_means
        trace, squares = 0.0, 0.0
        for rows, panel in self.upper_panels():
            centred = panel.centred_products()
            centred -= across[rows.start :] - across.mean()
            centred -= across[rows, None]
            own, other = centred[:, : len(centred)], centred[:, len(centred) :]
            trace += float(np.einsum("ii", own))
            squares += float(np.einsum("ij,ij", own, own)) + 2 * float(np.einsum("ij,ij", other, other))
        return trace, squares

    @cached_property
    def _overview(self) -> Overview:
        return look_over(self.deviation, self.resolution, self.upper_panels())

    @property
    def centred_means(self) -> NDArray[np.float64]:
        """Mean over stimuli of each row of a_i a_j (1 - d_ij), (n,): 0 where the reference is their mean.

        What is taken out of rows and columns to make `column_centred_gram` of it, and their mean put back.
        """
        return self._overview.centred_means

    @property
    def gram_error(self) -> float:
        """Frobenius norm of the error of `column_centred_gram`.

        Without knowledge of single entries: those of products and storage go with a_i a_j, those of activations with
        (a_i |e_j| + a_j |e_i|) / sqrt(p).
        """
        squares, noise = self.deviation @ self.deviation, self.activation_noise @ self.activation_noise
        return float(np.hypot(self._entry_error * squares, np.sqrt(2 * squares * noise / self.n_features) + noise))

    @property
    def _entry_error(self) -> float:
        """Of an entry of a Gram matrix over both deviations: the mean square's root, of products and storage."""
        return self._overview.entry_error

    @cached_property
    def correlation_moments(self) -> tuple[int, float, float]:
        """Of 1 - correlation over all pairs of different stimuli that have one: number, mean, standard deviation."""
        if not self.has_zero:
            return find_moments(self._scaled_distances())
        return find_moments(panel.correlation_distances() for _, panel in self.upper_panels())

    def _scaled_distances(self) -> Iterator[Matrix]:
        """What stands for 1 - correlation where only distances are known: these, scaled to lie between 0 and 1."""
        lowest, highest = 0.0, -np.inf
        for _, panel in self.upper_panels():
            known = panel.squared_distances()
            lowest, highest = min(lowest, float(np.nanmin(known))), max(highest, float(np.nanmax(known)))
        for rows, panel in self.upper_panels():
            scaled = (panel.squared_distances() - lowest) / (highest - lowest or 1.0)
            scaled[self.norm[rows] == 0, :] = scaled[:, self.norm[rows.start :] == 0] = np.nan
            yield scaled

    @cached_property
    def blur(self) -> float:
        """What share of the differences between pairs of stimuli is nothing but error: 0 is sharp, 1 is noise.

        The larger of that of distances and of what is left of them once means and norms are taken out.
        """
        size = float(self.deviation @ self.deviation)
        spread = self._overview.spread
        if not size * spread > 0:
            return 1.0
        outside = self.n_stimuli * (self.n_features * np.var(self.mean) + np.var(self.norm)) / size
        inside = max(1 - float(outside), _LEAST_INSIDE)
        return min(self.gram_error / (size * spread * inside), 1.0)
