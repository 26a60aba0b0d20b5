"""When layers settle, held against sums done by hand, against SciPy, and against trainings whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from layerwise.core.analysis.training import settling
from layerwise.core.analysis.training.checkpoints import choose_training_layers, make_training, read_training
from layerwise.core.analysis.training.ranks import correlate_ranks
from layerwise.core.analysis.training.settling import ask_settling
from layerwise.core.analysis.training.settling_intervals import Bound, find_settled
from layerwise.core.base.errors import InputError
from layerwise.core.history.intervals import IntervalPlan
from layerwise.core.history.records import LayerAddress
from layerwise.core.host.registry import Registry

ABOVE, BELOW = Bound(0.9, "similarity"), Bound(0.1, "distance")
BOTTOM_UP = {
    "input": [1, 1, 1, 1, 1],
    "conv0": [0, 1, 1, 1, 1],
    "conv1": [0, 0, 1, 1, 1],
    "conv2": [0, 0, 0, 1, 1],
    "output": [0, 0, 0, 0, 1],
}


@pytest.mark.parametrize(
    ("curve", "bound", "index"),
    [
        ([0.1, 0.95, 0.99, 1.0], ABOVE, 1),
        ([0.95, 0.5, 0.95, 1.0], ABOVE, 2),  # what it falls back from counts for nothing
        ([0.9, 0.9, 0.9, 1.0], ABOVE, 0),  # at the bound is there
        ([0.0, 0.0, 0.0, 1.0], ABOVE, 3),
        ([0.95, np.nan, 0.95, 1.0], ABOVE, 2),
        ([0.95, 0.95, np.nan], ABOVE, 0),  # the last one is its own end, also where the measure is undefined
        ([0.5, 0.05, 0.2, 0.0], BELOW, 3),
        ([0.5, 0.05, 0.02, 0.0], BELOW, 1),
    ],
)
def test_a_layer_has_settled_where_its_curve_stays_beyond_the_bound(curve, bound, index) -> None:
    assert find_settled(curve, bound) == index


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_settling_is_the_first_place_after_which_nothing_is_short_of_the_bound(curve) -> None:
    tails = [all(value >= 0.9 for value in curve[place:-1]) for place in range(len(curve))]
    assert find_settled(curve, ABOVE) == tails.index(True)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=12))
def test_the_rank_correlation_is_that_of_scipy(pairs) -> None:
    first, second = zip(*pairs, strict=True)
    mine = correlate_ranks(first, second)
    if len(set(first)) == 1 or len(set(second)) == 1:
        assert np.isnan(mine)
    else:
        assert mine == pytest.approx(spearmanr(first, second).statistic, abs=1e-12)


@pytest.mark.parametrize("values", [[1.0, 2.0], [1.0, np.nan, 2.0]])
def test_there_is_no_rank_correlation_of_two_values_or_of_an_undefined_one(values) -> None:
    assert np.isnan(correlate_ranks(values, values))


def test_a_network_that_settles_from_the_bottom_up_is_found_to_do_so(made_training, question) -> None:
    steps = [0, 1, 2, 4, 8]
    found = ask_settling(question(made_training(BOTTOM_UP, steps=steps)))
    assert found.layers == tuple(BOTTOM_UP)
    assert [layer.step for layer in found.settled] == [0, 1, 2, 4, 8]
    assert [layer.is_last for layer in found.settled] == [False] * 4 + [True]
    assert found.order == 1.0
    np.testing.assert_allclose(found.to_end[-1], 1, atol=1e-6)
    assert (found.to_end[0, 1:] < 0.5).all()
    assert found.bands == ()
    assert found.order_interval.low is None


def test_the_input_in_which_nothing_is_learned_does_not_count_for_the_order(made_training, question) -> None:
    shares = {"input": [1, 1, 1, 1], "conv0": [0, 0, 0, 1], "conv1": [0, 0, 1, 1], "output": [0, 1, 1, 1]}
    assert ask_settling(question(made_training(shares))).order == -1.0


@pytest.mark.parametrize("comparator", ["rsa-pearson", "cka", "angular-procrustes", "rsa-spearman"])
def test_any_comparator_says_the_same_of_a_clear_case(made_training, question, comparator) -> None:
    found = ask_settling(question(made_training(BOTTOM_UP), comparator=comparator))
    assert [layer.index for layer in found.settled] == [0, 1, 2, 3, 4]


def test_the_similarities_are_the_comparisons_that_are_kept(made_training, question) -> None:
    history = made_training(BOTTOM_UP)
    found = ask_settling(question(history))
    kept = {(c.first, c.second): c.value for c in history.comparisons}
    for row in range(5):
        for column, layer in enumerate(BOTTOM_UP):
            pair = LayerAddress(f"mine{row}", layer), LayerAddress("mine4", layer)
            assert found.to_end[row, column] == kept[pair]
    n_read = history.n_read
    again = ask_settling(question(history))
    assert history.n_read == n_read
    np.testing.assert_array_equal(again.to_end, found.to_end)


@pytest.mark.parametrize("comparator", ["rsa-pearson", "cka"])
def test_intervals_hold_the_settling_of_clear_cases_and_say_where_one_is_not(
    made_training, question, comparator
) -> None:
    shares = {**BOTTOM_UP, "conv1": [0, 0.78, 1, 1, 1]}  # near the bound at the second checkpoint
    found = ask_settling(question(made_training(shares), comparator=comparator), plan=IntervalPlan(60))
    for layer in found.settled:
        assert layer.low is not None
        assert layer.low <= layer.step <= layer.high
    certain = {layer.layer: (layer.low, layer.high) for layer in found.settled}
    assert certain["conv0"] == (1, 1)
    assert certain["conv2"] == (3, 3)
    assert found.order_interval.low <= found.order <= found.order_interval.high
    assert len(found.bands) == 5
    for row, intervals in enumerate(found.bands[:-1]):
        for column, interval in enumerate(intervals[1:], start=1):
            assert interval.low <= found.to_end[row, column] + 1e-9, (row, column)
            assert interval.high >= found.to_end[row, column] - 1e-9, (row, column)


@pytest.mark.parametrize("comparator", ["cka", "rsa-pearson"])
def test_intervals_are_drawn_once_and_are_those_of_this_very_question(
    made_training, question, comparator, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, plan = question(made_training(BOTTOM_UP), comparator=comparator), IntervalPlan(40, seed=1)
    first = ask_settling(asked, plan=plan)

    def never(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(settling, "draw_settling", never)
    again = ask_settling(asked, plan=plan)
    assert (again.settled, again.order_interval) == (first.settled, first.order_interval)
    assert [[(one.low, one.high) for one in row] for row in again.bands] == [
        [(one.low, one.high) for one in row] for row in first.bands
    ]
    others = [
        (asked, IntervalPlan(40, seed=2), None),
        (asked, plan, 0.8),
        (replace(asked, layers=asked.layers[:-1]), plan, None),
        (replace(asked, training=replace(asked.training, runs=asked.training.runs[1:])), plan, None),
    ]
    for other, way, bound in others:
        with pytest.raises(ZeroDivisionError):
            ask_settling(other, plan=way, bound=bound)


def test_a_layer_near_the_bound_has_an_interval_of_several_checkpoints(made_training, question) -> None:
    slow = [0, *np.linspace(0.5, 0.95, 8), 1]
    asked = question(made_training({"conv0": slow, "conv1": slow, "output": slow}))
    found = ask_settling(asked, bound=0.9, plan=IntervalPlan(200))
    assert all(layer.low < layer.high for layer in found.settled)


def test_a_checkpoint_that_lacks_a_layer_has_no_value_and_the_layer_settles_after_it(made_training, question) -> None:
    shares = {**BOTTOM_UP, "conv0": [0, 1, None, 1, 1]}
    found = ask_settling(question(made_training(shares)), plan=IntervalPlan(20))
    assert np.isnan(found.to_end[2, 1])
    assert found.settled[1].step == 3
    assert found.settled[2].low == 2


def test_a_measure_without_a_largest_value_needs_a_bound(made_training, question) -> None:
    asked = question(made_training(BOTTOM_UP), comparator="imd")
    with pytest.raises(
        InputError, match="'imd' has no largest value, so say from where on a layer is settled: --bound"
    ):
        ask_settling(asked)
    assert ask_settling(asked, bound=1e9).settled[-1].index == 0


def test_a_training_is_asked_for_by_name_and_is_of_one_stimulus_set(made_training, fake) -> None:
    history = made_training(BOTTOM_UP)
    assert read_training(history, "lineage:mine").steps == (0, 1, 2, 3, 4)
    made_training({"conv0": [0, 1]}, history=history, stimuli_name="others", stimuli_fingerprint="9" * 64)
    with pytest.raises(InputError, match=r"on several stimulus sets, say which with --stimuli: .*others"):
        read_training(history, "mine")
    assert len(read_training(history, "mine", "others").runs) == 2
    with pytest.raises(InputError, match="lineage 'mine' was not recorded on 'other'"):
        read_training(history, "mine", "other")
    with pytest.raises(InputError, match="checkpoints of one training are of the same stimuli"):
        make_training("both", history.list_runs())


def test_one_checkpoint_is_no_training_yet(made_training) -> None:
    with pytest.raises(InputError, match="'mine' has 1 checkpoint so far; what changes over training takes two"):
        read_training(made_training({"conv0": [0]}), "mine")


def test_selectors_choose_layers_of_the_last_checkpoint(made_training, registry: Registry) -> None:
    history = made_training(BOTTOM_UP)
    training = read_training(history, "mine")
    chosen = choose_training_layers(registry, history, training, ["conv2", "conv0"])
    assert [layer.name for layer in chosen] == ["conv0", "conv2"]
    with pytest.raises(InputError):
        choose_training_layers(registry, history, training, ["nothing"])
