"""Representational similarity analysis: the correlation of two layers' similarities of all pairs of stimuli.

A layer is the strict upper triangle of a metric's matrix, one number a pair of stimuli (Kriegeskorte, Mur and
Bandettini 2008); without the diagonal, which would make unrelated layers alike. Pairs that are undefined in either
layer (a stimulus with constant activations, under Pearson correlation) are left out of that comparison.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.host.kinds import Matrix, Metric, MetricComparator, PairSums
from layerwise.core.network.matrices.panels import Panel, above_diagonal
from layerwise.core.network.representation import Representation, strict_upper
from layerwise.core.network.resolution import SURE, count_settled
from layerwise.plugins.comparators.panelled import FEW_PAIRS, FLAT, MIN_STIMULI, RsaPanels, Spread, correlate
from layerwise.plugins.metrics import PearsonMetric
from layerwise.plugins.ranks import average_ranks

Vector = NDArray[np.float64]
_FEW = 30  # stimuli, of whose 94,395 pairs of pairs one is a fifth of the fourth digit


@dataclass(frozen=True, eq=False)
class PairValues:
    """One layer, prepared.

    Attributes:
        pairs: float64 (n (n - 1) / 2,); the metric's value for each pair of stimuli, NaN where undefined.
        unit: float64; what `pairs` are compared by, so that a product is the measure; None where some are undefined.
        n_open: How many pairs tie that may as well not.
    """

    pairs: Vector
    unit: Vector | None
    n_open: int = 0


def upper_triangle(matrix: Matrix, owner: str = "RSA") -> Vector:
    """The strict upper triangle of a metric's matrix, row by row.

    Raises:
        InputError: If fewer than three stimuli have a defined value with the others.
    """
    n_stimuli = len(matrix)
    n_defined = int(np.isfinite(np.diagonal(matrix)).sum())
    if n_defined < MIN_STIMULI:
        constant = n_stimuli - n_defined
        why = f" ({constant} of {n_stimuli} have constant activations)" if constant else ""
        raise InputError(f"{owner} needs at least {MIN_STIMULI} stimuli, here are {n_defined}{why}")
    return np.asarray(strict_upper(matrix), dtype=np.float64)


def count_open(
    metric: Metric, representation: Representation, matrix: Matrix, ranked: NDArray[np.floating] | NDArray[np.intp]
) -> int:
    """How many pairs tie that may as well not; of few stimuli, where a single pair matters.

    Args:
        metric: The metric.
        representation: The layer.
        matrix: (n, n); what the metric made of it.
        ranked: (n (n - 1) / 2,); its pairs once they were settled, or their ranks.
    """
    if len(matrix) > _FEW or not representation.resolution.activations:
        return 0
    values = metric.differences(representation, np.asarray(matrix, dtype=np.float64))
    pairs, errors = strict_upper(values), strict_upper(metric.errors(representation, values))
    defined = np.isfinite(pairs)
    return count_settled(pairs[defined], ranked[defined].astype(np.float64), errors[defined])


class Rsa(MetricComparator):
    """Base: a product of what `standardise` makes of the pairs, many layers with one matrix product."""

    kind = "similarity"
    symmetric = True
    value_range = (-1.0, 1.0)
    invariant_to = frozenset({"isotropic-scaling", "stimulus-permutation"})
    metric: Metric = PearsonMetric()
    shift_invariant = True
    threaded = True
    is_vector_cosine: ClassVar[bool] = False
    """Whether the value is a correlation or a cosine, so that other layers can be taken out of it."""

    @abstractmethod
    def standardise(self, pairs: Vector) -> Vector:
        """A new vector whose product with another layer's is the measure; `pairs` are all defined.

        Raises:
            InputError: If the measure is undefined for them.
        """

    def prepare_metric(self, metric: Metric, representation: Representation, matrix: Matrix) -> PairValues:
        """Prepare the metric's matrix, and count ties that are none for sure where ranks are compared.

        Raises:
            InputError: As `prepare_matrix`.
        """
        found: PairValues = super().prepare_metric(metric, representation, matrix)
        if not self.ordinal:
            return found
        return replace(found, n_open=count_open(metric, representation, matrix, found.pairs))

    def error(self, value: float, first: PairValues, second: PairValues) -> float:
        """The share of pairs of pairs of which it is not known which is larger."""
        del value
        n_pairs = len(first.pairs)
        return 2 * (first.n_open + second.n_open) / (n_pairs * (n_pairs - 1))

    def prepare_matrix(self, matrix: Matrix) -> PairValues:
        """Take the strict upper triangle, and standardise it where it is complete.

        Raises:
            InputError: If fewer than three stimuli are defined, or all pairs are equally similar.
        """
        pairs = upper_triangle(matrix)
        defined = np.isfinite(pairs)
        unit = self.standardise(pairs[defined])
        return PairValues(pairs, unit if defined.all() else None)

    def compare(self, first: PairValues, second: PairValues) -> float:
        """The measure over the pairs that are defined in both.

        Raises:
            InputError: If there are fewer than three, or one of the layers finds them all equally similar.
        """
        if first.unit is not None and second.unit is not None:
            value = first.unit @ second.unit
        else:
            one, other = common_pairs(first.pairs, second.pairs)
            value = self.standardise(one) @ self.standardise(other)
        return float(np.clip(value, -1, 1))

    def compare_all(self, rows: Sequence[PairValues], columns: Sequence[PairValues]) -> Vector:
        """All complete layers with one matrix product, the others left to `compare`; NaN for those."""
        matrix = np.full((len(rows), len(columns)), np.nan)
        whole_rows = [index for index, row in enumerate(rows) if row.unit is not None]
        whole_columns = [index for index, column in enumerate(columns) if column.unit is not None]
        if whole_rows and whole_columns:
            left = np.stack([unit for row in rows if (unit := row.unit) is not None])
            same = rows is columns
            right = left if same else np.stack([unit for column in columns if (unit := column.unit) is not None])
            matrix[np.ix_(whole_rows, whole_columns)] = np.clip(left @ right.T, -1, 1)
        return matrix


def common_pairs(first: Vector, second: Vector) -> tuple[Vector, Vector]:
    """The pairs that are defined in both layers.

    Raises:
        InputError: If there are fewer than three.
    """
    common = np.isfinite(first) & np.isfinite(second)
    if common.sum() < MIN_STIMULI:
        raise InputError(FEW_PAIRS)
    return first[common], second[common]


def refuse_flat(pairs: Vector) -> None:
    """Refuse pairs that are all the same.

    Raises:
        InputError: If they are.
    """
    if pairs.min() == pairs.max():
        raise InputError(FLAT)


def unit_vector(values: Vector) -> Vector:
    """`values`, changed in place to have length 1."""
    values /= math.sqrt(float(np.einsum("i,i", values, values)))  # BLAS would wake threads for a short vector
    return values


class PearsonRsa(RsaPanels, Rsa):
    """Pearson correlation of the strict upper triangles: the published measure.

    r = sum (a - mean a)(b - mean b) / (|a - mean a| |b - mean b|), a and b the two layers' values for all pairs of
    different stimuli (Kriegeskorte, Mur and Bandettini 2008, Frontiers in Systems Neuroscience 2:4).
    """

    name = "rsa-pearson"
    is_vector_cosine = True
    ordinal = False
    symbol = "r"
    description = "RSA: Pearson correlation of the similarities of all pairs of stimuli"
    reweightable = True
    panelled = True
    landmarked = True

    def conclude(self, sums: PairSums) -> float:
        """The correlation over the pairs that are defined in both."""
        return correlate(sums)

    def standardise(self, pairs: Vector) -> Vector:
        """Centred, of length 1."""
        refuse_flat(pairs)
        return unit_vector(pairs - pairs.mean())

    def pair_scores(self, state: PairValues) -> Vector:
        """What is correlated, for resampling many layers at once (`layerwise.core.analysis.inference.pairwise`)."""
        return state.pairs


class SpearmanRsa(Rsa):
    """Spearman correlation of the strict upper triangles: only the order of the similarities counts.

    Pearson correlation of the ranks, ties averaged (Kriegeskorte, Mur and Bandettini 2008).
    """

    name = "rsa-spearman"
    is_vector_cosine = True
    symbol = "ρ"
    description = "RSA: Spearman correlation of the similarities of all pairs of stimuli"

    def standardise(self, pairs: Vector) -> Vector:
        """Centred ranks, of length 1."""
        refuse_flat(pairs)
        ranks = average_ranks(pairs)
        return unit_vector(ranks - ranks.mean())

    def pair_scores(self, state: PairValues) -> Vector | None:
        """The ranks, for permuting many layers at once; None where they depend on the other layer's gaps."""
        return state.unit


class RhoARsa(Rsa):
    """Spearman's rho-a: the Spearman correlation to expect when ties are broken at random.

    rho_a = 12 / (m^3 - m) sum R(a) R(b) - 3 (m + 1) / (m - 1), R the ranks with ties averaged and m the number of
    pairs (Kendall 1948; recommended for RSA by Schuett et al. 2023, eLife 12:e82566). Of a layer with ties even
    with itself it is below 1: a model that leaves pairs undecided gains nothing by that.
    """

    name = "rsa-rho-a"
    symbol = "ρₐ"
    description = "RSA: rho-a, Spearman's correlation with ties broken at random, of all pairs of stimuli"

    def standardise(self, pairs: Vector) -> Vector:
        """Centred ranks over the length they would have without ties."""
        refuse_flat(pairs)
        n_pairs = len(pairs)
        return (average_ranks(pairs) - (n_pairs + 1) / 2) / math.sqrt((n_pairs**3 - n_pairs) / 12)


class CosineRsa(RsaPanels, Rsa):
    """Cosine of the strict upper triangles: like Pearson's correlation, but a common offset counts.

    sum a b / (|a| |b|) (Diedrichsen and Kriegeskorte 2017, PLOS Computational Biology 13:e1005508). Two layers that
    find all stimuli alike score high, whatever their structure; it is meant for distances with a meaningful zero,
    such as `--metric squared-euclidean`.
    """

    name = "rsa-cosine"
    is_vector_cosine = True
    ordinal = False
    needs_zero = True
    shift_invariant = False
    panelled = True
    landmarked = True
    description = "RSA: cosine of the similarities of all pairs of stimuli"

    def check_spread(self, spread: Spread) -> None:
        """Refuse values that are all 0; where all are the same, that is all that counts.

        Raises:
            InputError: If they are.
        """
        if spread.size == 0 or (spread.is_flat and abs(spread.mean) <= SURE * spread.error):
            raise InputError("all pairs of stimuli have value 0, so their cosine is undefined")

    def read_panel(self, survey: Spread, rows: slice, panel: Panel) -> Vector:
        """The metric's values."""
        del survey, rows
        return above_diagonal(self.metric.compute_panel(panel, shifted=False))

    def conclude(self, sums: PairSums) -> float:
        """The cosine over the pairs that are defined in both."""
        if sums.count < MIN_STIMULI:
            raise InputError(FEW_PAIRS)
        cosine = sums.product / math.sqrt(sums.first_squared) / math.sqrt(sums.second_squared)
        return float(np.clip(cosine, -1, 1))

    def standardise(self, pairs: Vector) -> Vector:
        """Of length 1."""
        if not pairs.any():
            raise InputError("all pairs of stimuli have value 0, so their cosine is undefined")
        return unit_vector(pairs.copy())
