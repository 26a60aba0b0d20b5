"""Statistics that are added to stored runs: what is missing, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest

from layerwise.core.base.errors import InputError
from layerwise.core.base.provider import Provider
from layerwise.core.history.records import LayerAddress, LayerStatistic, StatisticResult
from layerwise.core.host.hookspecs import hookimpl
from layerwise.core.host.kinds import ActivationStatistic, RepresentationStatistic, StatisticValue, WeightStatistic
from layerwise.core.host.registry import Registry
from layerwise.core.network.layers import Layer
from layerwise.core.network.representation import Representation, represent
from layerwise.core.runs.add_statistics import measure_run

LAYERS = [Layer(name, name, "conv", (3,), index) for index, name in enumerate("ab")]


class Memory:
    """A history of one run with two layers under two transforms."""

    def __init__(self, stored: Sequence[tuple[str, str, str, int]] = ()) -> None:
        self.statistics = [
            LayerStatistic(layer, transform, StatisticResult(name, Provider(f"mine:{name}", revision=revision), 0.0))
            for layer, transform, name, revision in stored
        ]
        self.n_read = 0

    def list_layers(self, run_id: str) -> list[Layer]:
        return LAYERS

    def read_statistics(self, run_id: str) -> list[LayerStatistic]:
        return list(self.statistics)

    def read_representations(self, addresses: Sequence[LayerAddress]) -> list[Representation]:
        self.n_read += len(addresses)
        return [represent(np.random.default_rng(0).normal(size=(4, 5))) for _ in addresses]

    def save_statistics(self, run_id: str, results: Sequence[LayerStatistic]) -> None:
        self.statistics.extend(results)


class Count(RepresentationStatistic):
    name = "count"
    description = "number of stimuli"

    def compute(self, representation: Representation) -> StatisticValue:
        return StatisticValue(float(representation.n_stimuli))


class Broken(RepresentationStatistic):
    name = "broken"
    description = "always fails"

    def compute(self, representation: Representation) -> StatisticValue:
        raise ValueError("no")


class Level(ActivationStatistic):
    name = "level"
    description = "needs activations"

    def compute(self, summary) -> StatisticValue:
        return StatisticValue(1.0)


class Weight(WeightStatistic):
    name = "weight"
    description = "needs weights"

    def compute(self, weights) -> StatisticValue:
        return StatisticValue(1.0)


@pytest.fixture
def registry() -> Registry:
    class Plugin:
        @hookimpl
        def register_statistics(self):
            return [Count(), Broken(), Level(), Weight()]

    made = Registry()
    made.register(Plugin(), "mine", "mine", "1")
    return made


def run(status: str = "finished") -> SimpleNamespace:
    return SimpleNamespace(id="run1", status=status, transforms=("none", "rank"))


def measure(registry, history, record, *names):
    remarks: list[str] = []
    return measure_run(registry, history, record, names, remarks.append), remarks


def test_what_is_missing_is_added_for_every_layer_and_transform(registry):
    history = Memory([("a", "none", "count", 1), ("a", "rank", "count", 0)])
    added, _ = measure(registry, history, run(), "count")
    places = [(item.layer, item.transform) for item in added]
    assert places == [("a", "rank"), ("b", "none"), ("b", "rank")]
    assert {(item.result.value, item.result.provider) for item in added} == {(4.0, Provider("mine:count", "1"))}
    assert measure(registry, history, run(), "count")[0] == []
    assert history.n_read == 3


def test_a_plugin_that_fails_is_told_and_not_kept(registry):
    history = Memory()
    added, remarks = measure(registry, history, run())
    assert {item.result.name for item in added} == {"count"}
    assert len(remarks) == 4
    assert "layer 'a': plugin 'mine' (register_statistics): broken.compute raised ValueError: no" in remarks


@pytest.mark.parametrize(("name", "why"), [("level", "single units"), ("weight", "weights"), ("cont", "mean count")])
def test_a_statistic_that_representations_do_not_give_is_refused(registry, name, why):
    with pytest.raises(InputError, match=why):
        measure(registry, Memory(), run(), name)


def test_of_a_run_that_was_cut_off_only_what_is_stored_is_measured(registry):
    history = Memory([("a", "none", "other", 1)])
    added, _ = measure(registry, history, run("interrupted"), "count")
    assert [(item.layer, item.transform) for item in added] == [("a", "none")]
    with pytest.raises(InputError, match="being computed now"):
        measure(registry, history, run("running"))
