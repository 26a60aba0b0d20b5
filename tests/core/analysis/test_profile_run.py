"""Profiling runs through a history: which layers, which measures, what is kept."""

from __future__ import annotations

import numpy as np
import pytest

from layerwise.core.analysis.profile_run import profile_run
from layerwise.core.base.errors import InputError
from layerwise.core.host.hookspecs import hookimpl
from layerwise.core.host.kinds import Comparator
from layerwise.core.host.registry import Registry
from layerwise.core.network.layers import Layer
from layerwise.core.network.representation import Representation


def layer(name: str, position: int, **more) -> Layer:
    return Layer(name, name, "conv", (3,), position, **more)


LAYERS = [
    layer("in", 0, role="input", is_main=True),
    layer("mid", 1, is_main=True),
    layer("mid/a", 2, block="mid", branch="a"),
    layer("late", 3, is_main=True),
    layer("out", 4, role="output", is_main=True),
]


class Apart(Comparator):
    """Distance of the mean activations."""

    name = "apart"
    description = "apart"
    kind = "distance"
    symmetric = True
    value_range = (0.0, None)
    invariant_to = frozenset()

    def prepare(self, representation: Representation) -> float:
        return float(representation.mean.mean())

    def compare(self, first: float, second: float) -> float:
        return abs(first - second)


class Difference(Apart):
    name = "difference"
    value_range = (None, None)

    def compare(self, first: float, second: float) -> float:
        return first - second


class Unbounded(Apart):
    name = "unbounded"
    kind = "similarity"
    value_range = (None, None)


class Picky(Apart):
    name = "picky"

    def prepare(self, representation: Representation) -> float:
        if representation.mean[0] > 4:
            raise InputError("it is too late")
        return super().prepare(representation)


@pytest.fixture
def registry() -> Registry:
    class Plugin:
        @hookimpl
        def register_comparators(self):
            return [Apart(), Difference(), Unbounded(), Picky()]

    made = Registry()
    made.register(Plugin(), "mine", "mine", "1")
    return made


@pytest.fixture
def make(fake):
    """Make a history of one run, whose layers differ in level alone; gives the history and the run."""

    def add(layers=LAYERS):
        history = fake.MadeHistory()
        rows = {layer.name: np.eye(6) + layer.position for layer in layers}
        return history, fake.add_rows(history, "run1", rows, layers=layers)

    return add


def test_the_main_layers_are_profiled_in_order(registry, make):
    profile = profile_run(registry, *make(), "apart")
    assert profile.layers == ("in", "mid", "late", "out")
    assert profile.steps[1:] == pytest.approx([1, 2, 1])
    assert profile.shares[1:] == pytest.approx([0.25, 0.5, 0.25])
    assert [(c.after, c.before) for c in profile.crossings] == [("mid", "late")]
    assert profile.crossings[0].depth == pytest.approx(0.5)


def test_logits_end_the_way_unless_another_end_is_asked_for_and_each_end_is_kept(registry, make):
    layers = [*LAYERS[:4], layer("scores", 4, role="logits", is_main=True)]
    history, run = make([*layers, layer("out", 5, role="output", is_main=True)])
    profile = profile_run(registry, history, run, "apart")
    assert profile.layers == ("in", "mid", "late", "scores")
    assert (profile.end_point, profile.to_output[-1]) == ("scores", 0)
    whole = profile_run(registry, history, run, "apart", end_point="output")
    assert whole.layers == ("in", "mid", "late", "scores", "out")
    assert (whole.end_point, list(whole.to_output)) == ("out", pytest.approx([5, 4, 2, 1, 0]))
    early = profile_run(registry, history, run, "apart", end_point="mid")
    assert (early.layers, early.end_point) == (("in", "mid"), "mid")
    again = profile_run(registry, history, run, "apart")
    assert np.array_equal(again.to_output, profile.to_output)
    with pytest.raises(InputError, match="no layer 'middle'"):
        profile_run(registry, history, run, "apart", end_point="middle")


def test_a_kept_profile_is_the_answer_and_other_layers_are_another_question(registry, make):
    history, run = make()
    first = profile_run(registry, history, run, "apart")
    history.rewrite_layer("run1", "mid", np.eye(6) + 99)
    again = profile_run(registry, history, run, "apart")
    assert np.array_equal(again.steps, first.steps, equal_nan=True)
    other = profile_run(registry, history, run, "apart", [LAYERS[3], LAYERS[0], LAYERS[1]])
    assert other.layers == ("in", "mid", "late")
    assert other.steps[1] == pytest.approx(99)


def test_nothing_is_kept_where_it_is_not_wanted(registry, make):
    history, run = make()
    profile_run(registry, history, run, "apart", save=False)
    assert history.n_kept == 0


@pytest.mark.parametrize(("name", "why"), [("difference", "can be negative"), ("unbounded", "has no largest value")])
def test_a_measure_without_steps_is_refused(registry, make, name, why):
    with pytest.raises(InputError, match=f"'{name}' {why}"):
        profile_run(registry, *make(), name)


def test_an_undefined_step_says_which_and_why_and_is_not_kept(registry, make):
    history, run = make()
    profile = profile_run(registry, history, run, "picky")
    assert profile.smoothness is None
    assert profile.reason == "the step from late to out is undefined (out: it is too late)"
    assert history.n_kept == len(history.comparisons)


def test_a_run_without_two_layers_has_no_profile(registry, make):
    with pytest.raises(InputError, match="at least two layers, of run run1 there are 1"):
        profile_run(registry, *make(LAYERS[:1]), "apart")


def test_where_no_main_layer_was_analysed_all_that_are_no_arms_are_profiled(registry, make):
    layers = [layer("mid", 1), layer("mid/a", 2, block="mid", branch="a"), layer("late", 3)]
    assert profile_run(registry, *make(layers), "apart").layers == ("mid", "late")
