"""What one chunk of a layer adds to it, and how chunks become the layer: sums that can be merged in any place.

A chunk is all stimuli and some units. Its sums know nothing of the rest of the layer, so that whoever has the chunk
can take them: a thread here, a process on another machine, a device. They are merged in the order of the chunks,
because sums in another order have other last digits; so it never shows who computed what.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import LayerwiseError
from layerwise.core.network.matrices.tiles import TiledGram
from layerwise.core.network.products import Products
from layerwise.core.network.resolution import SINGLE, Resolution, tell_rounding
from layerwise.core.network.summary import LayerSummary, Vector, concatenate_summaries
from layerwise.core.network.tiled_products import TiledProducts

Floats: TypeAlias = NDArray[np.float32]

SINGLE_PRODUCTS = Resolution(activations=SINGLE, products=2.0**-26, near=2.0**-20)
"""Of products in float32: measured on random, rectified and sparse activations, `benchmarks/product_error.py`."""

DOUBLE_PRODUCTS = Resolution(activations=SINGLE)

_N_SAMPLES = 8
_ROWS_AT_ONCE = 256  # rows (and columns) of a matrix that is corrected in place


@dataclass(eq=False)
class PartialSums:
    """Sums of some units of a layer over all stimuli; can be pickled. Provisional until 1.0.

    Attributes:
        gram: float64 (n, n); products of the stimuli, each unit less what is nearly its mean over stimuli. An
            array of NumPy, of the device, or in tiles: until the layer is finished, `+=` is all that is asked of it.
            None where the products of these units come with those of later ones.
        summary: Moments and counts.
        in_double: Whether products were taken in float64.
        is_hard: Whether float32 would not do, for many of the stimuli.
        samples: A few activations, from which it is told how they were rounded.
        activations: float32 (n, n_units), for what is kept; else None.
        states: States of streamed statistics, where they were gathered elsewhere.
    """

    gram: Any
    summary: LayerSummary
    in_double: bool = False
    is_hard: bool = False
    samples: tuple[Floats, ...] = ()
    activations: Floats | None = None
    states: tuple[Any, ...] = field(default_factory=tuple)

    @property
    def n_units(self) -> int:
        """Number of units so far."""
        return self.summary.n_features

    def merge(self, other: PartialSums) -> None:
        """Add the sums of the units that come next; `other` is not used any more."""
        if self.gram is None:
            self.gram = other.gram
        elif other.gram is not None:
            self.gram += other.gram
        self.summary = concatenate_summaries([self.summary, other.summary])
        self.in_double &= other.in_double
        self.is_hard &= other.is_hard
        self.samples = (self.samples + other.samples)[:_N_SAMPLES]
        if self.activations is not None and other.activations is not None:
            self.activations = np.concatenate([self.activations, other.activations], axis=1)

    def finish(self, layer: str) -> tuple[Products | TiledProducts, LayerSummary]:
        """What the layer's representation and statistics are made of, once all of its units are in.

        `gram` must be NumPy's by now, or in tiles; it is changed in place.

        Args:
            layer: What the layer is called in errors.

        Raises:
            LayerwiseError: If some activation is not finite.
        """
        summary, gram = self.summary, self.gram
        refuse_not_finite(layer, np.stack([summary.minimum, summary.maximum], axis=1))
        summary = _settle_constant(summary)
        norm = np.sqrt(np.maximum(summary.power2, 0))
        sums = np.stack([gram.diagonal(), summary.mean, norm], axis=1)
        refuse_not_finite(layer, sums, what="sums of the activations")
        products = DOUBLE_PRODUCTS if self.in_double or self.is_hard else SINGLE_PRODUCTS
        resolution = replace(products, activations=tell_rounding(np.concatenate(self.samples)))
        rest = summary.mean, norm, summary.n_features, resolution, self.is_hard
        if isinstance(gram, TiledGram):
            return TiledProducts(gram, _shift(gram.means()), *rest), summary
        centre(gram)
        return Products(gram, *rest), summary


def _settle_constant(summary: LayerSummary) -> LayerSummary:
    """Where a stimulus's activations are all the same, that is the mean and the powers are 0, despite of rounding."""
    constant: NDArray[np.bool_] = summary.minimum == summary.maximum
    if not constant.any():
        return replace(summary, power2=np.maximum(summary.power2, 0))
    return replace(
        summary,
        mean=np.where(constant, summary.minimum, summary.mean),
        power2=np.where(constant, 0, np.maximum(summary.power2, 0)),
        power3=np.where(constant, 0, summary.power3),
        power4=np.where(constant, 0, summary.power4),
    )


def centre(gram: Vector) -> None:
    """Make summed products (n, n) those of deviations from the exact mean stimulus, and exactly symmetric.

    In place, some rows at a time: the matrix is the largest thing there is when there are many stimuli.
    """
    shift = _shift(gram.mean(axis=0))
    starts = range(0, len(gram), _ROWS_AT_ONCE)
    for start in starts:
        rows = slice(start, start + _ROWS_AT_ONCE)
        gram[rows] -= shift[rows, None] + shift
    for start in starts:
        rows = slice(start, start + _ROWS_AT_ONCE)
        for other in range(start, len(gram), _ROWS_AT_ONCE):
            columns = slice(other, other + _ROWS_AT_ONCE)
            middle = (gram[rows, columns] + gram[columns, rows].T) / 2
            gram[rows, columns] = middle
            gram[columns, rows] = middle.T


def _shift(across: Vector) -> Vector:
    """What to take out of each row and column of a matrix, so that all means are 0; from its means (n,)."""
    return np.asarray(across - across.mean() / 2)


def refuse_not_finite(
    layer: str, values: Floats | Vector, first_stimulus: int = 0, what: str = "activations"
) -> None:
    """Refuse activations that are not finite; `values` have a row for each stimulus from the first one on.

    Raises:
        LayerwiseError: If some are not; names the layer and the first such stimulus.
    """
    finite = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    if not finite.all():
        index = first_stimulus + int(np.argmin(finite))
        raise LayerwiseError(f"{layer}: {what} of stimulus {index} are not finite")


def summarize_units(
    unit_sums: Vector,
    unit_squares: Vector,
    reference: Vector,
    n_stimuli: int,
    *,
    dead: NDArray[np.bool_],
    negative: bool,
) -> tuple[int, float, float]:
    """Number of dead units, sum of the others' lifetime sparseness, and sum of squared variances; see `LayerSummary`.

    Args:
        unit_sums: (k,); sum over stimuli.
        unit_squares: (k,); sum over stimuli of squares about the reference.
        reference: (k,); nearly the mean over stimuli.
        n_stimuli: Number of stimuli n.
        dead: (k,); which units are 0 for every stimulus.
        negative: Whether some activation is below 0, of which there is no sparseness.
    """
    means = unit_sums / n_stimuli
    variances = np.maximum(unit_squares / n_stimuli - (reference - means) ** 2, 0)
    n_dead = int(np.count_nonzero(dead))
    if negative or n_stimuli < 2:
        return n_dead, float("nan"), float(variances @ variances)
    live = ~dead & (means > 0)
    ratio = 1 / (1 + variances[live] / means[live] ** 2)  # mean^2 / mean square
    lifetime = float(np.clip((1 - ratio) / (1 - 1 / n_stimuli), 0, 1).sum())
    return n_dead, lifetime, float(variances @ variances)
