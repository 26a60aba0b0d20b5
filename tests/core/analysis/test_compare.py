"""Comparing layers through a history: what is computed, kept, reported and refused."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from layerwise.core.analysis.compare import compare_layers, compare_pairs
from layerwise.core.analysis.measure import find_measure
from layerwise.core.analysis.working_memory import WorkingMemory
from layerwise.core.base.errors import InputError, PluginError
from layerwise.core.base.parameters import Parameter
from layerwise.core.base.provider import Provider
from layerwise.core.history.records import LayerAddress
from layerwise.core.host.hookspecs import hookimpl
from layerwise.core.host.kinds import Comparator
from layerwise.core.host.registry import Registry

A, B, C, D = (LayerAddress("run1", name) for name in "abcd")


class Toy(Comparator):
    """Sum of the means of the first, minus a tenth of the second's where not symmetric."""

    name = "toy"
    description = "toy"
    kind = "distance"
    symmetric = True
    value_range = (None, None)
    invariant_to = frozenset()

    def __init__(self) -> None:
        self.n_prepared = self.n_compared = 0

    def prepare(self, representation):
        self.n_prepared += 1
        return float(representation.mean.sum())

    def compare(self, first, second):
        self.n_compared += 1
        return first + second if self.symmetric else first - second / 10


class AtOnce(Toy):
    """The same, all pairs in one call; `spoil` changes what the call gives."""

    def spoil(self, matrix: np.ndarray) -> object:
        return matrix

    def compare_all(self, rows, columns):
        return self.spoil(np.add.outer(rows, columns))


class SomeAtOnce(Toy):
    """The same, a few pairs in one call; `spoil` changes what the call gives."""

    def spoil(self, values: np.ndarray) -> object:
        return values

    def compare_pairs(self, firsts, seconds):
        return self.spoil(np.add(firsts, seconds))


def registry_with(comparator: Comparator, version: str = "1") -> Registry:
    registry = Registry()
    plugin = SimpleNamespace(register_comparators=hookimpl(lambda: [comparator]))
    registry.register(plugin, "plugin", "dist", version)
    return registry


def means(history: Any, *addresses: LayerAddress) -> np.ndarray:
    return np.array([history.peek(address).mean.sum() for address in addresses])


@pytest.fixture
def history(fake: ModuleType) -> Any:
    """A history of one run with four layers."""
    made, rng = fake.MadeHistory(), np.random.default_rng(0)
    fake.add_rows(made, "run1", {name: rng.normal(size=(6, 9)) for name in "abcd"}, stimuli_name="photos of run1")
    return made


@pytest.fixture
def add_run2(fake: ModuleType, history: Any) -> Callable[..., LayerAddress]:
    """Add a second run with one layer, the same as the first run's first."""

    def add(**more: Any) -> LayerAddress:
        rows = np.random.default_rng(0).normal(size=(6, 9))
        fake.add_rows(history, "run2", {"a": rows}, stimuli_name="photos of run2", **more)
        return LayerAddress("run2", "a")

    return add


@pytest.mark.parametrize("comparator", [Toy(), AtOnce()], ids=["one by one", "at once"])
def test_every_row_is_compared_with_every_column(history, comparator):
    table = compare_layers(registry_with(comparator), history, "toy", [A, B], [B, C, D])
    expected = np.add.outer(means(history, A, B), means(history, B, C, D))
    assert np.allclose(table.matrix, expected)
    assert (table.rows, table.columns) == ((A, B), (B, C, D))
    assert (table.comparator, table.kind, dict(table.reasons)) == (Provider("dist:toy", "1"), "distance", {})


def test_each_layer_is_prepared_once_and_a_symmetric_measure_is_computed_in_one_order(history):
    comparator = Toy()
    table = compare_layers(registry_with(comparator), history, "toy", [A, B, C, D])
    assert (comparator.n_prepared, comparator.n_compared) == (4, 10)
    assert np.array_equal(table.matrix, table.matrix.T)


def test_a_measure_that_is_not_symmetric_is_computed_in_both_orders(history):
    comparator = Toy()
    comparator.symmetric = False
    table = compare_layers(registry_with(comparator), history, "toy", [A, B])
    first, second = means(history, A, B)
    assert np.allclose(table.matrix[0, 1], first - second / 10)
    assert np.allclose(table.matrix[1, 0], second - first / 10)
    assert comparator.n_compared == 4


def test_the_same_question_asked_again_is_answered_from_history(history):
    registry = registry_with(Toy())
    first = compare_layers(registry, history, "toy", [A, B, C])
    history.n_read = 0
    again = compare_layers(registry, history, "toy", [C, A], [B])
    assert history.n_read == 0
    assert np.array_equal(again.matrix, first.matrix[[2, 0]][:, [1]])


def test_only_what_is_missing_is_computed(history):
    comparator = Toy()
    registry = registry_with(comparator)
    compare_layers(registry, history, "toy", [A, B, C])
    comparator.n_compared = comparator.n_prepared = 0
    compare_layers(registry, history, "toy", [A, B, D])
    assert (comparator.n_compared, comparator.n_prepared) == (3, 3)


def test_another_revision_of_a_comparator_does_not_take_over_old_answers(history):
    class Revised(Toy):
        revision = 2

    compare_layers(registry_with(Toy()), history, "toy", [A, B])
    newer = Revised()
    compare_layers(registry_with(newer), history, "toy", [A, B])
    assert newer.n_compared == 3


def test_another_version_of_the_same_revision_answers_from_what_is_kept(history):
    compare_layers(registry_with(Toy(), "1"), history, "toy", [A, B])
    newer = Toy()
    compare_layers(registry_with(newer, "2"), history, "toy", [A, B])
    assert newer.n_compared == 0


def test_nothing_is_kept_when_that_is_not_wanted(history):
    compare_layers(registry_with(Toy()), history, "toy", [A, B], save=False)
    assert history.comparisons == []


def test_a_layer_for_which_the_measure_is_undefined_is_reported_and_kept(history):
    class Undefined(AtOnce):
        def prepare(self, representation):
            if representation is history.peek(B):
                raise InputError("too flat")
            return super().prepare(representation)

    comparator = Undefined()
    table = compare_layers(registry_with(comparator), history, "toy", [A, B, C])
    assert np.isnan(table.matrix[1]).all()
    assert np.isfinite(table.matrix[np.ix_([0, 2], [0, 2])]).all()
    assert table.reasons[A, B] == table.reasons[B, A] == "b: too flat"
    comparator.n_prepared = 0
    again = compare_layers(registry_with(comparator), history, "toy", [A, B, C])
    assert again.reasons == table.reasons
    assert comparator.n_prepared == 0


def test_a_pair_on_which_a_plugin_fails_is_reported_not_kept_and_the_rest_goes_on(history):
    class Failing(Toy):
        def compare(self, first, second):
            if first != second and first == means(history, A)[0]:
                raise ZeroDivisionError("oops")
            return super().compare(first, second)

    table = compare_layers(registry_with(Failing()), history, "toy", [A, B], [A, B])
    assert "plugin 'plugin' (register_comparators): toy.compare raised ZeroDivisionError: oops" in table.reasons[A, B]
    assert np.isfinite(np.diagonal(table.matrix)).all()
    assert {(item.first, item.second) for item in history.comparisons} == {(A, A), (B, B)}


@pytest.mark.parametrize("comparator", [Toy(), AtOnce()], ids=["one by one", "at once"])
def test_single_pairs_are_answered_in_the_order_asked_for_and_nothing_else_is_kept(history, comparator):
    registry, wanted = registry_with(comparator), [(C, D), (A, B), (C, D), (B, A)]
    found = compare_pairs(registry, history, "toy", wanted)
    assert [(item.first, item.second) for item in found] == wanted
    assert np.allclose([item.value for item in found], [means(history, *pair).sum() for pair in wanted])
    assert {(item.first, item.second) for item in history.comparisons} == {(C, D), (A, B), (B, A)}
    assert (history.n_read, comparator.n_prepared) == (4, 4)
    again = compare_pairs(registry, history, "toy", [(D, C)])
    assert (again[0].first, again[0].value, history.n_read) == (D, found[0].value, 4)


def test_pairs_of_runs_on_different_stimuli_are_refused(history, add_run2):
    other = add_run2(stimuli_fingerprint="different")
    with pytest.raises(InputError, match=r"run1.*run2"):
        compare_pairs(registry_with(Toy()), history, "toy", [(A, other)])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda matrix: matrix[:1],
        lambda matrix: "matrix",
        lambda matrix: np.where(np.eye(3, dtype=bool), np.nan, matrix),
        lambda matrix: 1 / 0,
    ],
    ids=["wrong shape", "no array", "holes", "raises"],
)
def test_where_all_pairs_at_once_fail_they_are_computed_one_by_one(history, spoil):
    comparator = AtOnce()
    comparator.spoil = spoil
    table = compare_layers(registry_with(comparator), history, "toy", [A, B, C])
    assert np.allclose(table.matrix, np.add.outer(means(history, A, B, C), means(history, A, B, C)))
    assert comparator.n_compared > 0


@pytest.mark.parametrize(
    ("value", "came"), [(2.0, "2.0"), (float("nan"), "nan"), ("x", "str 'x'"), (None, "NoneType")]
)
def test_a_value_outside_of_what_is_declared_is_the_plugins_error(history, value, came):
    class Wrong(Toy):
        value_range = (-1.0, 1.0)

        def compare(self, first, second):
            return value

    table = compare_layers(registry_with(Wrong()), history, "toy", [A, B])
    assert np.isnan(table.matrix).all()
    assert f"toy returned {came}" in table.reasons[A, B]
    assert "expected a finite number from -1.0 to 1.0" in table.reasons[A, B]


def test_runs_on_the_same_stimuli_can_be_compared(history, add_run2):
    table = compare_layers(registry_with(Toy()), history, "toy", [A], [add_run2()])
    assert np.allclose(table.matrix, 2 * means(history, A))


def test_runs_on_different_stimuli_are_refused_with_both_named(history, add_run2):
    other = add_run2(stimuli_fingerprint="different")
    with pytest.raises(InputError, match=r"run run1 is of 'photos of run1' .* run run2 is of 'photos of run2'"):
        compare_layers(registry_with(Toy()), history, "toy", [A], [other])


def test_an_unknown_comparator_suggests_a_near_one(history):
    with pytest.raises(InputError, match="no comparator 'toi'; did you mean toy"):
        compare_layers(registry_with(Toy()), history, "toi", [A])


def test_a_corrupt_history_is_not_hidden_among_the_reasons(history, monkeypatch):
    def read(addresses):
        raise PluginError("p", "h", "cannot happen in a store")

    monkeypatch.setattr(history, "read_representations", read)
    with pytest.raises(PluginError, match="cannot happen"):
        compare_layers(registry_with(Toy()), history, "toy", [A])


def test_a_warning_is_told_with_the_value_and_again_when_it_is_read(history):
    class Doubtful(AtOnce):
        def warn(self, representation, state):
            return "few\nstimuli" if representation is history.peek(B) else ""

    registry = registry_with(Doubtful())
    first = compare_layers(registry, history, "toy", [A, B])
    again = compare_layers(registry, history, "toy", [A, B])
    assert first.warnings == again.warnings == ("b: few stimuli",)
    assert first.reasons == again.reasons == {}
    assert np.array_equal(first.matrix, again.matrix)
    assert compare_layers(registry, history, "toy", [A]).warnings == ()


def test_pairs_compared_side_by_side_are_those_compared_one_by_one(history):
    class Threaded(Toy):
        threaded = True
        symmetric = False

    expected = compare_layers(registry_with(Threaded()), history, "toy", [A, B, C, D], save=False).matrix
    Threaded.threaded = False
    assert np.array_equal(
        compare_layers(registry_with(Threaded()), history, "toy", [A, B, C, D], save=False).matrix, expected
    )


def test_pairs_that_are_compared_a_few_at_once_are_those_compared_one_by_one(history):
    expected = compare_layers(registry_with(Toy()), history, "toy", [A, B, C, D], save=False).matrix
    comparator = SomeAtOnce()
    found = compare_layers(registry_with(comparator), history, "toy", [A, B, C, D], save=False).matrix
    assert np.array_equal(found, expected)
    assert comparator.n_compared <= 1  # the last of the ten pairs may be alone


def fail(values):
    raise ZeroDivisionError


def refuse(values):
    raise InputError("one of them is bad")


def first_undefined(values):
    return np.concatenate([[np.nan], values[1:]])


@pytest.mark.filterwarnings("ignore:.*each pair is compared by itself:RuntimeWarning")
@pytest.mark.parametrize("spoil", [fail, refuse, first_undefined, lambda values: values[1:]])
def test_where_a_few_at_once_fail_each_is_asked_by_itself(history, spoil):
    expected = compare_layers(registry_with(Toy()), history, "toy", [A, B, C, D], save=False).matrix
    comparator = SomeAtOnce()
    comparator.spoil = spoil
    found = compare_layers(registry_with(comparator), history, "toy", [A, B, C, D], save=False)
    assert np.array_equal(found.matrix, expected)
    assert not found.reasons
    assert comparator.n_compared


def test_progress_counts_the_pairs_to_the_end(history):
    told = []
    registry = registry_with(Toy())
    compare_layers(registry, history, "toy", [A, B, C], progress=lambda done, total: told.append((done, total)))
    assert told[0] == (0, 9)
    assert told[-1] == (9, 9)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_settings_are_asked_and_kept_apart(history):
    class Scaled(Toy):
        parameters = (Parameter("scale", 1.0, "factor", minimum=0.0),)

        def compare(self, first, second):
            return super().compare(first, second) * self.settings["scale"]

    registry = registry_with(Scaled())
    plain = compare_layers(registry, history, "toy", [A, B])
    doubled = compare_layers(registry, history, find_measure(registry, "toy", {"scale": 2}), [A, B])
    assert np.allclose(doubled.matrix, 2 * plain.matrix)
    assert doubled.comparator == Provider("dist:toy", "1", '{"scale":2.0}')
    assert np.array_equal(compare_layers(registry, history, "toy", [A, B]).matrix, plain.matrix)


@pytest.mark.parametrize("comparator", [Toy(), AtOnce()], ids=["one by one", "at once"])
def test_progress_of_rows_against_other_columns_ends_at_the_number_of_pairs(history, comparator):
    told: list[tuple[int, int]] = []
    compare_layers(registry_with(comparator), history, "toy", [A, B], [C, D], progress=lambda *now: told.append(now))
    assert told[0] == (0, 4)
    assert told[-1] == (4, 4)
    assert sorted(told) == told


class CountsCells(AtOnce):
    """Notes how many values it is asked for at once."""

    n_cells = 0

    def compare_all(self, rows, columns):
        self.n_cells += len(rows) * len(columns)
        return super().compare_all(rows, columns)


@pytest.mark.parametrize("new", [A, B, D])
def test_one_new_layer_among_old_ones_is_compared_with_each_and_nothing_else_is(history, new):
    comparator = CountsCells()
    registry = registry_with(comparator)
    old = [address for address in (A, B, C, D) if address != new]
    compare_layers(registry, history, "toy", old)
    comparator.n_cells = 0
    table = compare_layers(registry, history, "toy", [A, B, C, D])
    assert np.allclose(table.matrix, np.add.outer(means(history, A, B, C, D), means(history, A, B, C, D)))
    assert comparator.n_cells == 4


class Heavy:
    """A state that counts how many of its kind there are, and says that it is as large as a thousand numbers."""

    alive = most_alive = 0

    def __init__(self, value: float) -> None:
        self.value, self.numbers = value, np.zeros(1000)
        Heavy.alive += 1
        Heavy.most_alive = max(Heavy.most_alive, Heavy.alive)

    def __del__(self) -> None:
        Heavy.alive -= 1


class HeavyToy(Toy):
    """The toy with heavy states, which notes how many it is handed at once."""

    def __init__(self, *, symmetric: bool, at_once: bool, threaded: bool) -> None:
        super().__init__()
        self.symmetric, self.threaded, self.n_handed = symmetric, threaded, 0
        Heavy.alive = Heavy.most_alive = 0
        if at_once:
            self.__class__ = HeavyAtOnce

    def prepare(self, representation):
        return Heavy(super().prepare(representation))

    def compare(self, first, second):
        return super().compare(first.value, second.value)


class HeavyAtOnce(HeavyToy):
    def compare_all(self, rows, columns):
        self.n_handed = max(self.n_handed, len(rows) if rows is columns else len(rows) + len(columns))
        return np.array([[self.compare(row, column) for column in columns] for row in rows])


LONG = [LayerAddress("run1", f"layer{number}") for number in range(23)]


@pytest.fixture
def long_history(fake: ModuleType) -> Any:
    """A history of one run with 23 layers."""
    made, rng = fake.MadeHistory(), np.random.default_rng(1)
    fake.add_rows(made, "run1", {address.layer: rng.normal(size=(6, 9)) for address in LONG})
    return made


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("threaded", [True, False])
@pytest.mark.parametrize("n_waiting", [2, 3, 7, 22, 23])
def test_no_more_prepared_layers_are_there_at_a_time_than_the_budget_holds(
    long_history, symmetric, at_once, threaded, n_waiting
):
    layers = LONG
    expected = compare_layers(
        registry_with(HeavyToy(symmetric=symmetric, at_once=at_once, threaded=threaded)),
        long_history,
        "toy",
        layers,
        save=False,
    )
    comparator = HeavyToy(symmetric=symmetric, at_once=at_once, threaded=threaded)
    memory = 11_000 * n_waiting  # a quarter of which is for the work
    found = compare_layers(registry_with(comparator), long_history, "toy", layers, save=False, memory=memory)
    assert np.array_equal(found.matrix, expected.matrix)
    n_most = WorkingMemory(memory, 6).count_states(8200)
    assert 2 <= Heavy.most_alive <= n_most <= max(2, n_waiting)
    assert comparator.n_handed <= max(2, memory // 4 // 8000)
    assert Heavy.alive == 0


def test_where_all_fit_each_is_prepared_once_and_else_as_often_as_blocks_are_held(long_history):
    layers = LONG
    # Of 12 that fit 9 are held while the other 14 come by; then 9 of these 14; then the last 5 are there at once.
    for memory, n_times in ((None, 23), (11_000 * 12, 23 + 14 + 5), (11_000 * 2, 23 * 24 // 2)):
        comparator = HeavyToy(symmetric=True, at_once=True, threaded=False)
        compare_layers(registry_with(comparator), long_history, "toy", layers, save=False, memory=memory)
        assert comparator.n_prepared <= n_times


def test_a_new_layer_is_held_while_the_old_ones_come_by_once(long_history):
    layers = LONG
    comparator = HeavyToy(symmetric=True, at_once=True, threaded=False)
    registry = registry_with(comparator)
    compare_layers(registry, long_history, "toy", layers[:-1])
    comparator.n_prepared = 0
    compare_layers(registry, long_history, "toy", layers, memory=11_000 * 4)
    assert comparator.n_prepared == 23


def test_a_layer_that_cannot_be_prepared_is_tried_once_and_warnings_are_asked_for_once(long_history):
    layers = LONG

    class Choosy(HeavyToy):
        n_refused = n_warned = 0

        def prepare(self, representation):
            if representation.mean[0] == long_history.peek(layers[3]).mean[0]:
                self.n_refused += 1
                raise InputError("no")
            return super().prepare(representation)

        def warn(self, representation, state):
            self.n_warned += 1
            return ""

    comparator = Choosy(symmetric=True, at_once=False, threaded=False)
    table = compare_layers(registry_with(comparator), long_history, "toy", layers, save=False, memory=11_000 * 4)
    assert (comparator.n_refused, comparator.n_warned) == (1, 22)
    assert np.isnan(table.matrix[3]).all()
    assert np.isfinite(np.delete(np.delete(table.matrix, 3, 0), 3, 1)).all()
    assert table.reasons[layers[0], layers[3]] == "layer3: no"
