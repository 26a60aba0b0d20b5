"""Profiling runs through a history: which layers, which measures, what is kept."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest

from layerwise.core.analysis.profile_run import profile_run
from layerwise.core.base.errors import InputError
from layerwise.core.base.provider import Provider
from layerwise.core.history.profiles import Profile, ProfileKey
from layerwise.core.history.records import Comparison, LayerAddress
from layerwise.core.host.hookspecs import hookimpl
from layerwise.core.host.kinds import Comparator
from layerwise.core.host.registry import Registry
from layerwise.core.network.layers import Layer
from layerwise.core.network.representation import Representation, represent

RUN = SimpleNamespace(id="run1", stimuli_fingerprint="same", stimuli_name="photos", n_stimuli=6)


def layer(name: str, position: int, **more) -> Layer:
    return Layer(name, name, "conv", (3,), position, **more)


LAYERS = [
    layer("in", 0, role="input", is_main=True),
    layer("mid", 1, is_main=True),
    layer("mid/a", 2, block="mid", branch="a"),
    layer("late", 3, is_main=True),
    layer("out", 4, role="output", is_main=True),
]


class Memory:
    """A history of one run that remembers comparisons and profiles."""

    def __init__(self, layers: Sequence[Layer] = tuple(LAYERS)) -> None:
        self.layers = list(layers)
        self.levels = {item.name: float(item.position) for item in LAYERS}
        self.profiles: dict[ProfileKey, Profile] = {}
        self.comparisons: list[Comparison] = []

    def find_run(self, run: str):
        return RUN

    def list_layers(self, run_id: str) -> list[Layer]:
        return self.layers

    def read_representations(self, addresses: Sequence[LayerAddress]) -> list[Representation]:
        return [represent(np.eye(6) + self.levels[address.layer]) for address in addresses]

    def read_comparisons(self, comparator: Provider, run_ids: Sequence[str]) -> list[Comparison]:
        return []

    def save_comparisons(self, comparisons: Sequence[Comparison]) -> None:
        self.comparisons.extend(comparisons)

    def read_profile(self, key: ProfileKey) -> Profile | None:
        return self.profiles.get(key)

    def save_profile(self, key: ProfileKey, profile: Profile) -> None:
        self.profiles[key] = profile


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


def test_the_main_layers_are_profiled_in_order(registry):
    profile = profile_run(registry, Memory(), RUN, "apart")
    assert profile.layers == ("in", "mid", "late", "out")
    assert profile.steps[1:] == pytest.approx([1, 2, 1])
    assert profile.shares[1:] == pytest.approx([0.25, 0.5, 0.25])
    assert [(c.after, c.before) for c in profile.crossings] == [("mid", "late")]
    assert profile.crossings[0].depth == pytest.approx(0.5)


def test_a_kept_profile_is_the_answer_and_other_layers_are_another_question(registry):
    history = Memory()
    first = profile_run(registry, history, RUN, "apart")
    history.levels["mid"] = 99.0
    assert profile_run(registry, history, RUN, "apart") is first
    other = profile_run(registry, history, RUN, "apart", [LAYERS[3], LAYERS[0], LAYERS[1]])
    assert other.layers == ("in", "mid", "late")
    assert other.steps[1] == pytest.approx(99)
    assert len(history.profiles) == 2


def test_nothing_is_kept_where_it_is_not_wanted(registry):
    history = Memory()
    profile_run(registry, history, RUN, "apart", save=False)
    assert (history.profiles, history.comparisons) == ({}, [])


@pytest.mark.parametrize(("name", "why"), [("difference", "can be negative"), ("unbounded", "has no largest value")])
def test_a_measure_without_steps_is_refused(registry, name, why):
    with pytest.raises(InputError, match=f"'{name}' {why}"):
        profile_run(registry, Memory(), RUN, name)


def test_an_undefined_step_says_which_and_why_and_is_not_kept(registry):
    history = Memory()
    profile = profile_run(registry, history, RUN, "picky")
    assert profile.smoothness is None
    assert profile.reason == "the step from late to out is undefined (out: it is too late)"
    assert history.profiles == {}


def test_a_run_without_two_layers_has_no_profile(registry):
    with pytest.raises(InputError, match="at least two layers, of run run1 there are 1"):
        profile_run(registry, Memory(LAYERS[:1]), RUN, "apart")


def test_where_no_main_layer_was_analysed_all_that_are_no_arms_are_profiled(registry):
    layers = [layer("mid", 1), layer("mid/a", 2, block="mid", branch="a"), layer("late", 3)]
    assert profile_run(registry, Memory(layers), RUN, "apart").layers == ("mid", "late")
