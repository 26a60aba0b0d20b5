"""The products of many stimuli, in tiles, and the representation that follows from them, never held whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.spool import Spool
from layerwise.core.network.matrices.compact import compact
from layerwise.core.network.matrices.pairs import Pairs
from layerwise.core.network.matrices.panels import Panel, Side, panels, read_only
from layerwise.core.network.matrices.tiles import TiledGram
from layerwise.core.network.products import add_norms, keeps_double
from layerwise.core.network.resolution import EXACT, Resolution

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TiledProducts:
    """Sums that a representation is made of, as `Products` holds them, for more stimuli than a matrix is held of.

    Attributes:
        gram: Products of the stimuli, each unit less what is nearly its mean over stimuli.
        shift: float64 (n,); what must be taken out of each row and column of `gram`, so that the mean is exact.
        mean: float64 (n,); mean over units.
        norm: float64 (n,); Euclidean norm of each activation vector less its mean; 0 exactly where it is constant.
        n_features: Number of units.
        resolution: How well they are known.
        is_hard: Whether float32 would lose what distinguishes most of the stimuli.
    """

    gram: TiledGram
    shift: Vector
    mean: Vector
    norm: Vector
    n_features: int
    resolution: Resolution = EXACT
    is_hard: bool = False

    def represent(self) -> TiledPairs:
        """The representation; the products must be left as they are while it is used."""
        return TiledPairs(self)


class TiledPairs(Pairs):
    """A layer of which pairs are computed from its products whenever they are asked for, a few rows at a time."""

    def __init__(self, products: TiledProducts) -> None:
        """Stand before the products."""
        in_double = products.is_hard or keeps_double(len(products.mean), products.n_features)
        squares = products.gram.diagonal() - 2 * products.shift
        self.deviation = read_only(np.sqrt(np.clip(squares, 0, None)))
        self.mean, self.norm = read_only(products.mean), read_only(products.norm)
        self.n_features, self.resolution, self.has_zero = products.n_features, products.resolution, True
        self._gram, self._shift = products.gram, products.shift
        self.landmarks = products.gram.n_landmarks
        self._type: np.dtype[np.floating] = np.dtype(np.float64) if in_double else np.dtype(np.float32)

    @property
    def entry_type(self) -> np.dtype[np.floating]:
        """The type in which pairs are stored."""
        return self._type

    def make_spool(self) -> Spool | None:
        """Where the products lie."""
        return self._gram.make_spool()

    def upper_panels(self, n_rows: int | None = None) -> Iterator[tuple[slice, Panel]]:
        """All pairs of different stimuli once; see `Pairs`."""
        side = Side(self.deviation, self.mean, self.norm)
        for rows in panels(self.landmarks or self.n_stimuli, n_rows):
            apart = self._dissimilarity(rows)
            entries = apart if self._type == np.float64 else compact(apart)
            rest = side.take(slice(rows.start, None))
            yield rows, Panel(read_only(entries), side.take(rows), rest, self.n_features, self.resolution)

    def _dissimilarity(self, rows: slice) -> Matrix:
        """1 - cosine of some stimuli with those from the first of them on."""
        own, others = self.deviation[rows], self.deviation[rows.start :]
        apart = self._gram.read_rows(rows)
        apart -= np.add.outer(self._shift[rows], self._shift[rows.start :])
        with np.errstate(invalid="ignore", divide="ignore"):
            apart /= np.multiply.outer(own, others)
        np.subtract(1, apart, out=apart)
        at_mean = others == 0  # such a stimulus has no direction: any will do
        if at_mean.any():
            apart[at_mean[: len(apart)], :] = apart[:, at_mean] = 1
        np.clip(apart, 0, 2, out=apart)
        np.fill_diagonal(apart, 0)
        return apart


def concatenate_tiled(parts: Sequence[TiledProducts], gram: TiledGram) -> TiledProducts:
    """The products of layers laid side by side: a block from its branches; see `products.concatenate`.

    Args:
        parts: The branches.
        gram: Zeros, to which theirs are added.
    """
    for place in gram.list_places():
        values = gram.take(place)
        for part in parts:
            values += part.gram.take(place)
        gram.put(place, values)
    for part in parts:
        gram.add_vectors(part.gram)
    mean, norm, n_features = add_norms(parts)
    shift = sum((part.shift for part in parts), np.zeros(len(mean)))
    resolution = reduce(Resolution.widen, (part.resolution for part in parts))
    return TiledProducts(gram, shift, mean, norm, n_features, resolution, all(part.is_hard for part in parts))
