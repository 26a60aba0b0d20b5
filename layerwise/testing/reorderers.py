"""Does a reorderer give a permutation, whatever it is asked to order?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError
from layerwise.core.host.kinds import Matrix, Reorderer
from layerwise.core.network.products import represent
from layerwise.core.network.representation import read_only
from layerwise.testing.expecting import ask, expect, expect_named, is_same


def check_reorderer(reorderer: Reorderer, seed: int = 0) -> None:
    """Check that a reorderer gives a permutation of its stimuli: each of 0 to n - 1 once, as integers.

    With and without labels, two and three stimuli, stimuli whose similarities are NaN, equal similarities, float32
    and float64. Asking twice must give the same, and matrix and labels be left alone. Where it cannot be done an
    `InputError` says why; an ordinary matrix of labelled stimuli must be ordered.

    Args:
        reorderer: The reorderer.
        seed: Of the random matrices.

    Raises:
        AssertionError: If it is not so; says what.
    """
    expect_named(reorderer, Reorderer)
    rng = np.random.default_rng(seed)
    ordinary = represent(rng.normal(size=(12, 9))).correlation
    labels = tuple("abc"[index % 3] for index in range(12))
    try:
        _order(reorderer, ordinary, labels, "for an ordinary matrix of labelled stimuli")
    except InputError as error:
        raise AssertionError(f"{reorderer.name} refuses an ordinary matrix of labelled stimuli: {error}") from error
    for what, matrix in _awkward_matrices(rng).items():
        for some in (labels[: len(matrix)], (None,) * len(matrix), ("a", *(None,) * (len(matrix) - 1))):
            try:
                _order(reorderer, matrix, some, f"for {what}")
            except InputError:
                continue  # a refusal that says why is an answer


def _awkward_matrices(rng: np.random.Generator) -> dict[str, Matrix]:
    rows = rng.normal(size=(12, 9))
    constant = rows.copy()
    constant[[2, 5]] = 1.0
    return {
        "an ordinary matrix without all labels": represent(rows).correlation,
        "a matrix of float64": represent(rows).correlation.astype(np.float64),
        "a matrix with two undefined stimuli": represent(constant).correlation,
        "a matrix in which all is undefined": np.full((12, 12), np.nan, dtype=np.float32),
        "equal similarities": np.ones((12, 12), dtype=np.float32),
        "dissimilar stimuli": np.eye(12, dtype=np.float32),
        "two stimuli": represent(rows[:2]).correlation,
        "three stimuli": represent(rows[:3]).correlation,
    }


def _order(reorderer: Reorderer, matrix: Matrix, labels: Sequence[str | None], what: str) -> NDArray[np.intp]:
    matrix, given = read_only(matrix), list(labels)
    order = ask(reorderer, what, lambda: reorderer.order(matrix, given))
    expect(given == list(labels), reorderer, f"changes the labels it is given {what}, expected them as they were")
    size = len(matrix)
    integers = isinstance(order, np.ndarray) and order.dtype.kind in "iu" and order.shape == (size,)
    came = f"{order.dtype} of shape {order.shape}" if isinstance(order, np.ndarray) else f"a {type(order).__name__}"
    expect(integers, reorderer, f"gives {came} {what}, expected {size} integers")
    whole = np.array_equal(np.sort(order), np.arange(size))
    expect(
        whole,
        reorderer,
        f"gives {order.tolist()} {what}, which is no permutation: expected each of 0 to {size - 1} once",
    )
    again = reorderer.order(matrix, given)
    expect(is_same(order, again), reorderer, f"gives different orders when asked twice {what}")
    return order
