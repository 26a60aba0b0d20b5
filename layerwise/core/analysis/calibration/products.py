"""Fast permutation for comparators that are a product of one number a pair of stimuli, such as all of CKA's.

Permuting the stimuli of a layer moves the numbers of its pairs; nothing has to be prepared anew. All pairs of layers
of a permutation are then one product of the (pairs x layers) table with itself, its rows moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.inference.pairwise import find_place
from layerwise.core.analysis.inference.replicates import Values
from layerwise.core.analysis.measure import Measure

_SINGLE_ABOVE = 1_000_000  # cells from which single precision is worth it; it is good to 1e-6
_STRETCH = 1 << 17  # pairs at a time


@runtime_checkable
class PairProduct(Protocol):
    """What a comparator offers besides, whose value is a function of the product of two vectors of pairs.

    Attributes:
        moves_with_stimuli: Whether a prepared layer is such a vector: the n stimuli with themselves, then the strict
            upper triangle by rows; and permuting the stimuli only moves its numbers.
    """

    moves_with_stimuli: bool

    def read(self, cosine: Values) -> Values:
        """The measure from products; an array of the same shape."""


def offers_products(measure: Measure) -> bool:
    """Whether a measure is a function of products of vectors of pairs."""
    offer = measure.comparator.offer
    return isinstance(offer, PairProduct) and offer.moves_with_stimuli


class ProductTable:
    """The vectors of several layers, ready to be permuted; layers on which the measure is undefined are None."""

    def __init__(self, states: Sequence[Any], n_stimuli: int) -> None:
        """Put the vectors side by side.

        Args:
            states: Prepared layers, (n (n + 1) / 2,) each.
            n_stimuli: n.
        """
        self._n = n_stimuli
        self._there = [place for place, state in enumerate(states) if state is not None]
        self._n_layers = len(states)
        n_pairs = n_stimuli * (n_stimuli + 1) // 2
        precision = np.float32 if n_pairs * len(self._there) > _SINGLE_ABOVE else np.float64
        self._table = np.empty((n_pairs, len(self._there)), dtype=precision)
        for column, place in enumerate(self._there):
            self._table[:, column] = states[place]
        upper = np.triu_indices(n_stimuli, 1)
        self._first, self._second = upper[0].astype(np.int32), upper[1].astype(np.int32)

    def permute(self, order: NDArray[np.intp]) -> Values:
        """Products with the stimuli of the row's layer permuted; (n_layers, n_layers), NaN where undefined."""
        total = np.asarray(self._table[order].T @ self._table[: self._n], dtype=np.float64)
        for start in range(0, len(self._first), _STRETCH):
            some = slice(start, start + _STRETCH)
            ends = order[self._first[some]], order[self._second[some]]
            moved = self._n + find_place(np.minimum(*ends), np.maximum(*ends), self._n)
            total += self._table[moved].T @ self._table[self._n + start : self._n + start + len(moved)]
        products = np.full((self._n_layers, self._n_layers), np.nan)
        products[np.ix_(self._there, self._there)] = total
        return products


def permute_products(measure: Measure, table: ProductTable, order: NDArray[np.intp]) -> Values:
    """The measure with the stimuli of the row's layer permuted, (n_layers, n_layers)."""
    offer = measure.comparator.offer
    assert isinstance(offer, PairProduct)
    products = table.permute(order)
    return np.where(np.isfinite(products), measure.comparator.call(offer.read, products), np.nan)
