"""Asking a history for intervals, tests and differences: what is computed, kept, read back and refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from layerwise.core.analysis.inference.from_history import SAME_LAYER, ask_differences, ask_intervals, ask_tests
from layerwise.core.analysis.measure import find_measure
from layerwise.core.base.errors import InputError, PluginError
from layerwise.core.history.intervals import IntervalPlan, PermutationPlan
from layerwise.core.history.records import LayerAddress
from layerwise.core.host.kinds import Comparator

A, B, C, FLAT = (LayerAddress("run1", name) for name in ("a", "b", "c", "flat"))
PLAN, TESTS = IntervalPlan(60), PermutationPlan(99)


@pytest.fixture
def make(fake):
    """Make a history of four layers: two alike, one of its own, one without any activations."""

    def fill(n_stimuli: int = 24, **changes):
        rng = np.random.default_rng(0)
        shared = rng.normal(size=(n_stimuli, 40))
        rows = {name: shared + 0.3 * rng.normal(size=shared.shape) for name in "ab"}
        rows |= {"c": rng.normal(size=shared.shape), "flat": np.ones((n_stimuli, 3))}
        history = fake.MadeHistory()
        fake.add_rows(history, "run1", rows | changes)
        return history

    return fill


@pytest.fixture
def history(make):
    return make()


def test_every_pair_has_an_interval_around_its_value(history, rsa):
    table = ask_intervals(history, rsa, [A, B, C], PLAN)
    states = [rsa.prepare(history.peek(address)) for address in (A, B, C)]
    values = np.array([[rsa.compare(one, other) for other in states] for one in states])
    assert table.low.shape == (3, 3)
    assert np.allclose(table.low, table.low.T)
    off = ~np.eye(3, dtype=bool)
    assert (table.low < values)[off].all()
    assert (values < table.high)[off].all()
    assert (np.diagonal(table.low) == 1).all()
    assert dict(table.reasons) == {}


def test_intervals_are_read_back_when_asked_for_again(history, rsa):
    first = ask_intervals(history, rsa, [A, B, C], PLAN)
    n_read = history.n_read
    again = ask_intervals(history, rsa, [C, A], PLAN)
    assert history.n_read == n_read
    assert again.low[0, 1] == first.low[2, 0]
    ask_intervals(history, rsa, [C, A], IntervalPlan(60, seed=1))
    assert history.n_read > n_read


def test_nothing_is_kept_if_not_wanted(history, rsa):
    ask_intervals(history, rsa, [A, B], PLAN, save=False)
    ask_tests(history, rsa, [A, B], TESTS, save=False)
    assert history.n_kept == 0


def test_an_undefined_layer_has_reasons_and_the_others_their_intervals(history, rsa):
    intervals, tests = ask_intervals(history, rsa, [A, B, FLAT], PLAN), ask_tests(history, rsa, [A, B, FLAT], TESTS)
    assert math.isnan(intervals.low[0, 2])
    assert intervals.reasons[A, FLAT] == "the number itself is undefined"
    assert np.isfinite(intervals.low[0, 1])
    assert math.isnan(tests.p[0, 2])
    assert tests.reasons[A, FLAT] == "undefined for 99 of 99 permutations"
    assert tests.p[0, 1] == pytest.approx(0.01)
    assert tests.n_tests == 1


def test_alike_layers_pass_the_test_and_unrelated_ones_do_not(history, rsa):
    table = ask_tests(history, rsa, [A, B, C], TESTS)
    assert table.p[0, 1] == table.p[1, 0] == pytest.approx(0.01)
    assert table.p[0, 2] > 0.05
    assert table.p_corrected[0, 1] == pytest.approx(0.03)
    assert table.n_tests == 3
    assert np.isnan(np.diagonal(table.p)).all()
    assert table.reasons[A, A] == SAME_LAYER


def test_the_correction_can_be_chosen_and_is_not_what_is_kept(history, rsa):
    holm = ask_tests(history, rsa, [A, B, C], TESTS, "holm")
    n_read = history.n_read
    bh = ask_tests(history, rsa, [A, B, C], TESTS, "bh")
    assert history.n_read == n_read
    assert np.array_equal(holm.p, bh.p, equal_nan=True)
    assert np.nansum(bh.p_corrected) < np.nansum(holm.p_corrected)


def test_other_kept_tests_do_not_change_the_family(history, rsa):
    ask_tests(history, rsa, [A, B, C], TESTS)
    assert ask_tests(history, rsa, [A, B], TESTS).p_corrected[0, 1] == pytest.approx(0.01)


@pytest.mark.parametrize("name", ["rsa-spearman", "cka-debiased", "procrustes", "mutual-knn", "linear-predictivity"])
def test_every_kind_of_measure_can_be_asked(history, registry, name):
    measure = find_measure(registry, name)
    intervals, tests = ask_intervals(history, measure, [A, B, C], PLAN), ask_tests(history, measure, [A, B, C], TESTS)
    states = [measure.prepare(history.peek(address)) for address in (A, B, C)]
    value = measure.compare(states[0], states[1])
    assert intervals.low[0, 1] - 1e-9 <= value <= intervals.high[0, 1] + 1e-9
    assert tests.p[0, 1] == pytest.approx(0.01)
    if measure.symmetric:
        assert np.allclose(tests.p, tests.p.T, equal_nan=True)


def test_a_difference_of_a_comparison_with_itself_is_nothing(history, rsa):
    (found,) = ask_differences(history, rsa, [((A, B), (B, A))], PLAN)
    assert found.value == pytest.approx(0, abs=1e-12)
    assert (found.interval.low, found.interval.high) == pytest.approx((0, 0), abs=1e-12)
    assert found.interval.p is not None


def test_a_large_difference_is_found(history, rsa):
    pairs = [((A, B), (A, C)), ((A, C), (B, C))]
    large, small = ask_differences(history, rsa, pairs, PLAN)
    assert large.interval.low > 0.3
    assert large.interval.p < 0.001
    assert small.interval.low < 0 < small.interval.high
    assert small.interval.p > 0.05


def test_a_paired_interval_is_narrower_than_independent_ones_would_be(history, rsa):
    (change,) = ask_differences(history, rsa, [((A, C), (B, C))], PLAN)
    table = ask_intervals(history, rsa, [A, B, C], PLAN)
    widths = [table.high[i, 2] - table.low[i, 2] for i in (0, 1)]
    assert change.interval.high - change.interval.low < math.hypot(*widths)


def test_a_difference_with_an_undefined_layer_has_a_reason(history, rsa):
    (found,) = ask_differences(history, rsa, [((A, B), (A, FLAT))], PLAN)
    assert math.isnan(found.value)
    assert found.interval.reason == "the number itself is undefined"


def test_few_stimuli_are_refused(rsa, make):
    with pytest.raises(InputError, match="at least 4 stimuli, here are 3"):
        ask_intervals(make(3), rsa, [A, B], PLAN)
    with pytest.raises(InputError, match="at least 4 stimuli, here are 3"):
        ask_tests(make(3), rsa, [A, B], TESTS)


@pytest.mark.parametrize("n_stimuli", [4, 5, 6, 8])
@pytest.mark.parametrize("name", ["rsa-pearson", "rsa-spearman", "cka"])
def test_with_hardly_enough_stimuli_there_is_an_interval_or_a_reason(registry, make, name, n_stimuli):
    measure = find_measure(registry, name)
    history = make(n_stimuli)
    table = ask_intervals(history, measure, [A, B], PLAN)
    assert np.isfinite(table.low[0, 1]) != bool(table.reasons.get((A, B)))
    assert np.isfinite(ask_tests(history, measure, [A, B], TESTS).p[0, 1])


@pytest.mark.parametrize("name", ["rsa-pearson", "rsa-spearman"])
def test_ties_everywhere_do_no_harm(registry, make, name):
    words = np.random.default_rng(0).integers(2, size=(24, 4)).astype(float)
    history = make(a=words, b=words[:, ::-1] + 1)
    table = ask_intervals(history, find_measure(registry, name), [A, B, C], PLAN)
    assert all(
        np.isfinite(table.low[i, j]) or (first, second) in table.reasons
        for i, first in enumerate((A, B, C))
        for j, second in enumerate((A, B, C))
    )


def test_runs_of_other_stimuli_are_refused(history, rsa, fake):
    fake.add_rows(history, "run2", {"a": np.eye(24)}, stimuli_fingerprint="other")
    with pytest.raises(InputError, match="only runs on the same stimuli"):
        ask_intervals(history, rsa, [A, LayerAddress("run2", "a")], PLAN)


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (IntervalPlan(5), "at least 20 resamples, not 5"),
        (IntervalPlan(100, level=95), "between 0 and 1"),
        (IntervalPlan(100, method="bcaa"), "did you mean bca"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(history, rsa, plan, said):
    with pytest.raises(InputError, match=said):
        ask_intervals(history, rsa, [A, B], plan)


def test_too_few_permutations_are_refused(history, rsa):
    with pytest.raises(InputError, match="at least 20 permutations, not 3"):
        ask_tests(history, rsa, [A, B], PermutationPlan(3))


class Failing(Comparator):
    """Fails wherever it can."""

    name = "failing"
    description = "fails"
    kind = "similarity"
    symmetric = True
    value_range = (None, None)
    invariant_to = frozenset()

    def prepare(self, representation):
        return representation.n_stimuli

    def compare(self, first, second):
        raise RuntimeError("out of ideas")


def test_a_plugin_s_failure_names_the_plugin(history, measure_of):
    with pytest.raises(PluginError, match=r"plugin 'plugin'.*out of ideas"):
        ask_intervals(history, measure_of(Failing()), [A, B], PLAN)
