"""What a diagonal says of a matrix between stimuli: which kind it is, if it says anything.

A diagonal of ones is that of similarities, one of zeros that of distances, unless the zeros only stand for "left
out": many write them over the diagonal of a correlation matrix. Taken for distances, such a matrix is compared with
its sign reversed.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from layerwise.core.base.errors import InputError
from layerwise.interchange.checks import TOLERANCE, CheckedMatrix, Floats


def tell_kind(matrix: CheckedMatrix) -> str:
    """What an unnamed matrix is, by its diagonal: 0 for a distance, 1 for a similarity.

    Raises:
        InputError: If the diagonal does not tell.
    """
    if not matrix.has_diagonal:
        raise InputError("no diagonal does not tell what kind of matrix it is: say it with --kind")
    diagonal = _given(matrix)
    if np.allclose(diagonal, 0, atol=1e-6):
        _check_not_similar(matrix.pairs)
        return "distance"
    if np.allclose(diagonal, 1, atol=1e-5):
        return "similarity"
    raise InputError(
        f"a diagonal from {diagonal.min():g} to {diagonal.max():g} does not tell what kind of matrix it is: "
        "say it with --kind"
    )


def settle_diagonal(matrix: CheckedMatrix, kind: str) -> tuple[CheckedMatrix, tuple[str, ...]]:
    """A matrix without a diagonal that says nothing of its kind, and what was assumed, in words.

    Raises:
        InputError: If a Gram matrix lacks some of its diagonal.
    """
    if kind == "gram" and np.isnan(np.diagonal(matrix.values)[matrix.live]).any():
        raise InputError("a Gram matrix needs its diagonal")
    if kind != "similarity" or not matrix.has_diagonal or _given(matrix).any():
        return matrix, ()
    values = matrix.values.copy()
    np.fill_diagonal(values, np.nan)
    without = dataclasses.replace(matrix, values=values, has_diagonal=False)
    return without, ("a diagonal of 0 is none of similarities: taken as not given",)


def _given(matrix: CheckedMatrix) -> Floats:
    """What is known of the diagonal."""
    diagonal = np.diagonal(matrix.values)
    return diagonal[np.isfinite(diagonal)]


def _check_not_similar(pairs: Floats) -> None:
    """Check that a matrix whose diagonal is 0 cannot be one of similarities with its diagonal left out.

    Distances are negative only where noise was taken off (crossnobis), and then not most of them. Within -1 and 1
    these look like correlations.

    Raises:
        InputError: If it may be.
    """
    lowest, highest = float(pairs.min()), float(pairs.max())
    if lowest >= -TOLERANCE * max(highest, -lowest):
        return
    if max(highest, -lowest) <= 1 + TOLERANCE or np.median(pairs) < 0:
        raise InputError(
            f"negative values and a diagonal of 0 (values from {lowest:.4g} to {highest:.4g}) may be similarities "
            "without their diagonal, or distances: say which it is with --kind"
        )
