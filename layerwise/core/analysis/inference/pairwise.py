"""The fast way for measures that are a Pearson correlation over pairs of stimuli, one number a pair and layer.

A resample in which stimulus i is there w_i times has the pair (i, j) w_i w_j times; pairs of a stimulus with itself
are left out, as rsatoolbox does. So all layer pairs of a resample are one weighted product of the (pairs x layers)
table with itself, and leaving one stimulus out is subtracting what its pairs contribute.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from layerwise.core.analysis.inference.replicates import Replicates, Values
from layerwise.core.analysis.inference.resampling import draw_multiplicities, draw_permutation
from layerwise.core.analysis.parallel import side_by_side
from layerwise.core.base.blas import single_threaded_blas

_SINGLE_ABOVE = 1_000_000  # cells from which single precision is worth it; it is good to 1e-6
_ROUNDING = 1e-6
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
    """The pair scores of several layers, ready to be weighted and permuted."""

    def __init__(self, scores: Sequence[NDArray[np.floating]], n_stimuli: int) -> None:
        """Standardise each layer's scores, so that nothing cancels in single precision."""
        self.n_stimuli = n_stimuli
        self.n_layers = len(scores)
        self.first, self.second = np.triu_indices(n_stimuli, 1)
        self._live = np.array([bool(np.isfinite(row).any()) for row in scores])
        table = np.stack([_standardise(row) for row in scores], axis=1)
        table[:, ~self._live] = 0.0  # a layer without any score is taken out of the results, not out of the table
        defined = np.isfinite(table)
        self._is_whole = bool(defined.all())
        if self._is_whole:
            columns = np.column_stack([table, np.ones(len(table))])
        else:
            filled = np.where(defined, table, 0.0)
            columns = np.column_stack([filled, filled**2, defined])
        self._precision = np.float32 if columns.size > _SINGLE_ABOVE else np.float64
        self._columns = columns.astype(self._precision)

    def correlate(self) -> Values:
        """The measure for every pair of layers; (n_layers, n_layers)."""
        return self._solve(self._total())

    def resample(self, n_resamples: int, seed: int) -> Values:
        """The measure on each resample; (n_resamples, n_layers, n_layers), NaN where too little is left."""

        def of(number: int) -> Values:
            return self.reweight(draw_multiplicities(self.n_stimuli, number, seed))

        return run_all(of, n_resamples)

    def reweight(self, multiplicities: NDArray[np.intp]) -> Values:
        """The measure where each stimulus is there so many times; (n_layers, n_layers)."""
        weights = multiplicities[self.first] * multiplicities[self.second]
        there = np.flatnonzero(weights)
        root = np.sqrt(weights[there]).astype(self._precision)
        weighted = self._columns[there] * root[:, None]
        return self._solve(np.matmul(weighted.T, weighted))

    def leave_out(self) -> Values:
        """The measure without each stimulus in turn; (n_stimuli, n_layers, n_layers)."""
        total = self._total()

        def without(stimulus: int) -> Values:
            rows: Values = self._columns[(self.first == stimulus) | (self.second == stimulus)].astype(np.float64)
            return self._solve(total - rows.T @ rows)

        return run_all(without, self.n_stimuli)

    def permute(self, n_permutations: int, seed: int) -> Values:
        """The measure with the stimuli of the row's layer permuted; (n_permutations, n_layers, n_layers)."""
        squares = np.full(self.n_layers, len(self.first), dtype=np.float64)  # as standardised; permuting keeps them
        place = np.zeros((self.n_stimuli, self.n_stimuli), dtype=np.intp)
        place[self.first, self.second] = place[self.second, self.first] = np.arange(len(self.first))

        def of(number: int) -> Values:
            order = draw_permutation(self.n_stimuli, number, seed)
            moved = self._columns[place[order[self.first], order[self.second]]]
            return self._solve_between(np.matmul(moved.T, self._columns), squares)

        return run_all(of, n_permutations)

    def _total(self) -> Values:
        columns: Values = self._columns.astype(np.float64)
        return np.asarray(columns.T @ columns)

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
        if self._is_whole:
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
            # Scores vary by about 1: where they vary by less than rounding, or two pairs remain, there is none.
            enough = (count >= MIN_PAIRS) & (left > _ROUNDING * count) & (right > _ROUNDING * count)
            enough &= np.outer(self._live, self._live)
            return np.where(enough, np.clip(covariance / np.sqrt(left * right), -1, 1), np.nan)


def run_all(of: Callable[[int], Values], n_times: int) -> Values:
    """What `of` gives for 0, 1, ..., side by side on as many threads as there are cores, one each for products."""
    with single_threaded_blas(), side_by_side(True) as spread:
        return np.stack(list(spread(of, range(n_times))))


def tabulate(comparator: object, states: Sequence[Any], n_stimuli: int, *, reweight: bool) -> PairTable | None:
    """The pair scores of prepared layers, or None where the comparator is not a correlation over pairs.

    Args:
        comparator: The comparator's own object.
        states: What it prepared, one a layer; None where the measure is undefined.
        n_stimuli: How many stimuli there are.
        reweight: Whether stimuli are to be drawn anew, rather than permuted.
    """
    if not isinstance(comparator, PairwiseCorrelation) or (reweight and not comparator.reweightable):
        return None
    n_pairs = n_stimuli * (n_stimuli - 1) // 2
    undefined = np.full(n_pairs, np.nan)
    scores = [undefined if state is None else comparator.pair_scores(state) for state in states]
    known = [row for row in scores if row is not None]
    return PairTable(known, n_stimuli) if len(known) == len(states) else None


def replicate_pairs(table: PairTable, n_resamples: int, seed: int) -> Replicates:
    """Every pair of layers on all stimuli, on each resample, and without each stimulus."""
    return Replicates(
        table.correlate(), table.resample(n_resamples, seed), table.leave_out(), table.n_stimuli, 0, (-1.0, 1.0)
    )


def _standardise(scores: NDArray[np.floating]) -> Values:
    row = np.asarray(scores, dtype=np.float64)
    defined = np.isfinite(row)
    if not defined.any():
        return row
    row = row - row[defined].mean()
    return np.asarray(row / np.sqrt(np.mean(row[defined] ** 2)))
