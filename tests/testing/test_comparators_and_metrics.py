"""The checks that plugin authors are offered find what they are there to find."""

from __future__ import annotations

import numpy as np
import pytest

from layerwise.core.base.errors import InputError
from layerwise.core.host.kinds import Comparator, Metric
from layerwise.testing import check_comparator, check_metric


class Honest(Comparator):
    """The cosine of two Gram matrices, which declares what is true of it."""

    name = "honest"
    description = "honest"
    kind = "similarity"
    symmetric = True
    value_range = (0.0, 1.0)
    invariant_to = frozenset({"orthogonal", "isotropic-scaling", "stimulus-permutation"})

    def prepare(self, representation):
        gram = representation.gram()
        if not gram.any():
            raise InputError("all activations are 0")
        return gram / np.linalg.norm(gram)

    def compare(self, first, second):
        return float((first * second).sum())


class Own(Metric):
    name = "own"
    description = "own"
    kind = "similarity"

    def compute(self, representation):
        return representation.gram()


def test_an_honest_comparator_and_metric_pass():
    check_comparator(Honest())
    check_metric(Own())


@pytest.mark.parametrize("wrong", ["translation", "invertible-linear"])
def test_an_invariance_that_is_not_there_is_found(wrong):
    class Boastful(Honest):
        invariant_to = Honest.invariant_to | {wrong}

    with pytest.raises(AssertionError, match=f"honest is declared invariant to {wrong}, but goes from"):
        check_comparator(Boastful())


def lie(**changes):
    return type("Liar", (Honest,), changes)()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value_range": (0.0, 0.5)}, "outside of its range"),
        ({"kind": "closeness"}, "has kind 'closeness'"),
        ({"invariant_to": frozenset({"scaling"})}, "invariances that do not exist"),
        ({"compare": lambda self, a, b: float("nan")}, "rather than a finite number"),
        ({"compare": lambda self, a, b: abs(float(a[0, 1] - b[0, 2]))}, "is declared symmetric"),
        ({"compare_all": lambda self, rows, columns: np.zeros((1, 2))}, r"gives shape \(1, 2\)"),
        ({"compare_all": lambda self, rows, columns: np.zeros((2, 2))}, "among all pairs as 0.0"),
        ({"compare_pairs": lambda self, firsts, seconds: np.zeros(2)}, r"gives shape \(2,\) for three pairs"),
        ({"compare_pairs": lambda self, firsts, seconds: np.zeros(3)}, "among a few pairs as 0.0"),
        ({"kind": "distance"}, "less alike to itself"),
    ],
)
def test_a_comparator_that_is_not_what_it_says_is_found(changes, message):
    with pytest.raises(AssertionError, match=message):
        check_comparator(lie(**changes))


def test_a_comparator_that_changes_its_input_is_found():
    class Rude(Honest):
        def prepare(self, representation):
            state = super().prepare(representation)
            representation.mean[:] = 0
            return state

    with pytest.raises(AssertionError, match="changes what it is given"):
        check_comparator(Rude())


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (lambda self, r: r.gram()[:1], "gives shape"),
        (lambda self, r: np.triu(r.gram()), "not symmetric"),
        (lambda self, r: np.full((r.n_stimuli,) * 2, np.nan), "not finite"),
        (lambda self, r: np.outer(np.arange(r.n_stimuli), np.arange(r.n_stimuli)), "another order"),
    ],
)
def test_a_metric_that_is_not_one_is_found(compute, message):
    with pytest.raises(AssertionError, match=message):
        check_metric(type("Liar", (Own,), {"compute": compute})())


def test_a_distance_with_a_diagonal_is_found():
    with pytest.raises(AssertionError, match="not 0 from a stimulus to itself"):
        check_metric(type("Liar", (Own,), {"kind": "distance"})())


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (lambda self, r: r.gram() / 1e9 + 5, "outside of its range"),
        (lambda self, r: r.gram().tolist(), "expected an array of real numbers"),
        (lambda self, r: np.linalg.cholesky(r.gram()), "raises LinAlgError"),
        (lambda self, r: np.random.default_rng().normal() * r.gram(), "not repeatable"),
    ],
)
def test_a_metric_that_breaks_another_promise_is_found(compute, message):
    changes = {"compute": compute, "value_range": (0.0, 1.0) if "range" in message else (None, None)}
    with pytest.raises(AssertionError, match=message):
        check_metric(type("Liar", (Own,), changes)())


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda self, r: r.gram() / np.linalg.norm(r.correlation), "nan rather than a finite number with"),
        (lambda self, r: 1 / 0, "raises ZeroDivisionError"),
        (lambda self, r: np.linalg.cholesky(r.gram()), "raises LinAlgError .* expected an answer, or an InputError"),
    ],
)
def test_a_comparator_that_breaks_on_awkward_layers_is_found(prepare, message):
    changes = {"prepare": prepare, "value_range": (None, None), "invariant_to": frozenset()}
    with pytest.raises(AssertionError, match=message):
        check_comparator(lie(**changes))


def test_a_comparator_that_changes_its_states_is_found():
    def compare(self, first, second):
        value = float((first * second).sum())
        first[0, 0] = second[0, 0] = 0
        return min(value, 1.0)

    with pytest.raises(AssertionError, match=r"less alike to itself|different values|changes the states|symmetric"):
        check_comparator(lie(compare=compare))
