"""Profiles of matrices whose steps are known beforehand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from layerwise.core.analysis.profile import find_crossings, measure_profile, measure_smoothness
from layerwise.core.history.profiles import Crossing, Profile

STEPS = st.lists(st.floats(0, 1, allow_subnormal=False), min_size=2, max_size=30)


def chain(steps: list[float], kind: str = "distance") -> np.ndarray:
    """A matrix whose neighbours are apart by these steps, and others by their sum."""
    places = np.concatenate([[0], np.cumsum(steps)])
    apart = np.abs(places[:, None] - places[None, :])
    return apart if kind == "distance" else 1 - apart


def profile_of(steps: list[float], **more) -> Profile:
    names = [f"layer{index}" for index in range(len(steps) + 1)]
    return measure_profile(names, chain(steps, more.pop("kind", "distance")), "distance", **more)


@given(STEPS)
def test_shares_add_up_to_one_and_smoothness_stays_between_0_and_1(steps):
    assume(max(steps) > 0)
    profile = profile_of(steps)
    assert profile.shares[1:].sum() == pytest.approx(1)
    assert (profile.shares[1:] >= 0).all()
    assert np.isnan(profile.shares[0])
    assert profile.smoothness is not None
    assert 0 <= profile.smoothness <= 1
    assert profile.progress[0] == 0
    assert profile.progress[-1] == pytest.approx(1)
    assert 1 <= profile.effective_steps <= len(steps)


@given(size=st.floats(1e-200, 1e200), n_steps=st.integers(2, 60))
def test_equal_steps_are_perfectly_smooth(size, n_steps):
    assert measure_smoothness([size] * n_steps) == pytest.approx(1, abs=1e-9)


@given(n_steps=st.integers(2, 60), data=st.data())
def test_a_single_step_is_not_smooth_at_all(n_steps, data):
    steps = np.zeros(n_steps)
    steps[data.draw(st.integers(0, n_steps - 1))] = 0.3
    assert measure_smoothness(steps) == pytest.approx(0, abs=1e-12)


def test_nearly_everything_in_one_step_is_nearly_zero():
    values = [measure_smoothness([1.0, *[small] * 9]) for small in (0.1, 0.01, 0.001, 1e-6)]
    assert values == sorted(values, reverse=True)
    assert values[-1] < 1e-4


@given(steps=STEPS, scale=st.floats(1e-3, 1e3), seed=st.integers(0, 99))
def test_neither_the_scale_nor_the_order_of_the_steps_changes_smoothness(steps, scale, seed):
    assume(max(steps) > 1e-6)
    shuffled = np.random.default_rng(seed).permutation(steps) * scale
    assert measure_smoothness(shuffled) == pytest.approx(measure_smoothness(steps), abs=1e-9)


@given(steps=STEPS, share=st.floats(0.05, 0.95), data=st.data())
def test_moving_change_from_a_larger_step_to_a_smaller_one_is_smoother(steps, share, data):
    low, high = sorted(data.draw(st.permutations(range(len(steps))))[:2], key=lambda index: steps[index])
    assume(steps[high] - steps[low] > 1e-3)
    evened = list(steps)
    moved = share * (steps[high] - steps[low]) / 2
    evened[low] += moved
    evened[high] -= moved
    before, after = measure_smoothness(steps), measure_smoothness(evened)
    assert before is not None
    assert after is not None
    assert after > before - 1e-12


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=12))
def test_halving_every_step_doubles_the_number_of_effective_steps(steps):
    halves = [half for step in steps for half in (step / 2, step / 2)]
    assert profile_of(halves).effective_steps == pytest.approx(2 * profile_of(steps).effective_steps)


def test_similarities_and_distances_of_the_same_change_give_the_same_profile():
    steps = [0.1, 0.3, 0.05, 0.2]
    names = list("abcde")
    one = measure_profile(names, chain(steps), "distance")
    other = measure_profile(names, chain(steps, "similarity"), "similarity")
    scaled = measure_profile(names, 7 * chain(steps, "similarity"), "similarity", largest=7.0)
    for profile in (other, scaled):
        assert profile.shares[1:] == pytest.approx(one.shares[1:])
        assert profile.smoothness == pytest.approx(one.smoothness)
        assert profile.crossings[0].depth == pytest.approx(one.crossings[0].depth)
    assert one.total == pytest.approx(0.65)
    assert other.largest == 2


def test_the_crossing_is_interpolated_between_the_layers():
    profile = measure_profile("abcde", chain([1, 1, 1, 3]), "distance")
    (crossing,) = profile.crossings
    assert (crossing.after, crossing.before) == ("d", "d")
    assert crossing.depth == pytest.approx(0.75)
    (crossing,) = measure_profile("abcde", chain([1, 1, 1, 5]), "distance").crossings
    assert (crossing.after, crossing.before) == ("d", "e")
    assert crossing.depth == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("towards", "expected"),
    [
        ([-1, 1], [Crossing(0.5, "a", "b")]),
        ([-1, 3], [Crossing(0.25, "a", "b")]),
        ([-1, 0, 1], [Crossing(0.5, "b", "b")]),
        ([-1, 0, 0, 1], [Crossing(0.5, "c", "c")]),
        ([-1, 1, -1, 1], [Crossing(1 / 6, "a", "b"), Crossing(0.5, "b", "c"), Crossing(5 / 6, "c", "d")]),
        ([-1, np.nan, 1], [Crossing(0.5, "a", "c")]),
        ([-1, -0.5, 0], []),
        ([0, 0], []),
        ([np.nan], []),
        ([], []),
    ],
)
def test_crossings_are_found_where_the_sign_changes(towards, expected):
    found = find_crossings("abcd"[: len(towards)], towards)
    assert [(c.after, c.before) for c in found] == [(c.after, c.before) for c in expected]
    assert [c.depth for c in found] == pytest.approx([c.depth for c in expected])


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=12))
def test_a_curve_from_the_input_to_the_output_crosses_an_odd_number_of_times(inner):
    towards = [-1.0, *inner, 1.0]
    found = find_crossings([str(index) for index in range(len(towards))], towards)
    assert len(found) % 2 == 1
    depths = [crossing.depth for crossing in found]
    assert depths == sorted(depths)
    assert all(0 <= depth <= 1 for depth in depths)


@pytest.mark.parametrize(
    ("matrix", "reason"),
    [
        ([[1, np.nan, 0.2], [np.nan, 1, 0.4], [0.2, 0.4, 1]], "the step from a to b is undefined"),
        ([[1, 0.5, 0.2], [0.5, 1, 1.2], [0.2, 1.2, 1]], "the step from b to c is negative"),
        ([[1, 1, 1], [1, 1, 1], [1, 1, 1]], "no layer changes anything"),
    ],
)
def test_a_profile_that_is_undefined_says_why_and_keeps_what_is_defined(matrix, reason):
    profile = measure_profile("abc", matrix, "similarity")
    assert profile.smoothness is profile.effective_steps is profile.largest is None
    assert profile.reason.startswith(reason)
    assert np.isnan(profile.shares).all()
    assert profile.to_output[2] == 1


def test_rounding_beyond_the_largest_similarity_is_no_negative_step():
    profile = measure_profile("abc", [[1, 1 + 1e-9, 0.5], [1, 1, 0.5], [0.5, 0.5, 1]], "similarity")
    assert profile.shares[1:].tolist() == [0, 1]


def test_two_layers_have_one_step_which_is_neither_smooth_nor_abrupt():
    profile = measure_profile("ab", [[1, 0.3], [0.3, 1]], "similarity")
    assert profile.shares[1] == 1
    assert (profile.smoothness, profile.total) == (None, pytest.approx(0.7))
    assert profile.reason == "one step alone is neither smooth nor abrupt"
    assert profile.crossings == (Crossing(0.5, "a", "b"),)


@pytest.mark.parametrize(("ends", "missing"), [((None, 2), "input"), ((0, None), "output"), ((None, None), "input")])
def test_without_one_of_the_ends_steps_are_there_and_crossings_are_not(ends, missing):
    matrix = chain([0.2, 0.3], "similarity")
    profile = measure_profile("abc", matrix, "similarity", 1.0, *ends)
    assert profile.smoothness == measure_profile("abc", matrix, "similarity").smoothness
    assert profile.crossings == ()
    assert profile.reason == f"the {missing} is not among the layers, so nothing crosses"


def test_of_a_measure_that_is_not_symmetric_the_earlier_layer_comes_first():
    matrix = np.arange(9.0).reshape(3, 3) / 10
    profile = measure_profile("abc", matrix, "distance")
    assert profile.steps[1:].tolist() == [matrix[i, j] for i, j in itertools.pairwise(range(3))]
    assert (profile.to_input.tolist(), profile.to_output.tolist()) == (matrix[0].tolist(), matrix[:, 2].tolist())
