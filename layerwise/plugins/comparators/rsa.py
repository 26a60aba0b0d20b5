"""Representational similarity analysis: the correlation of two layers' similarities of all pairs of stimuli.

A layer is the strict upper triangle of its matrix of Pearson correlations, one number a pair of stimuli
(Kriegeskorte, Mur and Bandettini 2008); without the diagonal, which would make unrelated layers alike. Pairs that
are undefined in either layer (a stimulus with constant activations) are left out of that comparison.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layerwise.core.errors import InputError
from layerwise.core.kinds import Comparator
from layerwise.core.representation import Representation
from layerwise.plugins.ranks import average_ranks

Vector = NDArray[np.float64]
MIN_STIMULI = 3


@dataclass(frozen=True)
class PairSimilarities:
    """One layer, prepared.

    Attributes:
        pairs: float32 (n (n - 1) / 2,); similarity of each pair of stimuli, NaN where undefined.
        unit: float64, what `pairs` are compared by, centred and of length 1; None where some are undefined.
    """

    pairs: NDArray[np.float32]
    unit: Vector | None


class _Rsa(Comparator):
    """Base: Pearson correlation of what `scores` makes of the pairs, many layers with one product."""

    kind = "similarity"
    symmetric = True
    value_range = (-1.0, 1.0)
    invariant_to = frozenset({"isotropic-scaling", "stimulus-permutation"})

    @abstractmethod
    def scores(self, pairs: NDArray[np.float32]) -> Vector:
        """What is correlated: a new float64 vector from similarities that are all defined."""

    def prepare(self, representation: Representation) -> PairSimilarities:
        """Take the strict upper triangle, and standardise it where it is complete.

        Raises:
            InputError: If fewer than three stimuli have a defined similarity, or all pairs are equally similar.
        """
        n_defined = int((representation.norm > 0).sum())
        if n_defined < MIN_STIMULI:
            constant = representation.n_stimuli - n_defined
            why = f" ({constant} of {representation.n_stimuli} have constant activations)" if constant else ""
            raise InputError(f"RSA needs at least {MIN_STIMULI} stimuli, here are {n_defined}{why}")
        pairs = representation.correlation[~np.tri(representation.n_stimuli, dtype=np.bool_)]
        defined = np.isfinite(pairs)
        unit = self._standardise(pairs[defined])
        return PairSimilarities(pairs, unit if defined.all() else None)

    def compare(self, first: PairSimilarities, second: PairSimilarities) -> float:
        """Correlation over the pairs that are defined in both.

        Raises:
            InputError: If there are fewer than three, or one of the layers finds them all equally similar.
        """
        if first.unit is not None and second.unit is not None:
            value = first.unit @ second.unit
        else:
            common = np.isfinite(first.pairs) & np.isfinite(second.pairs)
            if common.sum() < MIN_STIMULI:
                raise InputError("fewer than three pairs of stimuli are defined in both layers")
            value = self._standardise(first.pairs[common]) @ self._standardise(second.pairs[common])
        return float(np.clip(value, -1, 1))

    def compare_all(self, rows: Sequence[PairSimilarities], columns: Sequence[PairSimilarities]) -> Vector:
        """All complete layers with one matrix product, the others one by one; NaN where undefined."""
        matrix = np.full((len(rows), len(columns)), np.nan)
        whole_rows = [index for index, row in enumerate(rows) if row.unit is not None]
        whole_columns = [index for index, column in enumerate(columns) if column.unit is not None]
        if whole_rows and whole_columns:
            left = np.stack([unit for row in rows if (unit := row.unit) is not None])
            same = rows is columns
            right = left if same else np.stack([unit for column in columns if (unit := column.unit) is not None])
            matrix[np.ix_(whole_rows, whole_columns)] = np.clip(left @ right.T, -1, 1)
        for i, row in enumerate(rows):
            for j, column in enumerate(columns):
                if row.unit is None or column.unit is None:
                    matrix[i, j] = self._compare_or_nan(row, column)
        return matrix

    def _compare_or_nan(self, first: PairSimilarities, second: PairSimilarities) -> float:
        try:
            return self.compare(first, second)
        except InputError:
            return float("nan")

    def _standardise(self, pairs: NDArray[np.float32]) -> Vector:
        if pairs.min() == pairs.max():
            raise InputError("all pairs of stimuli are equally similar")
        scores = self.scores(pairs)
        scores -= scores.mean()
        scores /= math.sqrt(float(np.einsum("i,i", scores, scores)))  # BLAS would wake threads for a short vector
        return scores


class PearsonRsa(_Rsa):
    """Pearson correlation of the strict upper triangles: the published measure."""

    name = "rsa-pearson"
    description = "RSA: Pearson correlation of the similarities of all pairs of stimuli"

    def scores(self, pairs: NDArray[np.float32]) -> Vector:
        """The similarities themselves."""
        return pairs.astype(np.float64)


class SpearmanRsa(_Rsa):
    """Spearman correlation of the strict upper triangles: only the order of the similarities counts."""

    name = "rsa-spearman"
    description = "RSA: Spearman correlation of the similarities of all pairs of stimuli"

    def scores(self, pairs: NDArray[np.float32]) -> Vector:
        """Ranks, ties averaged."""
        return average_ranks(pairs)
