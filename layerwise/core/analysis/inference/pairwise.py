"""Fast bootstrap and permutation for RSA and other Pearson correlations over pairs of stimuli.

A resample in which stimulus i is there w_i times has the pair (i, j) w_i w_j times; pairs of a stimulus with itself
are left out, as rsatoolbox does. So all layer pairs of a resample are one weighted product of the (pairs x layers)
table with itself, and leaving one stimulus out is subtracting what its pairs contribute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.inference.every_pair import prepare_or_none
from layerwise.core.analysis.inference.replicates import Values
from layerwise.core.analysis.inference.resampling import draw_multiplicities, draw_permutation
from layerwise.core.analysis.measure import Measure
from layerwise.core.analysis.parallel import side_by_side
from layerwise.core.base.blas import single_threaded_blas
from layerwise.core.network.representation import Representation
from layerwise.core.network.resolution import SURE

_SINGLE_ABOVE = 1_000_000  # cells from which single precision is worth it; it is good to 1e-6
_STRETCH = 1 << 18  # pairs: 724 stimuli in one stretch
_ROUNDING = {np.float32: 1e-6, np.float64: 1e-12}  # of sums of scores that vary by 1
MIN_PAIRS = 3


@runtime_checkable
class PairwiseCorrelation(Protocol):
    """What a comparator offers besides, whose value is the Pearson correlation of one number a pair of stimuli.

    Attributes:
        reweightable: Whether those numbers stay the same when stimuli are drawn anew; ranks do not.
    """

    reweightable: bool

    def pair_scores(self, state: Any) -> NDArray[np.floating] | None:
        """The numbers of one prepared layer, (n (n - 1) / 2,), in the order of the strict upper triangle.

        NaN where undefined; pairs that are undefined in either layer are left out. None where the numbers depend
        on which other layer this one is compared with.
        """


class PairTable:
    """The pair scores of several layers, ready to be weighted and permuted.

    It is filled layer by layer (`put`), so that prepared layers need not wait for each other; then it is asked. Sums
    over pairs are taken in stretches of `_STRETCH` of them: a whole copy of the table for each thread would be what
    takes most of the memory. How long a stretch is must not depend on memory or cores, or numbers would.
    """

    def __init__(self, n_layers: int, n_stimuli: int) -> None:
        """An empty table: layers that are never put have no scores.

        Args:
            n_layers: How many layers there will be.
            n_stimuli: How many stimuli each of them has.
        """
        self.n_stimuli = n_stimuli
        self.n_layers = n_layers
        self.first = np.repeat(np.arange(n_stimuli, dtype=np.int32), np.arange(n_stimuli)[::-1])
        self.second = np.concatenate([np.arange(i + 1, n_stimuli, dtype=np.int32) for i in range(n_stimuli)])
        self._live = np.zeros(n_layers, dtype=np.bool_)
        self._least = np.zeros(n_layers)
        n_cells = len(self.first) * (n_layers + 1)
        self._precision = np.float32 if n_cells > _SINGLE_ABOVE else np.float64
        self._columns = np.zeros((len(self.first), n_layers + 1), dtype=self._precision)
        self._columns[:, -1] = 1.0  # so that sums of scores come with the sums of their products
        self._defined: NDArray[np.bool_] | None = None  # (n_pairs, n_layers), where some pairs are undefined

    def put(self, layer: int, scores: NDArray[np.floating], blur: float = 0.0) -> None:
        """Set one layer's scores, (n_pairs,), standardised so that nothing cancels in single precision.

        Args:
            layer: Which one.
            scores: Its scores.
            blur: What share of the scores' spread may be error (`Representation.blur`).
        """
        self._least[layer] = max(_ROUNDING[self._precision], (SURE * blur) ** 2)
        row = _standardise(scores)
        defined = np.isfinite(row)
        if not defined.any():
            return  # a layer without any score is taken out of the results, not out of the table
        self._live[layer] = True
        if not defined.all():
            if self._defined is None:
                self._defined = np.ones((len(row), self.n_layers), dtype=np.bool_)
            self._defined[:, layer] = defined
            row[~defined] = 0.0
        self._columns[:, layer] = row

    def correlate(self) -> Values:
        """The measure for every pair of layers; (n_layers, n_layers)."""
        return self._solve(self._total)

    def resample(self, n_resamples: int, seed: int, n_threads: int | None = None) -> Values:
        """The measure on each resample; (n_resamples, n_layers, n_layers), NaN where too little is left."""

        def of(number: int) -> Values:
            return self.reweight(draw_multiplicities(self.n_stimuli, number, seed))

        return run_all(of, n_resamples, n_threads)

    def reweight(self, multiplicities: NDArray[np.intp]) -> Values:
        """The measure where each stimulus is there so many times; (n_layers, n_layers)."""
        total = np.zeros((self._width, self._width))
        for stretch in self._stretches():
            weights = multiplicities[self.first[stretch]] * multiplicities[self.second[stretch]]
            there = np.flatnonzero(weights)  # about 40 %: the rest has no say, so it is not multiplied
            root = np.sqrt(weights[there]).astype(self._precision)
            weighted = self._rows(there + stretch.start)
            weighted *= root[:, None]
            total += np.matmul(weighted.T, weighted)
        return self._solve(total)

    def leave_out(self, n_threads: int | None = None) -> Values:
        """The measure without each stimulus in turn; (n_stimuli, n_layers, n_layers)."""
        total = self._total

        def without(stimulus: int) -> Values:
            rows: Values = self._rows(find_pairs(stimulus, self.n_stimuli)).astype(np.float64)
            return self._solve(total - rows.T @ rows)

        return run_all(without, self.n_stimuli, n_threads)

    def permute(self, n_permutations: int, seed: int, n_threads: int | None = None) -> Values:
        """The measure with the stimuli of the row's layer permuted; (n_permutations, n_layers, n_layers)."""
        squares = np.full(self.n_layers, len(self.first), dtype=np.float64)  # as standardised; permuting keeps them

        def of(number: int) -> Values:
            order = draw_permutation(self.n_stimuli, number, seed)
            total = np.zeros((self._width, self._width))
            for stretch in self._stretches():
                ends = order[self.first[stretch]], order[self.second[stretch]]
                moved = self._rows(find_place(np.minimum(*ends), np.maximum(*ends), self.n_stimuli))
                total += np.matmul(moved.T, self._rows(stretch))
            return self._solve_between(total, squares)

        return run_all(of, n_permutations, n_threads)

    @staticmethod
    def predict_bytes(n_layers: int, n_stimuli: int) -> int:
        """What a table takes: its numbers, which of them are defined, and which stimuli each pair is of."""
        n_pairs = n_stimuli * (n_stimuli - 1) // 2
        n_each = 4 if n_pairs * (n_layers + 1) > _SINGLE_ABOVE else 8
        return n_pairs * (n_each * (n_layers + 1) + n_layers + 8)

    @staticmethod
    def predict_thread_bytes(n_layers: int, n_stimuli: int) -> int:
        """What each thread takes besides: its stretch of the table, twice where rows are permuted."""
        n_pairs = min(_STRETCH, n_stimuli * (n_stimuli - 1) // 2)
        width = 3 * n_layers + 1
        return n_pairs * (2 * 8 * width + 5 * 8) + 4 * 8 * width**2

    @property
    def _width(self) -> int:
        return self.n_layers + 1 if self._defined is None else 3 * self.n_layers

    def _stretches(self) -> Iterator[slice]:
        return (slice(start, start + _STRETCH) for start in range(0, len(self.first), _STRETCH))

    def _rows(self, pairs: slice | NDArray[np.integer]) -> NDArray[np.floating]:
        """A copy of rows of what is multiplied: scores and ones; with gaps scores, squares and what is defined."""
        if self._defined is None:
            return np.array(self._columns[pairs])
        filled = self._columns[pairs, : self.n_layers]
        return np.column_stack([filled, filled**2, self._defined[pairs].astype(self._precision)])

    @cached_property
    def _total(self) -> Values:
        total = np.zeros((self._width, self._width))
        for stretch in self._stretches():
            rows: Values = self._rows(stretch).astype(np.float64)
            total += rows.T @ rows
        return total

    def _solve(self, products: NDArray[np.floating]) -> Values:
        """Correlations from the sums of products of a table with itself; the diagonal is exactly 1."""
        matrix = self._solve_between(products, np.diagonal(products)[: self.n_layers].astype(np.float64))
        matrix = (matrix + matrix.T) / 2
        own = np.diagonal(matrix)
        np.fill_diagonal(matrix, np.where(np.isfinite(own), 1.0, np.nan))
        return matrix

    def _solve_between(self, products: NDArray[np.floating], squares: Values) -> Values:
        """Correlations from the sums of products of two arrangements, rows by columns.

        Args:
            products: The sums.
            squares: (n_layers,); sums of squares, used where all pairs are defined in all layers.
        """
        sums = products.astype(np.float64)
        k = self.n_layers
        if self._defined is None:
            count = np.full((k, k), sums[k, k])
            row_sum, column_sum = sums[:k, [k]], sums[[k], :k]
            row_square, column_square = squares[:, None], squares[None, :]
        else:
            count = sums[2 * k :, 2 * k :]
            row_sum, column_sum = sums[:k, 2 * k :], sums[2 * k :, :k]
            row_square, column_square = sums[k : 2 * k, 2 * k :], sums[2 * k :, k : 2 * k]
        with np.errstate(invalid="ignore", divide="ignore"):
            covariance = sums[:k, :k] - row_sum * column_sum / count
            left = row_square - row_sum**2 / count
            right = column_square - column_sum**2 / count
            # Scores vary by about 1: where they vary by less than is known, or two pairs remain, there is none.
            enough = (count >= MIN_PAIRS) & (left > self._least[:, None] * count) & (right > self._least * count)
            enough &= np.outer(self._live, self._live)
            return np.where(enough, np.clip(covariance / np.sqrt(left * right), -1, 1), np.nan)


def find_place(first: NDArray[np.integer], second: NDArray[np.integer], n_stimuli: int) -> NDArray[np.intp]:
    """Where pairs of stimuli are in the strict upper triangle by rows; `first` below `second`, pair by pair."""
    row = first.astype(np.intp)
    return row * (2 * n_stimuli - row - 1) // 2 + second - row - 1


def find_pairs(stimulus: int, n_stimuli: int) -> NDArray[np.intp]:
    """Where the n - 1 pairs of one stimulus are in the strict upper triangle by rows, in ascending order."""
    before, after = np.arange(stimulus), np.arange(stimulus + 1, n_stimuli)
    own = np.array([stimulus])
    return np.concatenate([find_place(before, own, n_stimuli), find_place(own, after, n_stimuli)])


def run_all(of: Callable[[int], Values], n_times: int, n_threads: int | None = None) -> Values:
    """What `of` gives for 0, 1, ..., on several threads, each with one for products.

    On one thread BLAS has one, too: sums that it splits among several round differently.
    """
    with single_threaded_blas(), side_by_side(True, n_threads) as spread:
        results = iter(spread(of, range(n_times)))
        first = next(results)
        together = np.empty((n_times, *first.shape))
        for number, result in enumerate(chain([first], results)):
            together[number] = result
    return together


def offers_scores(measure: Measure, *, reweight: bool) -> bool:
    """Whether a measure is a correlation over pairs of stimuli.

    Args:
        measure: What compares layers.
        reweight: Whether stimuli are to be drawn anew, rather than permuted.
    """
    offer = measure.comparator.offer
    return isinstance(offer, PairwiseCorrelation) and (offer.reweightable or not reweight)


def tabulate(measure: Measure, layers: Sequence[Representation]) -> PairTable | None:
    """The pair scores of layers, of a measure that offers them; None where those of one layer depend on the other.

    Layers are prepared one by one, and nothing but their scores is kept.

    Raises:
        PluginError: If the comparator fails.
    """
    table: PairTable | None = None
    for place, (layer, scores) in enumerate(_list_scores(measure, layers)):
        if scores is None:
            return None
        if table is None:
            table = PairTable(len(layers), layer.n_stimuli)
        table.put(place, scores, layer.blur)
    return table


def has_scores(measure: Measure, layers: Sequence[Representation]) -> bool:
    """Whether all layers have pair scores that depend on no other layer."""
    return all(scores is not None for _, scores in _list_scores(measure, layers))


def _list_scores(
    measure: Measure, layers: Iterable[Representation]
) -> Iterator[tuple[Representation, NDArray[np.floating] | None]]:
    """Each layer with its scores; all NaN where the measure is undefined, and None as `pair_scores` has it."""
    offer = measure.comparator.offer
    for layer in layers:
        state = prepare_or_none(measure, layer)
        if state is None or not isinstance(offer, PairwiseCorrelation):
            yield layer, np.full(layer.n_stimuli * (layer.n_stimuli - 1) // 2, np.nan)
        else:
            yield layer, offer.pair_scores(state)


def _standardise(scores: NDArray[np.floating]) -> Values:
    row = np.asarray(scores, dtype=np.float64)
    defined = np.isfinite(row)
    if not defined.any():
        return row
    row = row - row[defined].mean()
    return np.asarray(row / np.sqrt(np.mean(row[defined] ** 2)))
