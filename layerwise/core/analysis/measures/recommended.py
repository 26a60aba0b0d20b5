"""The measures that are recommended together, and where they disagree, in a sentence.

No measure dominates (Klabunde et al. 2025, ICLR), so four are asked that fail differently: of whole Gram matrices
without their bias, of shapes, of neighbours alone, and of the published analysis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
RECOMMENDED_WORD = "recommended"
RECOMMENDED = (
    "layerwise:cka-debiased",
    "layerwise:angular-procrustes",
    "layerwise:mutual-knn",
    "layerwise:rsa-pearson",
)
MIN_PAIRS = 5
"""Pairs of layers: fewer have no order worth comparing."""
_FAR = 0.3  # of all pairs: so far apart in two orders is a disagreement


@dataclass(frozen=True, eq=False)
class Answer:
    """What one measure says of the pairs of layers.

    Attributes:
        name: The measure's.
        kind: Whether larger means more alike, or less.
        matrix: (n, n); its values.
    """

    name: str
    kind: Literal["similarity", "distance"]
    matrix: Values


@dataclass(frozen=True)
class Disagreement:
    """How far measures order pairs of layers alike.

    Attributes:
        lowest: Spearman's correlation of the orders of the two measures that agree least.
        least_alike: Their names.
        pair: The pair of layers, by place, whose place in two orders is furthest apart.
        above: The measure that finds it more alike, and the share of pairs that it finds less alike than it.
        below: The same of the measure that finds it least alike.
    """

    lowest: float
    least_alike: tuple[str, str]
    pair: tuple[int, int]
    above: tuple[str, float]
    below: tuple[str, float]

    @property
    def gap(self) -> float:
        """How far apart the places are, as a share of all pairs."""
        return self.above[1] - self.below[1]


def find_disagreement(answers: Sequence[Answer], pairs: Sequence[tuple[int, int]]) -> Disagreement | None:
    """Where measures order pairs of layers differently; None of one measure, or of fewer than `MIN_PAIRS` pairs.

    Args:
        answers: What each measure says.
        pairs: The pairs that are compared; those that are undefined in one answer are left out.
    """
    if len(answers) < 2:
        return None
    from scipy.stats import rankdata

    values = np.array([[answer.matrix[pair] for pair in pairs] for answer in answers]).reshape(len(answers), -1)
    signs = np.array([1.0 if answer.kind == "similarity" else -1.0 for answer in answers])
    defined = np.flatnonzero(np.isfinite(values).all(axis=0))
    if len(defined) < MIN_PAIRS:
        return None
    ranks = rankdata(signs[:, None] * values[:, defined], axis=1)
    if (np.ptp(ranks, axis=1) == 0).any():
        return None
    agreement = np.corrcoef(ranks)
    one, other = min(combinations(range(len(answers)), 2), key=lambda two: float(agreement[two]))
    shares = (ranks - 1) / (len(defined) - 1)
    spread = shares.max(axis=0) - shares.min(axis=0)
    place = int(spread.argmax())
    high, low = int(shares[:, place].argmax()), int(shares[:, place].argmin())
    return Disagreement(
        float(agreement[one, other]),
        (answers[one].name, answers[other].name),
        pairs[int(defined[place])],
        (answers[high].name, float(shares[high, place])),
        (answers[low].name, float(shares[low, place])),
    )


def describe_disagreement(found: Disagreement, names: Sequence[str], n_measures: int) -> str:
    """One sentence: whether the measures order pairs of layers alike, and which pair they see most differently."""
    order = f"Spearman at least {found.lowest:.2f}, of {found.least_alike[0]} and {found.least_alike[1]}"
    if found.gap < _FAR:
        return f"The {n_measures} measures order pairs of layers alike ({order})."
    first, second = (names[place] for place in found.pair)
    return (
        f"The {n_measures} measures disagree most about {first} and {second}: {found.above[0]} finds them more alike "
        f"than {found.above[1]:.0%} of all pairs, {found.below[0]} than {found.below[1]:.0%} ({order})."
    )
