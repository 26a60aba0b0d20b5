"""Variance partitioning of a layer's similarity structure among the branches of a block: unique contributions.

The similarities that a layer finds among all pairs of stimuli are one vector, its strict upper triangle. That of a
target is explained by those of the branches, linearly: how much of what all branches explain together is lost
without one of them is its unique contribution. Pure functions of such vectors; nothing here is a test of
significance, for pairs that share a stimulus are not independent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from layerwise.core.base.errors import InputError

ILL_CONDITIONED = 1e8
"""Condition number of the branches' correlation matrix from which single shares depend on rounding."""

_REDUNDANT = 1e-7  # share of a branch that its siblings leave open, below which it is nothing but them
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class BranchImportance:
    """One branch's part in explaining a target.

    Attributes:
        branch: Its name.
        correlation: Pearson correlation with the target, by itself.
        partial: Partial correlation with the target, given all siblings; None where undefined.
        unique: R^2 of all branches minus R^2 of its siblings: what no sibling can give. From 0.
        share: `unique` over R^2 of all branches; None where they explain nothing.
        tolerance: Share of the branch's own variance that its siblings leave open, from 0 to 1.
        reason: Why a number is missing.
    """

    branch: str
    correlation: float
    partial: float | None
    unique: float
    share: float | None
    tolerance: float
    reason: str = ""


@dataclass(frozen=True)
class BlockImportance:
    """How the branches of a block explain a target's similarity structure.

    Attributes:
        explained: R^2 of all branches together.
        shared: `explained` minus all unique parts: what several branches could give; negative where branches explain
            more together than each alone (suppression).
        condition: Condition number of the branches' correlation matrix.
        n_pairs: Number of pairs of stimuli that count.
        branches: One for each branch, in their order.
        warning: What speaks against relying on single branches; empty where nothing does.
    """

    explained: float
    shared: float
    condition: float
    n_pairs: int
    branches: tuple[BranchImportance, ...]
    warning: str = ""


def measure_importance(names: Sequence[str], branches: ArrayLike, target: ArrayLike) -> BlockImportance:
    """Variance partitioning (commonality analysis: Newton and Spurrell 1967) and partial correlations.

    With R the correlations among the k branches and r those with the target, R^2 = r' R^+ r by least squares of
    minimal norm. Branch b's unique part is R^2(all) - R^2(all but b), its squared partial correlation that over
    1 - R^2(all but b), with the sign of its coefficient.

    Args:
        names: Names of the k branches.
        branches: (k, n_pairs); the similarity of each pair of stimuli in each branch, NaN where undefined.
        target: (n_pairs,); the same for the target.

    Raises:
        InputError: If fewer pairs than k + 2 are defined everywhere, or one vector is constant over them.
    """
    vectors = np.vstack([np.asarray(branches, dtype=np.float64), np.asarray(target, dtype=np.float64)[None]])
    vectors = vectors[:, np.isfinite(vectors).all(axis=0)]
    n_pairs = vectors.shape[1]
    check_pairs(names, n_pairs, [n_pairs == 0 or vector.min() == vector.max() for vector in vectors])
    return apportion(names, np.asarray(np.corrcoef(vectors), dtype=np.float64), n_pairs)


def check_pairs(names: Sequence[str], n_pairs: int, are_flat: Sequence[bool]) -> None:
    """Make sure that there is something to explain, and to explain it by.

    Args:
        names: Names of the k branches.
        n_pairs: How many pairs are defined everywhere.
        are_flat: Of which layers all these are the same, (k + 1,), the target last.

    Raises:
        InputError: If fewer pairs than k + 2 are defined everywhere, or one layer is flat.
    """
    if n_pairs < len(names) + 2:
        needed = f"{len(names) + 2} are needed for {len(names)} branches"
        raise InputError(f"{n_pairs} pairs of stimuli are defined everywhere, {needed}")
    for name, is_flat in zip([*names, "the target"], are_flat, strict=True):
        if is_flat:
            raise InputError(f"{name} finds all pairs of stimuli equally similar")


def apportion(names: Sequence[str], correlations: Vector, n_pairs: int) -> BlockImportance:
    """The same from correlations, (k + 1, k + 1), the target last."""
    n_branches = len(names)
    among, towards = correlations[:-1, :-1], correlations[:-1, -1]
    explained = _explain(among, towards)
    found = tuple(_measure_branch(index, name, among, towards, explained) for index, name in enumerate(names))
    condition = float(np.linalg.cond(among)) if n_branches > 1 else 1.0
    warning = ""
    if not condition < ILL_CONDITIONED:
        redundant = [item.branch for item in found if item.tolerance <= _REDUNDANT]
        which = f" ({', '.join(redundant)})" if redundant else ""
        warning = f"the branches are nearly collinear{which}: what they share cannot be told apart"
    shared = explained - sum(item.unique for item in found)
    return BlockImportance(explained, shared, condition, n_pairs, found, warning)


def _explain(among: Vector, towards: Vector) -> float:
    """R^2 of a least squares fit, from correlations; 0 without predictors."""
    if not len(towards):
        return 0.0
    return float(np.clip(towards @ _solve(among, towards), 0, 1))


def _solve(among: Vector, towards: Vector) -> Vector:
    """Standardised coefficients, of minimal norm where predictors are collinear."""
    return np.asarray(np.linalg.lstsq(among, towards, rcond=1e-12)[0], dtype=np.float64)


def _measure_branch(index: int, name: str, among: Vector, towards: Vector, explained: float) -> BranchImportance:
    others = np.arange(len(towards)) != index
    siblings = among[np.ix_(others, others)]
    tolerance = 1 - _explain(siblings, among[others, index])
    without = _explain(siblings, towards[others])
    unique = max(explained - without, 0.0) if tolerance > _REDUNDANT else 0.0
    share = unique / explained if explained > 0 else None
    partial, reason = None, ""
    if tolerance <= _REDUNDANT:
        reason = "the siblings together are the same as this branch"
    elif 1 - without <= _REDUNDANT:
        reason = "the siblings explain the target completely"
    else:
        coefficient = float(_solve(among, towards)[index])
        partial = math.copysign(math.sqrt(min(unique / (1 - without), 1.0)), coefficient)
    return BranchImportance(name, float(towards[index]), partial, unique, share, tolerance, reason)
