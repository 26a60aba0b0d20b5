"""Streaming gives what computing everything in memory gives, whatever the batch size and the budget."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.host.jobs import StreamedLayer, StreamJob
from layerwise.core.host.kinds import StatisticValue, StreamedStatistic, Transform, UnitTransform
from layerwise.core.host.plans import Budget, StreamPlan, Target
from layerwise.core.host.registry import Registered
from layerwise.core.network.layers import Layer
from layerwise.core.runs.streaming.planner import plan_stream
from layerwise.core.runs.streaming.stream import needed_targets, stream_segments

N = 23
AMPLE = Budget(memory=2**30, spool=0)


class Collector:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.layers: dict[tuple[str, str], StreamedLayer] = {}
        self.progress = 0

    def layer_finished(self, streamed: StreamedLayer) -> None:
        assert streamed.target.key not in self.layers
        self.layers[streamed.target.key] = streamed

    def advance(self, n_stimuli: int, what: str) -> None:
        self.progress += n_stimuli


def plan_for(model: Any, targets: tuple[Target, ...], n: int, batch_size: int, budget: Budget) -> StreamPlan:
    features = {target.key: target.layer.n_features for target in targets}
    return plan_stream(model.graph, targets, features, n, batch_size, budget)


def least(model: Any, targets: tuple[Target, ...], spool: int) -> Budget:
    """The smallest budget with such a spool that is not refused."""
    low, high = 0, 2**30
    while high - low > 1:
        middle = (low + high) // 2
        try:
            plan_for(model, targets, N, 5, Budget(middle, spool))
            high = middle
        except InputError:
            low = middle
    return Budget(high, spool)


def stream(
    toy: Any, model: Any, *, n: int = N, batch_size: int = 5, budget: Budget = AMPLE, layers: Any = None, **job: Any
) -> Collector:
    stimuli = job.pop("stimuli", None) or toy.make_stimuli(n)
    targets = tuple(Target(layer) for layer in (layers or model.layers))
    plan = plan_for(model, targets, n, batch_size, budget)
    sink = Collector()
    stream_segments(StreamJob(model, stimuli, targets, plan, **job), sink)
    assert sink.progress == plan.n_stimulus_passes
    return sink


def activations(model: Any, stimuli: Any, layer: Layer) -> NDArray[np.float64]:
    tensor = model.compile("input", [layer.node])(model.preprocess(stimuli.read(0, stimuli.n_stimuli)))[0]
    return tensor.reshape(len(tensor), -1).astype(np.float64)


def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks so small that the toy network needs many."""
    monkeypatch.setattr("layerwise.core.runs.streaming.planner.chunk_width", lambda n: 64)


@pytest.mark.parametrize("offset", [0.0, 1000.0, 30000.0])
@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_correlations_agree_with_corrcoef_in_float64(toy: Any, offset: float, batch_size: int) -> None:
    model = toy.ToyModel(offset)
    sink = stream(toy, model, batch_size=batch_size)
    stimuli = toy.make_stimuli(N)
    for layer in model.layers:
        raw = activations(model, stimuli, layer)
        representation = sink.layers[layer.name, "none"].products.represent()
        assert np.abs(representation.correlation - np.corrcoef(raw)).max() < 1e-5
        np.testing.assert_allclose(representation.mean, raw.mean(axis=1), rtol=2e-6, atol=2e-7)
        np.testing.assert_allclose(representation.norm, np.sqrt(raw.shape[1]) * raw.std(axis=1), rtol=1e-5)


def test_the_summary_agrees_with_the_activations(toy: Any) -> None:
    model = toy.ToyModel()
    sink = stream(toy, model)
    stimuli = toy.make_stimuli(N)
    for layer in model.layers:
        raw = activations(model, stimuli, layer)
        summary = sink.layers[layer.name, "none"].summary
        mean, second, third, fourth = summary.central_moments()
        assert mean == pytest.approx(raw.mean(), rel=1e-6, abs=1e-8)
        assert second == pytest.approx(raw.var(), rel=1e-5)
        assert third / second**1.5 == pytest.approx(stats.skew(raw, axis=None), rel=1e-3, abs=1e-4)
        assert fourth / second**2 == pytest.approx(stats.kurtosis(raw, axis=None, fisher=False), rel=1e-4)
        assert np.array_equal(summary.n_zeros, (raw == 0).sum(axis=1))
        np.testing.assert_allclose(summary.minimum, raw.min(axis=1))
        np.testing.assert_allclose(summary.maximum, raw.max(axis=1))
        np.testing.assert_allclose(summary.absolute, np.abs(raw).sum(axis=1), rtol=1e-5)
        assert summary.n_dead == (raw == 0).all(axis=0).sum()
        assert summary.unit_variance2 == pytest.approx((raw.var(axis=0) ** 2).sum(), rel=1e-4)


def test_lifetime_sparseness_agrees_with_its_definition(toy: Any) -> None:
    model = toy.ToyModel()
    sink = stream(toy, model)
    layer = next(layer for layer in model.layers if layer.name == "conv")
    raw = activations(model, toy.make_stimuli(N), layer)
    live = raw[:, (raw != 0).any(axis=0)]
    ratio = live.mean(axis=0) ** 2 / (live**2).mean(axis=0)
    expected = ((1 - ratio) / (1 - 1 / N)).sum()
    assert sink.layers["conv", "none"].summary.lifetime_sum == pytest.approx(expected, rel=1e-5)


def test_lifetime_sparseness_is_undefined_where_activations_are_negative(toy: Any) -> None:
    sink = stream(toy, toy.ToyModel())
    assert np.isnan(sink.layers["logits", "none"].summary.lifetime_sum)


@pytest.mark.parametrize("spool", [0, 2**30])
def test_a_small_budget_gives_bit_identical_results(toy: Any, monkeypatch: pytest.MonkeyPatch, spool: int) -> None:
    small_chunks(monkeypatch)
    model = toy.ToyModel()
    ample = stream(toy, model)
    targets = tuple(Target(layer) for layer in model.layers)
    budget = least(model, targets, spool)
    plan = plan_for(model, targets, N, 5, budget)
    n_passes = [len(segment.passes) for segment in plan.segments]
    assert (max(n_passes) > 1) is (spool == 0)
    assert (plan.spool_bytes > 0) is (spool > 0)
    small = stream(toy, model, budget=budget)
    assert small.layers.keys() == ample.layers.keys()
    for key, layer in ample.layers.items():
        assert np.array_equal(layer.products.centred, small.layers[key].products.centred)
        assert layer.summary.lifetime_sum == pytest.approx(small.layers[key].summary.lifetime_sum, nan_ok=True)
        assert np.array_equal(layer.summary.power4, small.layers[key].summary.power4)


def test_every_layer_is_computed_once(toy: Any) -> None:
    model = toy.ToyModel()
    stream(toy, model, batch_size=8)
    by_start: dict[str, int] = {}
    for start, _, count in model.calls:
        by_start[start] = by_start.get(start, 0) + count
    assert set(by_start.values()) == {N}


def test_a_block_is_the_sum_of_its_branches_and_is_not_computed(toy: Any) -> None:
    model = toy.ToyModel(offset=500.0)
    sink = stream(toy, model)
    targets = tuple(Target(layer) for layer in model.layers)
    assert [target.layer.name for target in plan_for(model, targets, N, 5, AMPLE).derived] == ["block"]
    direct = stream(toy, model, layers=[layer for layer in model.layers if layer.name == "block"])
    derived = sink.layers["block", "none"]
    np.testing.assert_allclose(
        derived.products.represent().correlation,
        direct.layers["block", "none"].products.represent().correlation,
        atol=1e-5,
    )
    assert derived.summary.n_dead == direct.layers["block", "none"].summary.n_dead


def test_stimuli_with_constant_activations_give_nan_and_nothing_else_changes(toy: Any) -> None:
    model = toy.ToyModel(offset=0.1)
    stimuli = toy.make_stimuli(N, constant=[3, 7])
    sink = stream(toy, model, stimuli=stimuli)
    representation = sink.layers["input", "none"].products.represent()
    assert representation.constant.tolist() == [3, 7]
    assert np.isnan(representation.correlation[3]).all()
    assert np.isnan(representation.correlation[:, 7]).all()
    others = np.setdiff1d(np.arange(N), [3, 7])
    raw = activations(model, stimuli, model.layers[0])
    block = representation.correlation[np.ix_(others, others)]
    assert np.abs(block - np.corrcoef(raw[others])).max() < 1e-5
    assert representation.mean[3] == pytest.approx(128 / 255)


def test_activations_that_are_not_finite_are_an_error_naming_layer_and_stimulus(toy: Any) -> None:
    model = toy.ToyModel(offset=np.inf)
    with pytest.raises(LayerwiseError, match=r"layer 'conv'.*stimulus 0 are not finite"):
        stream(toy, model, layers=[model.layers[1]])


def test_layers_after_the_last_wanted_one_are_not_computed(toy: Any) -> None:
    model = toy.ToyModel()
    stream(toy, model, layers=model.layers[:2])
    assert all("block" not in outputs and "output" not in outputs for _, outputs, _ in model.calls)


def test_kept_layers_hand_over_their_activations(toy: Any) -> None:
    model = toy.ToyModel()
    sink = stream(toy, model, keep=frozenset({"output"}))
    kept = sink.layers["output", "none"].activations
    assert kept is not None
    np.testing.assert_allclose(kept.sum(axis=1), 1, rtol=1e-6)
    assert sink.layers["conv", "none"].activations is None


class ChannelMean(Transform):
    name = "channel-mean"
    description = "mean over space"
    additive = True

    def apply(self, activations: Any) -> Any:
        return activations.reshape(len(activations), -1, activations.shape[-1]).mean(axis=1)


def test_a_transform_gets_a_representation_of_its_own(toy: Any) -> None:
    model = toy.ToyModel()
    transform = Registered(ChannelMean(), "mine", "mine", "1", "register_transforms")
    layer = next(layer for layer in model.layers if layer.name == "conv")
    targets = (Target(layer), Target(layer, transform))
    features = {targets[0].key: layer.n_features, targets[1].key: 16}
    plan = plan_stream(model.graph, targets, features, N, 5, AMPLE)
    sink, stimuli = Collector(), toy.make_stimuli(N)
    stream_segments(StreamJob(model, stimuli, targets, plan), sink)
    raw = activations(model, stimuli, layer).reshape(N, -1, 16).mean(axis=1)
    got = sink.layers["conv", "channel-mean"].products.represent().correlation
    assert np.abs(got - np.corrcoef(raw)).max() < 1e-5


class Scores(UnitTransform):
    """Z-scores, with constant units as they are: 0."""

    name = "scores"
    description = "z-scores of units"

    def apply_units(self, units: Any) -> Any:
        spread = units.std(axis=0, dtype=np.float64)
        return ((units - units.mean(axis=0, dtype=np.float64)) / np.where(spread, spread, np.inf)).astype(np.float32)


def z_scores(raw: NDArray[np.float64]) -> NDArray[np.float64]:
    spread = raw.std(axis=0)
    return (raw - raw.mean(axis=0)) / np.where(spread, spread, np.inf)


def scored(model: Any) -> tuple[Target, ...]:
    transform = Registered(Scores(), "mine", "mine", "1", "register_transforms")
    return tuple(Target(layer, transform) for layer in model.layers)


def stream_scores(toy: Any, model: Any, budget: Budget = AMPLE, batch_size: int = 5, **job: Any) -> Collector:
    targets = scored(model)
    plan, sink = plan_for(model, targets, N, batch_size, budget), Collector()
    stream_segments(StreamJob(model, toy.make_stimuli(N), targets, plan, **job), sink)
    return sink


@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_a_transform_of_units_sees_all_stimuli_of_a_unit(
    toy: Any, monkeypatch: pytest.MonkeyPatch, batch_size: int
) -> None:
    small_chunks(monkeypatch)
    model = toy.ToyModel()
    sink = stream_scores(toy, model, batch_size=batch_size)
    for layer in model.layers:
        expected = z_scores(activations(model, toy.make_stimuli(N), layer))
        got = sink.layers[layer.name, "scores"]
        representation = got.products.represent()
        assert np.abs(representation.correlation - np.corrcoef(expected)).max() < 1e-5
        np.testing.assert_allclose(representation.mean, expected.mean(axis=1), atol=1e-5)
        np.testing.assert_allclose(got.summary.absolute, np.abs(expected).sum(axis=1), rtol=1e-5)
        assert got.summary.central_moments()[1] == pytest.approx(
            (expected**2).mean() - expected.mean() ** 2, rel=1e-4
        )


@pytest.mark.parametrize("spool", [0, 2**30])
def test_a_transform_of_units_gives_the_same_bits_on_any_budget(
    toy: Any, monkeypatch: pytest.MonkeyPatch, spool: int
) -> None:
    small_chunks(monkeypatch)
    model = toy.ToyModel()
    budgets = (AMPLE, least(model, scored(model), spool))
    ample, small = (stream_scores(toy, model, budget) for budget in budgets)
    assert small.layers.keys() == ample.layers.keys()
    for key, layer in ample.layers.items():
        assert np.array_equal(layer.products.centred, small.layers[key].products.centred)
        assert np.array_equal(layer.products.mean, small.layers[key].products.mean)
        assert np.array_equal(layer.summary.power4, small.layers[key].summary.power4)


def test_a_block_of_transformed_units_is_the_sum_of_its_branches(toy: Any) -> None:
    model = toy.ToyModel()
    block = stream_scores(toy, model).layers["block", "scores"].products.represent()
    layer = next(layer for layer in model.layers if layer.name == "block")
    expected = np.corrcoef(z_scores(activations(model, toy.make_stimuli(N), layer)))
    assert np.abs(block.correlation - expected).max() < 1e-5


def test_a_streamed_statistic_sees_transformed_units(toy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    small_chunks(monkeypatch)
    model = toy.ToyModel()
    statistic = Registered(UnitMaximum(), "mine", "mine", "1", "register_statistics")
    sink = stream_scores(toy, model, statistics=(statistic,))
    for name in ("conv", "block"):
        layer = next(layer for layer in model.layers if layer.name == name)
        expected = z_scores(activations(model, toy.make_stimuli(N), layer)).max(axis=0).mean()
        assert sink.layers[name, "scores"].streamed[0][1].value == pytest.approx(expected, rel=1e-5)


def test_under_a_transform_of_units_the_stimulus_that_is_not_finite_is_named(toy: Any) -> None:
    class Spoilt(toy.ToyModel):  # type: ignore[misc]
        def preprocess(self, pixels: Any) -> Any:
            tensor = super().preprocess(pixels)
            tensor[-1, 0, 0] = np.nan
            return tensor

    with pytest.raises(LayerwiseError, match=r"transform scores\).*stimulus 4 are not finite"):
        stream_scores(toy, Spoilt())


class UnitMaximum(StreamedStatistic):
    name = "unit-maximum"
    description = "mean over units of the largest activation"

    def start(self, n_stimuli: int, n_features: int) -> Any:
        return np.full(n_features, -np.inf)

    def update(self, state: Any, activations: Any, stimuli: slice, units: slice) -> None:
        state[units] = np.maximum(state[units], activations.max(axis=0))

    def finish(self, state: Any) -> StatisticValue:
        return StatisticValue(float(state.mean()))


def test_a_streamed_statistic_sees_every_unit_of_layers_and_of_blocks(
    toy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_chunks(monkeypatch)
    model = toy.ToyModel()
    statistic = Registered(UnitMaximum(), "mine", "mine", "1", "register_statistics")
    sink = stream(toy, model, statistics=(statistic,))
    for name in ("conv", "block", "block/b"):
        layer = next(layer for layer in model.layers if layer.name == name)
        raw = activations(model, toy.make_stimuli(N), layer)
        value = sink.layers[name, "none"].streamed[0][1].value
        assert value == pytest.approx(raw.max(axis=0).mean(), rel=1e-6)


def test_a_resumed_stream_computes_the_branches_of_an_unfinished_block_again(toy: Any) -> None:
    model = toy.ToyModel()
    targets = tuple(Target(layer) for layer in model.layers)
    done = frozenset(target.key for target in targets if target.layer.name not in {"block", "output"})
    needed = {target.layer.name for target in needed_targets(targets, done)}
    assert needed == {"block", "block/a", "block/b", "block/c", "output"}


def spilling(model: Any) -> Budget:
    """A budget under which most of a layer lies on disk."""
    return least(model, tuple(Target(layer) for layer in model.layers), 2**30)


def test_a_full_disk_while_spooling_is_one_clear_error(
    toy: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    small_chunks(monkeypatch)

    def no_space(*_: object) -> int:
        raise OSError(28, "No space left on device")

    for name in ("pwrite", "pwritev"):
        monkeypatch.setattr(os, name, no_space, raising=False)
    model = toy.ToyModel()
    with pytest.raises(LayerwiseError, match="No space left on device"):
        stream(toy, model, budget=spilling(model), spool_folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_spool_folder_that_is_not_there_is_one_clear_error(
    toy: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    small_chunks(monkeypatch)
    model = toy.ToyModel()
    with pytest.raises(LayerwiseError, match="cannot spool to"):
        stream(toy, model, budget=spilling(model), spool_folder=tmp_path / "missing")
