"""Above 2,000 stimuli no matrix of all pairs is held: products are summed in tiles, and the numbers are the same."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.host.jobs import StreamedLayer, StreamJob
from layerwise.core.host.kinds import StatisticValue, StreamedStatistic, UnitTransform
from layerwise.core.host.plans import Budget, StreamPlan, Target
from layerwise.core.host.registered import Registered
from layerwise.core.network.matrices.derived import hold_whole
from layerwise.core.network.matrices.landmarks import hold_landmarks
from layerwise.core.network.matrices.pairs import Pairs
from layerwise.core.network.matrices.tiles import TILE, TiledGram, list_tiles, tile_span, triangle_bytes
from layerwise.core.network.partial import PartialSums
from layerwise.core.network.products import represent
from layerwise.core.network.representation import Representation
from layerwise.core.runs.streaming.host_arrays import HostArrays
from layerwise.core.runs.streaming.planner import plan_stream
from layerwise.core.runs.streaming.stream import stream_segments

N = 2_100
AMPLE = Budget(memory=2**33, spool=0)


class Doubled(UnitTransform):
    name = "doubled"
    description = "twice the units less their mean; not the same when done twice"

    def apply_units(self, units: Any) -> Any:
        return 2 * (units - units.mean(axis=0))


class Total(StreamedStatistic):
    name = "total"
    description = "sum of all activations"

    def start(self, n_stimuli: int, n_features: int) -> Any:
        return [0.0, 0]

    def update(self, state: Any, activations: Any, stimuli: slice, units: slice) -> None:
        state[0] += activations.sum(dtype=np.float64)
        state[1] += activations.size

    def finish(self, state: Any) -> StatisticValue:
        return StatisticValue(state[0] / state[1])


class Keeping:
    """A sink that keeps each layer whole, as a history in memory does."""

    def __init__(self) -> None:
        self.layers: dict[tuple[str, str], tuple[StreamedLayer, Any]] = {}

    def layer_finished(self, streamed: StreamedLayer) -> None:
        found = streamed.products.represent()
        assert not isinstance(found, Representation)
        self.layers[streamed.target.key] = streamed, hold_whole(found)

    def advance(self, n_stimuli: int, what: str) -> None:
        pass


def choose_targets(model: Any) -> tuple[Target, ...]:
    """A layer in float32, a block with its branches in float64, units that are transformed."""
    doubled = Registered(Doubled(), "mine", "mine", "1", "register_transforms")
    layers = {layer.name: layer for layer in model.layers}
    plain = [Target(layers[name]) for name in ("conv", "block/a", "block/b", "block/c", "block", "output")]
    return (*plain, Target(layers["block/b"], doubled))


def plan_for(model: Any, budget: Budget, n_landmarks: int | None = None) -> StreamPlan:
    targets = choose_targets(model)
    features = {target.key: target.layer.n_features for target in targets}
    return plan_stream(model.graph, targets, features, N, 100, budget, n_cores=2, n_landmarks=n_landmarks)


def find_least(model: Any, spool: int, n_landmarks: int | None = None) -> Budget:
    low, high = 0, 2**33
    while high - low > 2**16:
        middle = (low + high) // 2
        try:
            plan_for(model, Budget(middle, spool), n_landmarks)
            high = middle
        except InputError:
            low = middle
    return Budget(high, spool)


def stream(
    toy: Any, model: Any, budget: Budget, folder: Path, sink: Keeping | None = None, n_landmarks: int | None = None
) -> Keeping:
    sink, statistic = sink or Keeping(), Registered(Total(), "mine", "mine", "1", "register_statistics")
    job = StreamJob(
        model,
        toy.make_stimuli(N),
        choose_targets(model),
        plan_for(model, budget, n_landmarks),
        statistics=(statistic,),
        keep=frozenset({"output"}),
        spool_folder=folder,
    )
    stream_segments(job, sink)
    return sink


@pytest.fixture
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks so narrow that a layer has nine."""
    monkeypatch.setattr("layerwise.core.runs.streaming.planner.chunk_width", lambda n: 256)


def activations(model: Any, stimuli: Any, node: str) -> NDArray[np.float32]:
    tensor: NDArray[np.float32] = model.compile("input", [node])(model.preprocess(stimuli.read(0, N)))[0]
    return tensor.reshape(len(tensor), -1)


@pytest.mark.usefixtures("_narrow")
@pytest.mark.parametrize("spool", [0, 2**40], ids=["several passes", "products on disk"])
def test_results_are_the_same_bits_on_any_budget_and_those_of_float64(toy: Any, tmp_path: Path, spool: int) -> None:
    model = toy.ToyModel()
    small = find_least(model, spool)
    plan = plan_for(model, small)
    assert plan.products_spooled is (spool > 0)
    assert (max(len(segment.passes) for segment in plan.segments) > 1) is (spool == 0)
    assert plan_for(model, AMPLE).memory_bytes > small.memory
    one, other = stream(toy, model, AMPLE, tmp_path), stream(toy, model, small, tmp_path)
    assert one.layers.keys() == other.layers.keys() == {target.key for target in choose_targets(model)}
    for key, (streamed, whole) in one.layers.items():
        again, found = other.layers[key]
        np.testing.assert_array_equal(whole.entries, found.entries, str(key))
        for name in ("deviation", "mean", "norm"):
            np.testing.assert_array_equal(getattr(whole, name), getattr(found, name), str(key))
        np.testing.assert_array_equal(streamed.summary.power4, again.summary.power4)
        assert streamed.streamed[0][1].value == pytest.approx(again.streamed[0][1].value, rel=1e-9)
    assert not list(tmp_path.iterdir())
    for name, node in {"conv": "conv", "block": "block", "block/a": "a"}.items():
        found = one.layers[name, "none"][1]
        exact = represent(activations(model, toy.make_stimuli(N), node))
        assert np.abs(found.dissimilarity - exact.dissimilarity).max() < 1e-6
        np.testing.assert_allclose(found.norm, exact.norm, rtol=1e-6)
    raw = activations(model, toy.make_stimuli(N), "b")
    doubled = one.layers["block/b", "doubled"]
    exact = represent(2 * (raw - raw.mean(axis=0)))
    assert np.abs(doubled[1].dissimilarity - exact.dissimilarity).max() < 1e-5
    assert doubled[0].streamed[0][1].value == pytest.approx(0, abs=1e-6)
    kept = one.layers["output", "none"][0].activations
    np.testing.assert_array_equal(kept, activations(model, toy.make_stimuli(N), "output"))


class KeepingLandmarks(Keeping):
    """The same of pairs with landmarks."""

    def layer_finished(self, streamed: StreamedLayer) -> None:
        self.layers[streamed.target.key] = streamed, hold_landmarks(streamed.products.represent())


@pytest.mark.usefixtures("_narrow")
def test_with_landmarks_a_row_of_tiles_is_summed_and_the_bits_are_the_same_on_any_budget(
    toy: Any, tmp_path: Path
) -> None:
    model, n_landmarks = toy.ToyModel(), 1_100  # beyond a tile, and a tile that is cut
    small = find_least(model, 2**40, n_landmarks)
    plan, whole_plan = plan_for(model, small, n_landmarks), plan_for(model, small)
    assert plan.products_spooled
    assert plan.spool_bytes < whole_plan.spool_bytes
    one, other = (stream(toy, model, budget, tmp_path, KeepingLandmarks(), n_landmarks) for budget in (AMPLE, small))
    for name, node in {"conv": "conv", "block": "block", "block/a": "a"}.items():
        first, second = (list(sink.layers[name, "none"][1].upper_panels(500)) for sink in (one, other))
        exact = represent(activations(model, toy.make_stimuli(N), node))
        assert first[-1][0].stop == n_landmarks
        for (rows, panel), (_, again) in zip(first, second, strict=True):
            np.testing.assert_array_equal(panel.entries, again.entries)
            assert np.abs(panel.dissimilarity() - exact.dissimilarity[rows, rows.start :]).max() < 1e-6
        np.testing.assert_allclose(one.layers[name, "none"][1].deviation, exact.deviation, rtol=1e-6)


def test_what_is_not_finite_is_told_with_layer_and_stimulus(toy: Any, tmp_path: Path) -> None:
    class Spoilt(toy.ToyModel):  # type: ignore[misc]
        def preprocess(self, pixels: Any) -> Any:
            tensor = super().preprocess(pixels)
            tensor[-1, 0, 0] = np.nan
            return tensor

    with pytest.raises(LayerwiseError, match=r"layer 'conv'.*stimulus 99 are not finite"):
        stream(toy, Spoilt(), AMPLE, tmp_path)


def finish(sums: PartialSums) -> Representation:
    return hold_whole(sums.finish("the layer")[0].represent())


@pytest.mark.parametrize(
    ("kind", "n_units"), [("plain", 2_500), ("biased", 2_500), ("huge", 2_500), ("tiny", 2_500), ("few", 300)]
)
def test_the_sums_of_a_chunk_are_those_of_float64(kind: str, n_units: int) -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(N, n_units)) + {"biased": 1e3}.get(kind, 0.0) * rng.normal(size=n_units)
    rows = (rows * {"huge": 1e25, "tiny": 1e-25}.get(kind, 1.0)).astype(np.float32)
    found = finish(HostArrays().sum_chunk(rows, in_double=n_units < N))
    exact = represent(rows.astype(np.float64))
    assert np.abs(found.dissimilarity - exact.dissimilarity).max() < 1e-6
    np.testing.assert_allclose(found.norm, exact.norm, rtol=1e-5)
    np.testing.assert_allclose(found.deviation, exact.deviation, rtol=1e-6)


def test_stimuli_that_float32_does_not_tell_apart_keep_their_distance() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(N, 2_500)).astype(np.float32)
    for first, second in ((3, 5), (7, 1_500), (2_050, 2_090), (40, 2_099)):  # within a tile, and across two
        rows[second] = rows[first] + 1e-5 * rng.normal(size=2_500)
    found, exact = finish(HostArrays().sum_chunk(rows, in_double=False)), represent(rows.astype(np.float64))
    for pair in ((3, 5), (7, 1_500), (2_050, 2_090), (40, 2_099)):
        assert found.squared_distances()[pair] == pytest.approx(exact.squared_distances()[pair], rel=1e-5)
        assert found.correlation_distances()[pair] == pytest.approx(exact.correlation_distances()[pair], rel=1e-3)


def test_layers_that_tell_stimuli_apart_by_brightness_are_in_float64() -> None:
    rng = np.random.default_rng(2)
    rows = (rng.normal(size=(N, 2_500)) + 1e3 * rng.normal(size=(N, 1))).astype(np.float32)
    sums = HostArrays().sum_chunk(rows, in_double=False)
    assert (sums.in_double, sums.is_hard) == (True, True)
    found, exact = finish(sums), represent(rows.astype(np.float64))
    assert found.entry_type == np.float64
    assert np.corrcoef(found.correlation_distances().ravel(), exact.correlation_distances().ravel())[0, 1] > 1 - 1e-9


def test_chunks_merge_into_the_layer_and_can_be_pickled() -> None:
    rows = np.random.default_rng(3).normal(size=(N, 4_000)).astype(np.float32)
    arrays = HostArrays()
    halves = [
        arrays.sum_chunk(np.ascontiguousarray(rows[:, some]), in_double=False)
        for some in (slice(2_000), slice(2_000, None))
    ]
    merged: PartialSums = pickle.loads(pickle.dumps(halves[0]))
    merged.merge(halves[1])
    exact = represent(rows.astype(np.float64))
    assert np.abs(finish(merged).dissimilarity - exact.dissimilarity).max() < 1e-6


@pytest.mark.parametrize("on_disk", [False, True])
def test_tiles_give_back_rows_wherever_these_begin_and_end(tmp_path: Path, *, on_disk: bool) -> None:
    values = np.random.default_rng(4).normal(size=(N, N))
    values += values.T
    gram = TiledGram(N, tmp_path, on_disk=on_disk)
    assert triangle_bytes(N) == 8 * (3 * TILE**2 + 2 * TILE * (N - 2 * TILE) + (N - 2 * TILE) ** 2)
    for row, column in list_tiles(N):
        gram.put((row, column), values[tile_span(row, N), tile_span(column, N)].copy())
    for rows in (slice(0, 64), slice(1_000, 1_100), slice(1_020, 2_060), slice(2_099, N), slice(0, N)):
        np.testing.assert_array_equal(gram.read_rows(rows), values[rows, rows.start :])
    gram.corrections[5] += 1
    np.testing.assert_array_equal(gram.diagonal() - np.diagonal(values), np.arange(N) == 5)
    gram.corrections[5] -= 1
    np.testing.assert_allclose(gram.means(), values.mean(axis=0), atol=1e-12)
    copied = gram.copy()
    copied += gram
    np.testing.assert_array_equal(copied.read_rows(slice(0, 9)), 2 * values[:9])
    np.testing.assert_array_equal(gram.read_rows(slice(0, 9)), values[:9])


def test_a_layer_in_tiles_has_the_same_panels_whatever_their_height() -> None:
    rows = np.random.default_rng(5).normal(size=(N, 50)).astype(np.float32)
    layer: Pairs = HostArrays().sum_chunk(rows, in_double=True).finish("the layer")[0].represent()
    whole = hold_whole(layer)
    for which, panel in layer.upper_panels(700):
        np.testing.assert_array_equal(panel.entries, whole.entries[which, which.start :])
