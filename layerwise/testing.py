"""Checks for plugin authors: does a measure do what it declares?

Call `check_comparator(MyComparator())` or `check_metric(MyMetric())` from a test. Each draws random layers from a
seed, asks the measure, and raises an AssertionError that says what was expected, with the numbers. The built-in
measures pass the same checks.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.core.errors import InputError
from layerwise.core.kinds import Comparator, Metric
from layerwise.core.representation import Representation, represent

INVARIANCES = frozenset(
    {"orthogonal", "isotropic-scaling", "invertible-linear", "translation", "stimulus-permutation"}
)
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Trial:
    """Two random layers that have something in common, as activations of the same stimuli.

    Attributes:
        first: (n, p); activations of one layer.
        second: (n, q); of the other.
        rng: What to draw from, for changes of them.
    """

    first: Values
    second: Values
    rng: np.random.Generator


def check_comparator(comparator: Comparator, n_trials: int = 3, seed: int = 0, tolerance: float = 2e-4) -> None:
    """Check that a comparator is what it says.

    Its declarations, its range, symmetry where declared, each declared invariance, that `compare_all` agrees with
    `compare`, that asking twice gives the same and changes no input, that two, three and constant stimuli give a
    number in the range or an `InputError`, and that a layer is at least as alike to itself as to another.

    Args:
        comparator: The comparator, configured as it is to be checked.
        n_trials: How many pairs of random layers; invariances are checked on each.
        seed: Of the random layers.
        tolerance: Relative, or of 1 where values are small, for values that should be the same: stored correlations
            are float32.

    Raises:
        AssertionError: If it is not; says what.
    """
    _check_declarations(comparator)
    for trial in _trials(n_trials, seed):
        states = [_prepare(comparator, rows) for rows in (trial.first, trial.second)]
        value = _ask(comparator, *states)
        itself = _ask(comparator, states[0], states[0])
        sign = 1 if comparator.kind == "similarity" else -1
        if comparator.symmetric:
            other = _ask(comparator, states[1], states[0])
            _expect(_close(value, other, 1e-9), comparator, f"is declared symmetric, but gives {value} and {other}")
            better = sign * (itself - value) >= -tolerance * max(1, abs(value))
            _expect(better, comparator, f"finds a layer less alike to itself ({itself}) than to another ({value})")
        _expect(_ask(comparator, *states) == value, comparator, "gives different values when asked twice")
        _check_all_at_once(comparator, states)
        _check_invariances(comparator, trial, value, tolerance)
    _check_small(comparator, seed)


def check_metric(metric: Metric, n_trials: int = 3, seed: int = 0) -> None:
    """Check that a metric gives a symmetric (n, n) matrix that follows the stimuli, and leaves its input alone.

    NaN is allowed for stimuli with constant activations only; the diagonal of a distance must be 0.

    Args:
        metric: The metric.
        n_trials: How many random layers.
        seed: Of the random layers.

    Raises:
        AssertionError: If it is not so; says what.
    """
    _expect(metric.kind in ("similarity", "distance"), metric, f"has kind {metric.kind!r}")
    for trial in _trials(n_trials, seed):
        for rows in (trial.first, trial.second[:3], trial.second[:2], _with_constant(trial.first)):
            representation = represent(rows)
            matrix = _compute(metric, representation)
            _expect(
                np.array_equal(matrix, _compute(metric, representation), equal_nan=True), metric, "is not repeatable"
            )
            order = trial.rng.permutation(len(rows))
            moved = _compute(metric, representation.take(order))
            same = np.allclose(moved, matrix[np.ix_(order, order)], rtol=1e-6, atol=1e-9, equal_nan=True)
            _expect(same, metric, "gives other values when the stimuli come in another order")


def _check_declarations(comparator: Comparator) -> None:
    _expect(bool(comparator.name and comparator.description), comparator, "has no name or no description")
    _expect(comparator.kind in ("similarity", "distance"), comparator, f"has kind {comparator.kind!r}")
    _expect(isinstance(comparator.symmetric, bool), comparator, "does not say whether it is symmetric")
    unknown = set(comparator.invariant_to) - INVARIANCES
    _expect(not unknown, comparator, f"declares invariances that do not exist: {sorted(unknown)}")
    low, high = comparator.value_range
    _expect(low is None or high is None or low < high, comparator, f"has the range {comparator.value_range}")
    for parameter in comparator.parameters:
        read = parameter.read(parameter.default, comparator.name)
        _expect(read == parameter.default, comparator, f"has a default that '{parameter.name}' does not allow")


def _check_all_at_once(comparator: Comparator, states: list[Any]) -> None:
    together = comparator.compare_all(states, states)
    shape = getattr(together, "shape", None)
    _expect(shape == (2, 2), comparator, f"gives shape {shape} for all pairs of two layers")
    for i, first in enumerate(states):
        for j, second in enumerate(states):
            one, all_at_once = _ask(comparator, first, second), float(together[i, j])
            agree = np.isnan(all_at_once) or _close(one, all_at_once, 1e-7)
            _expect(agree, comparator, f"compares a pair as {one}, and among all pairs as {all_at_once}")


def _check_invariances(comparator: Comparator, trial: Trial, value: float, tolerance: float) -> None:
    for name in sorted(comparator.invariant_to):
        for first, second in _CHANGES[name](trial):
            changed = _ask(comparator, _prepare(comparator, first), _prepare(comparator, second))
            same = _close(value, changed, tolerance)
            _expect(same, comparator, f"is declared invariant to {name}, but goes from {value} to {changed}")


def _check_small(comparator: Comparator, seed: int) -> None:
    rng = np.random.default_rng(seed)
    constant = _with_constant(rng.normal(size=(14, 7)))
    flat = np.ones((14, 7))
    for rows in (rng.normal(size=(2, 5)), rng.normal(size=(3, 5)), constant, flat):
        try:
            states = [comparator.prepare(represent(item)) for item in (rows, rows + rng.normal(size=rows.shape))]
            _ask(comparator, *states)
        except InputError:
            continue  # a refusal that says why is an answer


def _prepare(comparator: Comparator, rows: Values) -> Any:
    """The state, having made sure that the representation is left alone."""
    representation = represent(rows)
    before = copy.deepcopy(representation)
    state = comparator.prepare(representation)
    _expect(_same(before, representation), comparator, "changes the representation it is given")
    return state


def _ask(comparator: Comparator, first: Any, second: Any) -> float:
    value = comparator.compare(first, second)
    number = isinstance(value, float | int | np.floating | np.integer) and np.isfinite(value)
    _expect(bool(number), comparator, f"gives {value!r} rather than a finite number")
    low, high = comparator.value_range
    inside = (low is None or value >= low - 1e-9) and (high is None or value <= high + 1e-9)
    _expect(bool(inside), comparator, f"gives {value}, outside of its range {comparator.value_range}")
    return float(value)


def _compute(metric: Metric, representation: Representation) -> Values:
    before = copy.deepcopy(representation)
    matrix = np.asarray(metric.compute(representation), dtype=np.float64)
    n_stimuli = representation.n_stimuli
    _expect(matrix.shape == (n_stimuli, n_stimuli), metric, f"gives shape {matrix.shape} for {n_stimuli} stimuli")
    live = np.setdiff1d(np.arange(n_stimuli), representation.constant)
    inner = matrix[np.ix_(live, live)]
    _expect(bool(np.isfinite(inner).all()), metric, "is not finite for stimuli that are not constant")
    _expect(np.allclose(matrix, matrix.T, rtol=1e-6, atol=1e-9, equal_nan=True), metric, "is not symmetric")
    if metric.kind == "distance":
        scale = max(float(np.abs(inner).max()), 1.0)
        diagonal = bool((np.abs(np.diagonal(inner)) <= 1e-6 * scale).all())
        _expect(
            diagonal and bool((inner >= -1e-6 * scale).all()),
            metric,
            "is negative, or not 0 from a stimulus to itself",
        )
    _expect(_same(before, representation), metric, "changes the representation it is given")
    return matrix


def _trials(n_trials: int, seed: int) -> Iterator[Trial]:
    """Random layers with more stimuli than units, where every measure is defined."""
    for number in range(n_trials):
        rng = np.random.default_rng([seed, number])
        common = rng.normal(size=(30, 4))
        p, q = (int(size) for size in rng.integers(5, 9, size=2))
        layers = [common @ rng.normal(size=(4, size)) + rng.normal(size=(30, size)) + 1 for size in (p, q)]
        yield Trial(layers[0], layers[1], rng)


Change = Callable[[Trial], list[tuple[Values, Values]]]


def _rotate(trial: Trial) -> list[tuple[Values, Values]]:
    turns = [np.linalg.qr(trial.rng.normal(size=(rows.shape[1],) * 2))[0] for rows in (trial.first, trial.second)]
    return [(trial.first @ turns[0], trial.second), (trial.first, trial.second @ turns[1])]


def _scale(trial: Trial) -> list[tuple[Values, Values]]:
    return [(3.7 * trial.first, trial.second), (trial.first, 0.02 * trial.second)]


def _map_linearly(trial: Trial) -> list[tuple[Values, Values]]:
    maps = [
        np.eye(rows.shape[1]) + 0.3 * trial.rng.normal(size=(rows.shape[1],) * 2)
        for rows in (trial.first, trial.second)
    ]
    return [(trial.first @ maps[0], trial.second), (trial.first, trial.second @ maps[1])]


def _translate(trial: Trial) -> list[tuple[Values, Values]]:
    shifts = [trial.rng.normal(size=rows.shape[1]) for rows in (trial.first, trial.second)]
    return [(trial.first + shifts[0], trial.second), (trial.first, trial.second + shifts[1])]


def _permute(trial: Trial) -> list[tuple[Values, Values]]:
    order = trial.rng.permutation(len(trial.first))
    return [(trial.first[order], trial.second[order])]


_CHANGES: dict[str, Change] = {
    "orthogonal": _rotate,
    "isotropic-scaling": _scale,
    "invertible-linear": _map_linearly,
    "translation": _translate,
    "stimulus-permutation": _permute,
}


def _with_constant(rows: Values) -> Values:
    changed = rows.copy()
    changed[1] = 2.5
    return changed


def _same(before: Representation, after: Representation) -> bool:
    return all(
        np.array_equal(getattr(before, name), getattr(after, name), equal_nan=True)
        for name in ("correlation", "mean", "norm")
    )


def _close(first: float, second: float, tolerance: float) -> bool:
    return abs(first - second) <= tolerance * max(1.0, abs(first), abs(second))


def _expect(is_so: bool, offer: Comparator | Metric, failure: str) -> None:
    if not is_so:
        raise AssertionError(f"{offer.name} {failure}")
