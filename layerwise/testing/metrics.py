"""Does a metric give a matrix that means what it declares?"""

from __future__ import annotations

import copy

import numpy as np

from layerwise.core.base.errors import InputError
from layerwise.core.host.kinds import Metric
from layerwise.core.network.products import represent
from layerwise.core.network.representation import Representation
from layerwise.testing.expecting import ask, expect, expect_named, is_same
from layerwise.testing.material import Values, draw_awkward_layers, draw_trials


def check_metric(metric: Metric, n_trials: int = 3, seed: int = 0) -> None:
    """Check that a metric gives a symmetric (n, n) matrix that follows the stimuli, and leaves its input alone.

    NaN is allowed for stimuli with constant activations, and for those that are not finite, only; the diagonal of a
    distance must be 0, and no distance negative. Asking twice must give the same, a permutation of the stimuli must
    permute the matrix, float32 activations must give what float64 ones give. Its `errors` must be numbers of at least
    0 and small for ordinary layers, its `differences` the matrix less one number.

    Args:
        metric: The metric.
        n_trials: How many random layers.
        seed: Of the random layers.

    Raises:
        AssertionError: If it is not so; says what.
    """
    expect_named(metric, Metric)
    kind = getattr(metric, "kind", None)
    expect(kind in ("similarity", "distance"), metric, f"has kind {kind!r}, expected 'similarity' or 'distance'")
    for trial in draw_trials(n_trials, seed):
        representation = represent(trial.first)
        matrix = _compute(metric, representation, "for an ordinary layer")
        again = _compute(metric, representation, "for an ordinary layer")
        expect(
            np.array_equal(matrix, again, equal_nan=True),
            metric,
            "is not repeatable: it gives two matrices for one layer",
        )
        _check_known(metric, representation, matrix)
        order = trial.rng.permutation(len(trial.first))
        moved = _compute(metric, representation.take(order), "for an ordinary layer")
        same = np.allclose(moved, matrix[np.ix_(order, order)], rtol=1e-6, atol=1e-9, equal_nan=True)
        expect(same, metric, "gives other values when the stimuli come in another order")
        single = _compute(metric, represent(trial.first.astype(np.float32)), "for float32 activations")
        scale = max(float(np.nanmax(np.abs(matrix))), 1e-300)
        near = np.allclose(single, matrix, rtol=1e-3, atol=2e-3 * scale, equal_nan=True)
        expect(near, metric, "gives other values for float32 activations than for float64 ones")
    for layer in draw_awkward_layers(seed):
        with np.errstate(all="ignore"):
            representation = represent(layer.rows)
        try:
            _compute(metric, representation, layer.what)
        except InputError:
            continue  # a refusal that says why is an answer


def _check_known(metric: Metric, representation: Representation, matrix: Values) -> None:
    pairs = ~np.eye(len(matrix), dtype=np.bool_)
    scale = max(float(np.abs(matrix[pairs]).max()), 1e-300)
    what = "for an ordinary layer"
    errors = np.asarray(ask(metric, what, lambda: metric.errors(representation, matrix)))
    whole = (
        errors.shape == matrix.shape and bool(np.isfinite(errors[pairs]).all()) and bool((errors[pairs] >= 0).all())
    )
    expect(whole, metric, f"gives no {matrix.shape} matrix of errors of at least 0 {what}")
    small = bool((errors[pairs] <= 1e-6 * scale).all())
    expect(small, metric, f"gives errors up to {errors[pairs].max()} {what} in float64, expected far smaller ones")
    moved = np.asarray(ask(metric, what, lambda: metric.differences(representation, matrix)))
    same = moved.shape == matrix.shape and bool(np.ptp((moved - matrix)[pairs]) <= 1e-9 * scale)
    expect(same, metric, f"gives differences that are not its matrix less one number {what}")


def _compute(metric: Metric, representation: Representation, what: str) -> Values:
    before = copy.deepcopy(representation)
    answer = ask(metric, what, lambda: metric.compute(representation))
    real = isinstance(answer, np.ndarray) and answer.dtype.kind in "fiu"
    expect(real, metric, f"gives a {type(answer).__name__} {what}, expected an array of real numbers")
    matrix = np.asarray(answer, dtype=np.float64)
    size = representation.n_stimuli
    expect(matrix.shape == (size, size), metric, f"gives shape {matrix.shape} {what}, expected {(size, size)}")
    defined = np.flatnonzero((representation.norm > 0) & np.isfinite(representation.norm))
    inner = matrix[np.ix_(defined, defined)]
    expect(
        bool(np.isfinite(inner).all()), metric, f"is not finite for stimuli that are neither constant nor NaN, {what}"
    )
    scale = max(float(np.abs(inner).max(initial=0)), 1.0)
    symmetric = np.allclose(inner, inner.T, rtol=1e-6, atol=1e-9 * scale)
    expect(symmetric, metric, f"is not symmetric {what}")
    if metric.kind == "distance":
        diagonal = bool((np.abs(np.diagonal(inner)) <= 1e-6 * scale).all())
        positive = bool((inner >= -1e-6 * scale).all())
        expect(diagonal and positive, metric, f"is negative, or not 0 from a stimulus to itself, {what}")
    low, high = metric.value_range
    least, most = float(inner.min(initial=np.inf)), float(inner.max(initial=-np.inf))
    inside = (low is None or least >= low - 1e-6 * scale) and (high is None or most <= high + 1e-6 * scale)
    expect(inside, metric, f"gives values from {least} to {most} {what}, outside of its range {metric.value_range}")
    expect(is_same(before, representation), metric, "changes the representation it is given, expected it as it was")
    return matrix
