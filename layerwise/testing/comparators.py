"""Does a comparator do what it declares?"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from layerwise.core.base.errors import InputError
from layerwise.core.host.kinds import Comparator
from layerwise.core.host.kinds.measures import INVARIANCES
from layerwise.core.network.products import represent
from layerwise.testing.expecting import ask, expect, expect_named, is_close, is_same
from layerwise.testing.material import CHANGES, AwkwardLayer, Trial, draw_awkward_layers, draw_trials

__all__ = ["INVARIANCES", "check_comparator"]

_ORDINARY_ERROR = 1e-6


def check_comparator(comparator: Comparator, n_trials: int = 3, seed: int = 0, tolerance: float = 2e-4) -> None:
    """Check that a comparator is what it says.

    Its declarations, its range, symmetry where declared, each declared invariance (translations by 10,000 standard
    deviations and linear maps with condition 10,000 among them), that `compare_all` and `compare_pairs` agree with
    `compare`, that its `error` is none worth a digit for ordinary layers, that asking twice gives the same and
    changes neither representation nor state, that float32 activations give what float64 ones give, that a layer is at
    least as alike to itself as to another. Two, three, constant, silent and equal stimuli and activations that are
    not finite must give a number in the range or an `InputError`, never anything else.

    Args:
        comparator: The comparator, configured as it is to be checked.
        n_trials: How many pairs of random layers; invariances are checked on each.
        seed: Of the random layers.
        tolerance: Relative, or of 1 where values are small, for values that should be the same.

    Raises:
        AssertionError: If it is not; says what.
    """
    _check_declarations(comparator)
    for trial in draw_trials(n_trials, seed):
        states = [_prepare(comparator, rows) for rows in (trial.first, trial.second)]
        before = copy.deepcopy(states)
        value = _compare(comparator, *states)
        _check_self(comparator, states, value, tolerance)
        again = _compare(comparator, *states)
        expect(again == value, comparator, f"gives different values when asked twice: {value}, then {again}")
        _check_error(comparator, states, value)
        _check_all_at_once(comparator, states)
        _check_some_at_once(comparator, states)
        expect(
            is_same(before, states),
            comparator,
            "changes the states it compares, expected them as `prepare` gave them",
        )
        _check_invariances(comparator, trial, value, tolerance)
        _check_precision(comparator, trial, value, tolerance)
    for layer in draw_awkward_layers(seed):
        _check_awkward(comparator, layer, seed)


def _check_declarations(comparator: Comparator) -> None:
    expect_named(comparator, Comparator)
    kind = getattr(comparator, "kind", None)
    expect(kind in ("similarity", "distance"), comparator, f"has kind {kind!r}, expected 'similarity' or 'distance'")
    symmetric = isinstance(getattr(comparator, "symmetric", None), bool)
    expect(symmetric, comparator, "does not say whether it is symmetric, expected `symmetric` to be True or False")
    unknown = set(comparator.invariant_to) - INVARIANCES
    known = ", ".join(sorted(INVARIANCES))
    expect(
        not unknown,
        comparator,
        f"declares invariances that do not exist: {sorted(unknown)}, expected some of {known}",
    )
    low, high = comparator.value_range
    expect(
        low is None or high is None or low < high,
        comparator,
        f"has the range {comparator.value_range}, expected (smallest, largest), None where there is no bound",
    )
    for parameter in comparator.parameters:
        read = parameter.read(parameter.default, comparator.name)
        expect(read == parameter.default, comparator, f"has a default that '{parameter.name}' does not allow")


def _check_self(comparator: Comparator, states: list[Any], value: float, tolerance: float) -> None:
    itself = _compare(comparator, states[0], states[0])
    if not comparator.symmetric:
        return
    other = _compare(comparator, states[1], states[0])
    expect(is_close(value, other, 1e-9), comparator, f"is declared symmetric, but gives {value} and {other}")
    sign = 1 if comparator.kind == "similarity" else -1
    better = sign * (itself - value) >= -tolerance * max(1, abs(value))
    expect(better, comparator, f"finds a layer less alike to itself ({itself}) than to another ({value})")


def _check_error(comparator: Comparator, states: list[Any], value: float) -> None:
    error = ask(comparator, "for ordinary layers", lambda: comparator.error(value, *states))
    number = isinstance(error, float | int | np.floating) and bool(np.isfinite(error)) and error >= 0
    expect(number, comparator, f"gives {error!r} as the error of {value}, expected a finite number of at least 0")
    size = max(abs(value), 1.0) if comparator.kind == "similarity" else abs(value)
    expect(
        error <= _ORDINARY_ERROR * size,
        comparator,
        f"gives {error} as the error of {value} for ordinary layers in float64, expected it to be smaller by far",
    )


def _check_all_at_once(comparator: Comparator, states: list[Any]) -> None:
    together = comparator.compare_all(states, states)
    shape = getattr(together, "shape", None)
    expect(shape == (2, 2), comparator, f"gives shape {shape} for all pairs of two layers, expected (2, 2)")
    for i, first in enumerate(states):
        for j, second in enumerate(states):
            one, all_at_once = _compare(comparator, first, second), float(together[i, j])
            agree = np.isnan(all_at_once) or is_close(one, all_at_once, 1e-7)
            expect(bool(agree), comparator, f"compares a pair as {one}, and among all pairs as {all_at_once}")


def _check_some_at_once(comparator: Comparator, states: list[Any]) -> None:
    firsts, seconds = [states[0], states[1], states[0]], [states[1], states[0], states[0]]
    together = np.asarray(comparator.compare_pairs(firsts, seconds))
    shape = together.shape
    expect(shape == (3,), comparator, f"gives shape {shape} for three pairs of layers, expected (3,)")
    for first, second, some_at_once in zip(firsts, seconds, together, strict=True):
        one = _compare(comparator, first, second)
        agree = np.isnan(some_at_once) or is_close(one, float(some_at_once), 1e-7)
        expect(bool(agree), comparator, f"compares a pair as {one}, and among a few pairs as {some_at_once}")


def _check_invariances(comparator: Comparator, trial: Trial, value: float, tolerance: float) -> None:
    for name in sorted(comparator.invariant_to):
        for first, second in CHANGES[name](trial):
            changed = _compare(comparator, _prepare(comparator, first), _prepare(comparator, second))
            same = is_close(value, changed, tolerance)
            expect(same, comparator, f"is declared invariant to {name}, but goes from {value} to {changed}")


def _check_precision(comparator: Comparator, trial: Trial, value: float, tolerance: float) -> None:
    single = [_prepare(comparator, rows.astype(np.float32)) for rows in (trial.first, trial.second)]
    changed = _compare(comparator, *single)
    same = is_close(value, changed, tolerance)
    expect(same, comparator, f"gives {value} for float64 activations, but {changed} for the same in float32")


def _check_awkward(comparator: Comparator, layer: AwkwardLayer, seed: int) -> None:
    rng = np.random.default_rng(seed)
    try:
        states = [_prepare(comparator, rows, layer.what) for rows in (layer.rows, rng.normal(size=layer.rows.shape))]
        _compare(comparator, states[0], states[1], layer.what)
    except InputError:
        return  # a refusal that says why is an answer


def _prepare(comparator: Comparator, rows: ArrayLike, what: str = "for an ordinary layer") -> Any:
    """The state, having made sure that the representation is left alone."""
    with np.errstate(all="ignore"):
        representation = represent(rows)
    before = copy.deepcopy(representation)
    state = ask(comparator, what, lambda: comparator.prepare(representation))
    expect(
        is_same(before, representation), comparator, "changes the representation it is given, expected it as it was"
    )
    return state


def _compare(comparator: Comparator, first: Any, second: Any, what: str = "for ordinary layers") -> float:
    value = ask(comparator, what, lambda: comparator.compare(first, second))
    low, high = comparator.value_range
    number = isinstance(value, float | int | np.floating | np.integer) and bool(np.isfinite(value))
    wanted = f"a finite number from {low} to {high}"
    expect(number, comparator, f"gives {value!r} rather than a finite number {what}, expected {wanted}")
    inside = (low is None or value >= low - 1e-9) and (high is None or value <= high + 1e-9)
    expect(bool(inside), comparator, f"gives {value} {what}, outside of its range {comparator.value_range}")
    return float(value)
