"""What an offer declares is checked when its plugin offers it: all that is missing or wrong is said at once."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

import layerwise.plugin as lw
from layerwise.core.base.errors import PluginError
from layerwise.core.host.hook_checks import check_offers
from layerwise.testing import INVARIANCES
from layerwise.testing.material import CHANGES


class Bare(lw.Comparator):
    def prepare(self, representation):
        return None

    def compare(self, first, second):
        return 0.5


class Sound(Bare):
    name = "sound"
    description = "sound"
    kind = "similarity"
    symmetric = True
    value_range = (-1.0, 1.0)
    invariant_to = frozenset()


class SoundMetric(lw.Metric):
    name = "sound"
    description = "sound"
    kind = "distance"
    value_range = (0.0, None)

    def compute(self, representation):
        return None


class SoundSection(lw.SectionBuilder):
    name = "sound"
    description = "sound"
    position = 3

    def applies(self, context):
        return True

    def build(self, context):
        return None


class SoundTransform(lw.Transform):
    name = "sound"
    description = "sound"
    additive = True

    def apply(self, activations):
        return activations


class SoundStatistic(lw.WeightStatistic):
    name = "sound"
    description = "sound"

    def compute(self, weights):
        return None


KINDS = {
    Sound: lw.Comparator,
    SoundMetric: lw.Metric,
    SoundSection: lw.SectionBuilder,
    SoundTransform: lw.Transform,
    SoundStatistic: lw.Statistic,
}


def check(sound: type, **changes: Any) -> None:
    check_offers([type("Odd", (sound,), changes)()], KINDS[sound], "mine", "register_toys")


def test_all_that_is_missing_is_said_at_once_with_a_line_that_repairs_it():
    with pytest.raises(PluginError) as caught:
        check_offers([Bare()], lw.Comparator, "mine", "register_comparators")
    missing, _, line = str(caught.value).partition(", expected a line such as this in the class: ")
    assert missing == (
        "plugin 'mine' (register_comparators): Bare has no `name`, `description`, `kind`, `symmetric`, "
        "`value_range`, `invariant_to`"
    )
    attributes: dict[str, Any] = {}
    exec(line, attributes)
    del attributes["__builtins__"]
    check_offers([type("Repaired", (Bare,), attributes)()], lw.Comparator, "mine", "register_comparators")


@pytest.mark.parametrize("sound", KINDS)
def test_what_is_declared_as_it_should_be_passes(sound):
    check(sound)
    check(sound, revision=2)


@pytest.mark.parametrize(
    ("sound", "attribute", "values", "wanted"),
    [
        (Sound, "name", ["", None, "two words", "with:colon", 3], "a word without spaces and colons"),
        (Sound, "description", [None, 3], "text"),
        (Sound, "revision", [0, -1, 1.0, True, "1", None], "a whole number from 1 on"),
        (Sound, "kind", ["similar", None, ["similarity"]], "'similarity' or 'distance'"),
        (SoundMetric, "kind", ["dissimilarity"], "'similarity' or 'distance'"),
        (Sound, "symmetric", [1, None, "yes"], "True or False"),
        (Sound, "threaded", [1, None], "True or False"),
        (SoundTransform, "additive", [None, 0], "True or False"),
        (Sound, "symbol", [None, 3], "text"),
        (SoundMetric, "symbol", [None], "text"),
        (SoundMetric, "unit", [3], "text"),
        (SoundStatistic, "unit", [None], "text"),
        (SoundMetric, "needs_transform", ["", None], "a transform's name"),
        (Sound, "value_range", [None, (0,), ("0", 1), (True, 1), (1, 0), (float("nan"), 1)], "(smallest, largest)"),
        (SoundMetric, "value_range", [None, [0, 1], (0, 1, 2), (1, 0)], "(smallest, largest)"),
        (Sound, "invariant_to", [None, "orthogonal", {"rotation"}, [[]]], "a frozenset of invertible-linear,"),
        (Sound, "parameters", [None, ("k",), (lw.Parameter("k", 1, "k"),) * 2], "a tuple of Parameters"),
        (SoundSection, "position", [None, "first", True], "a number"),
    ],
)
def test_what_is_declared_otherwise_is_refused(sound, attribute, values, wanted):
    for value in values:
        with pytest.raises(PluginError) as caught:
            check(sound, **{attribute: value})
        assert f"Odd.{attribute} is {value!r}, expected {wanted}" in str(caught.value)


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(PluginError, match=r"Odd.kind is 3, .*; Odd.symmetric is 3, .*; Odd.value_range is 3, "):
        check(Sound, kind=3, symmetric=3, value_range=3)


def test_what_a_plugin_s_own_classes_announce_is_its_own_business():
    class Lazy(Sound):
        table: ClassVar[list[float]]  # there once it is needed

    Lazy.__module__ = "mine"
    assert check_offers([Lazy()], lw.Comparator, "mine", "register_comparators")


def test_a_comparator_s_metric_must_be_one():
    class OfMatrices(lw.MetricComparator):
        name, description, kind, symmetric = "odd", "odd", "similarity", True
        value_range, invariant_to = (0, 1), frozenset()

        def prepare_matrix(self, matrix):
            return matrix

        def compare(self, first, second):
            return 1.0

    with pytest.raises(PluginError, match=r"OfMatrices has no `metric`, expected .*: metric = MyMetric\(\)"):
        check_offers([OfMatrices()], lw.Comparator, "mine", "register_comparators")
    OfMatrices.metric = "pearson"
    with pytest.raises(PluginError, match=r"OfMatrices.metric is 'pearson', expected a Metric"):
        check_offers([OfMatrices()], lw.Comparator, "mine", "register_comparators")


def test_every_invariance_that_can_be_declared_is_tried_by_the_authors_check():
    assert set(CHANGES) == INVARIANCES
