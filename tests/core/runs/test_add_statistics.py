"""Statistics that are added to stored runs: what is missing, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from layerwise.core.base.errors import InputError
from layerwise.core.base.provider import Provider
from layerwise.core.history.records import LayerStatistic, StatisticResult
from layerwise.core.host.hookspecs import hookimpl
from layerwise.core.host.kinds import ActivationStatistic, RepresentationStatistic, StatisticValue, WeightStatistic
from layerwise.core.host.registry import Registry
from layerwise.core.network.representation import Representation
from layerwise.core.runs.add_statistics import measure_run

PLACES = [(layer, transform) for layer in "ab" for transform in ("none", "rank")]


class Count(RepresentationStatistic):
    name = "count"
    description = "number of stimuli"
    panelled = True

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


@pytest.fixture
def make(fake):
    """Make a history of one run with two layers under two transforms; gives the history and the run.

    `stored` are the statistics that are there: layer, transform, name and revision.
    """

    def fill(*stored: tuple[str, str, str, int], places=tuple(PLACES), finished: bool = True):
        history = fake.MadeHistory()
        statistics = [
            LayerStatistic(layer, transform, StatisticResult(name, Provider(f"mine:{name}", revision=revision), 0.0))
            for layer, transform, name, revision in stored
        ]
        rows = dict.fromkeys(places, np.random.default_rng(0).normal(size=(4, 5)))
        record = fake.add_rows(
            history, "run1", rows, statistics=statistics, finished=finished, transforms=("none", "rank")
        )
        return history, record

    return fill


def measure(registry, history, record, *names):
    remarks: list[str] = []
    return measure_run(registry, history, record, names, remarks.append), remarks


def test_what_is_missing_is_added_for_every_layer_and_transform(registry, make):
    history, run = make(("a", "none", "count", 1), ("a", "rank", "count", 0))
    added, _ = measure(registry, history, run, "count")
    places = [(item.layer, item.transform) for item in added]
    assert places == [("a", "rank"), ("b", "none"), ("b", "rank")]
    assert {(item.result.value, item.result.provider) for item in added} == {(4.0, Provider("mine:count", "1"))}
    assert measure(registry, history, run, "count")[0] == []
    assert history.n_read == 3


def test_a_plugin_that_fails_is_told_and_not_kept(registry, make):
    added, remarks = measure(registry, *make())
    assert {item.result.name for item in added} == {"count"}
    assert len(remarks) == 4
    assert "layer 'a': plugin 'mine' (register_statistics): broken.compute raised ValueError: no" in remarks


@pytest.mark.parametrize(("name", "why"), [("level", "single units"), ("weight", "weights"), ("cont", "mean count")])
def test_a_statistic_that_representations_do_not_give_is_refused(registry, make, name, why):
    with pytest.raises(InputError, match=why):
        measure(registry, *make(), name)


def test_of_a_run_that_was_cut_off_only_what_is_stored_is_measured(registry, make):
    history, run = make(("a", "none", "other", 1), places=PLACES[:1], finished=False)
    added, _ = measure(registry, history, run, "count")
    assert [(item.layer, item.transform) for item in added] == [("a", "none")]
    with pytest.raises(InputError, match="being computed now"):
        measure(registry, history, replace(run, status="running"))


class Eigenvalues(Count):
    name = "eigenvalues"
    description = "costs n^3"
    cubic = True


@pytest.fixture
def costly(monkeypatch) -> Registry:
    class Plugin:
        @hookimpl
        def register_statistics(self):
            return [Count(), Eigenvalues()]

    monkeypatch.setattr("layerwise.core.runs.add_statistics.MOST_STIMULI", 3)
    made = Registry()
    made.register(Plugin(), "mine", "mine", "1")
    return made


def test_what_costs_the_cube_is_left_out_of_many_stimuli_until_somebody_asks(costly, make):
    history, record = make()
    unasked = {item.result.name: item.result for item in measure_run(costly, history, record, (), print, asked=False)}
    assert unasked["count"].value == 4
    assert unasked["eigenvalues"].value is None
    assert "`layerwise measure` computes it" in unasked["eigenvalues"].reason
    assert measure_run(costly, history, record, (), print, asked=False) == []
    asked = measure_run(costly, history, record, (), print)
    assert {(item.result.name, item.result.value) for item in asked} == {("eigenvalues", 4.0)}
    assert all(item.result.value == 4 for item in history.read_statistics(record.id))
    assert measure_run(costly, history, record, (), print) == []
