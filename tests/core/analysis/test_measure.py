"""A comparator with its settings and metric: what may be asked, and under which key it is kept."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from layerwise.core.analysis.measure import find_default_metric, find_measure
from layerwise.core.base.errors import InputError, PluginError
from layerwise.core.base.parameters import Parameter, canonical
from layerwise.core.history.records import LayerAddress
from layerwise.core.host.hookspecs import hookimpl
from layerwise.core.host.kinds import Comparator, Metric, MetricComparator
from layerwise.core.host.registry import Registry
from layerwise.core.network.products import represent


class Gram(Metric):
    name = "gram"
    description = "gram"
    kind = "similarity"

    def compute(self, representation):
        return representation.gram()


class Ranked(Gram):
    name = "ranked"
    needs_transform = "rank"


class Broken(Gram):
    name = "broken"

    def compute(self, representation):
        return np.triu(representation.gram())


class Trace(MetricComparator):
    name = "trace"
    description = "trace"
    kind = "distance"
    symmetric = True
    value_range = (None, None)
    invariant_to = frozenset()
    metric = Gram()
    parameters = (
        Parameter("power", 1.0, "power", minimum=0.0, maximum=4.0),
        Parameter("k", 3, "count", minimum=1),
        Parameter("how", "sum", "how", choices=("sum", "mean")),
    )

    def prepare_matrix(self, matrix):
        return float(np.trace(matrix)) ** self.settings["power"]

    def compare(self, first, second):
        return first - second


class Plain(Comparator):
    name = "plain"
    description = "plain"
    kind = "distance"
    symmetric = True
    value_range = (None, None)
    invariant_to = frozenset()

    def prepare(self, representation):
        return 1.0

    def compare(self, first, second):
        return first - second


@pytest.fixture
def registry():
    found = Registry()
    plugin = SimpleNamespace(
        register_comparators=hookimpl(lambda: [Trace(), Plain()]),
        register_metrics=hookimpl(lambda: [Gram(), Ranked(), Broken()]),
    )
    found.register(plugin, "plugin", "dist", "7")
    return found


def test_settings_that_are_the_defaults_leave_the_key_as_it_is(registry):
    asked = [{}, {"power": 1}, {"power": "1.0", "k": 3.0, "how": "sum"}]
    assert {find_measure(registry, "trace", settings).provider.parameters for settings in asked} == {"{}"}
    assert find_measure(registry, "trace", metric="gram").provider.parameters == "{}"


def test_settings_are_part_of_the_key_in_any_order_and_as_typed(registry):
    one = find_measure(registry, "trace", {"k": "5", "how": "mean"}).provider
    other = find_measure(registry, "dist:trace", {"how": "mean", "k": 5}).provider
    assert one == other
    assert one.parameters == '{"how":"mean","k":5}'


def test_another_metric_and_its_revision_are_part_of_the_key(registry):
    measure = find_measure(registry, "trace", {"power": 2}, "ranked")
    assert measure.provider.parameters == '{"metric":"dist:ranked r1","power":2.0}'
    assert measure.provider.version == "7"


def test_the_version_of_a_metric_from_elsewhere_is_kept_beside_the_comparator_s(registry):
    class Other(Ranked):
        name = "other"
        revision = 3

    registry.register(SimpleNamespace(register_metrics=hookimpl(lambda: [Other()])), "more", "more", "0.4")
    provider = find_measure(registry, "trace", None, "other").provider
    assert (provider.parameters, provider.version) == ('{"metric":"more:other r3"}', "7, more 0.4")


def test_settings_reach_the_measure_and_leave_the_registered_one_alone(registry):
    rows = represent(np.arange(12.0).reshape(4, 3))
    trace = np.trace(rows.gram())
    assert find_measure(registry, "trace", {"power": 2}).prepare(rows) == pytest.approx(trace**2)
    assert find_measure(registry, "trace").prepare(rows) == pytest.approx(trace)
    assert find_measure(registry, "trace", metric="ranked").prepare(rows) == pytest.approx(trace)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"powr": 1},
            r"trace has no parameter 'powr'; its parameters are power \(default 1.0\), k \(default 3\), how",
        ),
        ({"power": 5}, "trace: power must be a number from 0 to 4, not '5'"),
        ({"power": "many"}, "must be a number from 0 to 4, not 'many'"),
        ({"power": float("nan")}, "must be a number"),
        ({"k": 0}, "k must be a whole number of at least 1, not '0'"),
        ({"k": 2.5}, "must be a whole number"),
        ({"how": "product"}, "how must be one of sum, mean, not 'product'"),
    ],
)
def test_a_wrong_setting_is_refused_with_what_is_allowed(registry, settings, message):
    with pytest.raises(InputError, match=message):
        find_measure(registry, "trace", settings)


def test_a_comparator_without_parameters_says_so(registry):
    with pytest.raises(InputError, match="plain has no parameter 'k'; it has none"):
        find_measure(registry, "plain", {"k": 1})


def test_a_metric_for_a_comparator_that_uses_none_is_refused(registry):
    with pytest.raises(InputError, match="'plain' compares no metric's matrices"):
        find_measure(registry, "plain", metric="gram")
    with pytest.raises(InputError, match="no metric 'grm'; did you mean gram"):
        find_measure(registry, "trace", metric="grm")


def test_a_metric_reads_the_representation_that_it_needs(registry):
    measure = find_measure(registry, "trace", metric="ranked")
    assert measure.resolve(LayerAddress("run", "a")) == LayerAddress("run", "a", "rank")
    with pytest.raises(InputError, match="metric 'ranked' is of 'rank' activations, not of 'binarize' ones"):
        measure.resolve(LayerAddress("run", "a", "binarize"))


def test_a_wrong_matrix_is_the_metric_s_plugin_s_error(registry):
    with pytest.raises(PluginError, match="broken returned a matrix that is not symmetric"):
        find_measure(registry, "trace", metric="broken").prepare(
            represent(np.random.default_rng(0).normal(size=(4, 3)))
        )


def test_canonical_json_is_the_same_for_the_same_settings():
    assert canonical({"b": 1, "a": "x"}) == canonical({"a": "x", "b": 1}) == '{"a":"x","b":1}'


class Minkowski(Metric):
    """Distances between means and norms; several of these are offered, each under a name of its own."""

    description = "Minkowski distance"
    kind = "distance"

    def __init__(self, name, p):
        self.name, self.p = name, p

    def compute(self, representation):
        apart = np.abs(np.subtract.outer(representation.norm, representation.norm))
        return apart**self.p


class Sum(Trace):
    name = "sum"

    def __init__(self, metric):
        self.metric = metric

    def prepare_matrix(self, matrix):
        return float(matrix.sum())


def register(registry, distribution, comparators=(), metrics=()):
    plugin = SimpleNamespace(
        register_comparators=hookimpl(lambda: list(comparators)), register_metrics=hookimpl(lambda: list(metrics))
    )
    registry.register(plugin, distribution, distribution, "1")


def test_a_metric_that_shares_its_class_with_the_default_is_used_and_kept_under_its_own_name(registry):
    one, two = Minkowski("minkowski-1", 1), Minkowski("minkowski-2", 2)
    register(registry, "mine", [Sum(Minkowski("minkowski-2", 2))], [one, two])
    rows = represent(np.random.default_rng(0).normal(size=(4, 3)))
    default, asked = find_measure(registry, "sum"), find_measure(registry, "sum", metric="minkowski-1")
    assert asked.prepare(rows) == one.compute(rows).sum() != two.compute(rows).sum()
    assert asked.provider != default.provider
    assert find_measure(registry, "sum", metric="minkowski-2").provider == default.provider


def test_a_metric_of_the_default_s_class_and_name_with_other_settings_is_another(registry):
    register(registry, "theirs", metrics=[Minkowski("minkowski", 3)])
    register(registry, "mine", [Sum(Minkowski("minkowski", 2))], [Minkowski("minkowski", 2)])
    rows = represent(np.random.default_rng(0).normal(size=(4, 3)))
    default = find_measure(registry, "sum")
    assert find_measure(registry, "sum", metric="mine:minkowski").provider == default.provider
    other = find_measure(registry, "sum", metric="theirs:minkowski")
    assert other.provider != default.provider
    assert other.prepare(rows) == Minkowski("minkowski", 3).compute(rows).sum()


def test_the_same_metric_offered_by_two_is_the_default_of_the_comparator_s_own_distribution(registry):
    register(registry, "theirs", metrics=[Minkowski("minkowski", 2)])
    register(registry, "mine", [Sum(Minkowski("minkowski", 2))], [Minkowski("minkowski", 2)])
    found = find_default_metric(registry, registry.get(Comparator, "sum"))
    assert found is not None
    assert found.qualified_name == "mine:minkowski"
    assert find_default_metric(registry, registry.get(Comparator, "plain")) is None
