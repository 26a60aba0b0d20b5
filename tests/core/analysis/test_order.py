"""Ordering stimuli through a history."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from layerwise.core.analysis.order import order_stimuli
from layerwise.core.base.errors import InputError, PluginError
from layerwise.core.history.records import LayerAddress
from layerwise.core.host.hookspecs import hookimpl
from layerwise.core.host.kinds import Metric, Reorderer
from layerwise.core.host.registry import Registry
from layerwise.core.network.layers import Layer

RUN = SimpleNamespace(id="run1", n_stimuli=4)
LAYERS = [
    Layer("conv", "conv", "conv", (3,), 1),
    Layer("pixels", "pixels", "input", (3,), 0, role="input"),
    Layer("prob", "prob", "softmax", (3,), 2, role="output"),
]


@pytest.fixture
def history(fake):
    """A history of one run with three layers, and one of them under a transform."""
    made, rows = fake.MadeHistory(), np.random.default_rng(0).normal(size=(4, 9))
    places = [*((layer.name, "none") for layer in LAYERS), ("conv", "rank")]
    fake.add_rows(made, "run1", dict.fromkeys(places, rows), layers=LAYERS, labels=("b", "a", None, "c"))
    return made


def registry_giving(answer: object) -> Registry:
    class Toy(Reorderer):
        name = "toy"
        description = "toy"

        def order(self, similarity, labels):
            assert similarity.shape == (4, 4)
            assert labels == ["b", "a", None, "c"]
            return answer

    registry = Registry()
    plugin = SimpleNamespace(register_reorderers=hookimpl(lambda: [Toy()]))
    registry.register(plugin, "plugin", "dist", "1")
    return registry


def test_an_ordering_is_computed_once_and_then_read(history):
    first = order_stimuli(registry_giving(np.array([2, 0, 3, 1])), history, RUN, "output", "toy")
    assert first.permutation == (2, 0, 3, 1)
    assert first.address == LayerAddress("run1", "prob")
    again = order_stimuli(registry_giving("not asked"), history, RUN, "prob", "dist:toy")
    assert again == first
    assert history.n_read == 1


def test_each_layer_and_transform_has_an_ordering_of_its_own(history):
    registry = registry_giving(np.arange(4))
    for by, transform in (("conv", "none"), ("conv", "rank"), ("input", "none")):
        order_stimuli(registry, history, RUN, by, "toy", transform)
    assert history.n_kept == 3


@pytest.mark.parametrize("kind", ["similarity", "distance"])
def test_another_metric_decides_and_is_kept_apart(kind, history):
    class Gram(Metric):
        name = "gram"
        description = "gram"

        def compute(self, representation):
            return representation.gram() if kind == "similarity" else np.abs(np.subtract.outer(*[np.arange(4.0)] * 2))

    Gram.kind = kind
    seen = []

    class Looking(Reorderer):
        name = "toy"
        description = "toy"

        def order(self, similarity, labels):
            seen.append(similarity)
            return np.arange(4)

    registry = Registry()
    plugin = SimpleNamespace(
        register_reorderers=hookimpl(lambda: [Looking()]), register_metrics=hookimpl(lambda: [Gram()])
    )
    registry.register(plugin, "plugin", "dist", "1")
    plain = order_stimuli(registry, history, RUN, "conv", "toy")
    other = order_stimuli(registry, history, RUN, "conv", "toy", metric="gram")
    assert (plain.reorderer.parameters, other.reorderer.parameters) == ("{}", '{"metric":"dist:gram r1"}')
    assert order_stimuli(registry, history, RUN, "conv", "toy", metric="gram") == other
    assert len(seen) == 2
    assert seen[1].max() == pytest.approx(
        1
    )  # 1 - similarity is a distance, and 1 - distance turns one into the other


@pytest.mark.parametrize("metric", ["euclidean", "squared-euclidean", "angular", "dot", "correlation-distance"])
@pytest.mark.parametrize("scale", [1e-20, 1e-9, 1e9, 1e20])
def test_the_scale_of_the_activations_does_not_change_an_order(metric, scale, fake):
    rows = np.random.default_rng(0).normal(size=(12, 9))
    orders = []
    for factor in (1.0, scale):
        made = fake.MadeHistory()
        fake.add_rows(made, "run1", {"conv": factor * rows}, layers=[LAYERS[0]])
        found = order_stimuli(fake.make_registry(), made, RUN, "conv", "average-linkage", metric=metric)
        orders.append(found.permutation)
    assert orders[0] == orders[1]


@pytest.mark.parametrize("metric", ["pearson", "cosine", "dot", "euclidean", "correlation-distance"])
def test_what_a_reorderer_is_handed_is_a_similarity_of_one_at_most(metric, history, fake):
    seen = []

    class Looking(Reorderer):
        name = "toy"
        description = "toy"

        def order(self, similarity, labels):
            seen.append(similarity)
            return np.arange(4)

    registry = fake.make_registry()
    registry.register(SimpleNamespace(register_reorderers=hookimpl(lambda: [Looking()])), "plugin", "dist", "1")
    order_stimuli(registry, history, RUN, "conv", "toy", metric=metric)
    assert seen[0].max() == pytest.approx(1)
    assert np.abs(seen[0]).max() <= 1


def test_without_a_layer_the_input_counts_or_the_first_that_is_there(history):
    assert order_stimuli(registry_giving(np.arange(4)), history, RUN, None, "toy").address.layer == "pixels"
    history.drop_layer("run1", "pixels")
    assert order_stimuli(registry_giving(np.arange(4)), history, RUN, None, "toy").address.layer == "conv"


def test_nothing_is_kept_when_that_is_not_wanted(history):
    order_stimuli(registry_giving(np.arange(4)), history, RUN, "input", "toy", save=False)
    assert history.n_kept == 0


@pytest.mark.parametrize("answer", [[0, 1, 2], [0, 1, 1, 2], [0.0, 1.0, 2.0, 3.0], [[0], [1, 2]], None, [1, 2, 3, 4]])
def test_what_is_no_permutation_is_the_plugins_error(answer, history):
    with pytest.raises(PluginError, match=r"plugin 'plugin'.*toy returned"):
        order_stimuli(registry_giving(answer), history, RUN, "input", "toy")


def test_a_layer_that_is_not_there_suggests_a_near_one(history):
    with pytest.raises(InputError, match="no layer 'cnv'; did you mean conv"):
        order_stimuli(registry_giving(np.arange(4)), history, RUN, "cnv", "toy")


def test_a_run_without_layers_cannot_be_ordered(history):
    for layer in LAYERS:
        history.drop_layer("run1", layer.name)
    with pytest.raises(InputError, match="no finished layer"):
        order_stimuli(registry_giving(np.arange(4)), history, RUN, None, "toy")
