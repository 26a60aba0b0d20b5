"""The fixtures that plugin authors are given, used as an author uses them: in a pytest run of their own."""

from __future__ import annotations

pytest_plugins = ["pytester"]

CONFTEST = 'pytest_plugins = ["layerwise.testing.fixtures"]\n'
TESTS = """
import numpy as np
import pytest
import layerwise.plugin as lw
from layerwise.testing import make_plugin


class Shared(lw.Comparator):
    name = "shared"
    description = "cosine of the correlations"
    kind = "similarity"
    symmetric = True
    value_range = (-1.0, 1.0)
    invariant_to = frozenset()

    def prepare(self, representation):
        pairs = representation.correlation[np.triu_indices(representation.n_stimuli, 1)].astype(float)
        return pairs / np.linalg.norm(pairs)

    def compare(self, first, second):
        return float(first @ second)


def test_a_plugin_can_be_tried_at_the_command_line_without_being_installed(registry, command_line):
    registry.register(make_plugin(Shared()), "mine", "mine", "2.0")
    said = command_line("compare", "latest", "--with", "shared", "--layers", "main", "--json")
    assert said.code == 0, said.err
    assert said.json["provider"] == "mine:shared 2.0"
    assert said.json["matrix"][0][0] == pytest.approx(1)


def test_what_another_test_registered_is_gone(registry, command_line):
    with pytest.raises(lw.InputError, match="shared"):
        registry.get(lw.Comparator, "shared")
    assert command_line("compare", "latest", "--with", "shared").code == 2


@pytest.mark.parametrize("number", [1, 2])
def test_a_history_has_one_finished_run_and_is_each_test_s_own(temporary_history, number):
    (run,) = temporary_history.list_runs()
    assert (run.status, run.n_stimuli, run.n_layers) == ("finished", 40, 10)
    assert run.accuracy.top1 > 0.6
    assert temporary_history.read_orderings(run.id) == []
    temporary_history.save_ordering(
        lw.Ordering(
            lw.Provider("mine:x", "1"),
            lw.LayerAddress(run.id, "input"),
            tuple(range(40)),
        )
    )


def test_representations_are_real_small_and_in_order(small_representations, toy_model):
    assert list(small_representations) == [layer.name for layer in toy_model.layers]
    assert {item.n_stimuli for item in small_representations.values()} == {40}
    changed = small_representations["input"].correlation
    if changed.flags.writeable:
        changed[:] = 0


def test_representations_are_each_test_s_own(small_representations):
    assert np.abs(small_representations["input"].correlation).max() == 1


def test_stimuli_are_digits_with_labels(toy_model, toy_stimuli):
    pixels = toy_stimuli.read(0, toy_stimuli.n_stimuli)
    output = toy_model.compile("input", ["output"])(toy_model.preprocess(pixels))[0]
    right = [str(index) == label for index, label in zip(output.argmax(axis=1), toy_stimuli.labels)]
    assert np.mean(right) > 0.6
"""


def test_the_fixtures_do_what_they_say(pytester):
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=7)


def test_who_does_not_ask_for_the_fixtures_does_not_get_them(pytester):
    pytester.makepyfile("def test_nothing(small_representations): pass")
    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["*fixture 'small_representations' not found*"])
