"""A plan says what a run will hold in memory, matrices of all pairs of stimuli included, and a run keeps to it."""

from __future__ import annotations

import dataclasses
import re
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from given_model import GivenLoader

from layerwise.core.base.blas import single_threaded_blas
from layerwise.core.base.errors import InputError
from layerwise.core.history.records import LayerAddress
from layerwise.core.host import hookspecs, kinds
from layerwise.core.host.jobs import StreamJob
from layerwise.core.host.plans import Budget, StreamPlan, Target
from layerwise.core.network.matrices.tiles import TILE, triangle_bytes
from layerwise.core.network.products import represent
from layerwise.core.runs import sink
from layerwise.core.runs.prepared import prepare_run
from layerwise.core.runs.request import RunRequest, SilentObserver
from layerwise.core.runs.run import execute_run
from layerwise.core.runs.sink import count_storing
from layerwise.core.runs.streaming import memory
from layerwise.core.runs.streaming.host_arrays import HostArrays
from layerwise.core.runs.streaming.planner import plan_stream
from layerwise.core.runs.streaming.stream import stream_segments
from layerwise.plugins import load_plugins
from layerwise.storage import open_store
from layerwise.testing import check_arrays, summarize

MIB = 2**20


def plan_toy(model: Any, n: int, budget: Budget, n_cores: int = 2, batch_size: int = 16) -> StreamPlan:
    targets = tuple(Target(layer) for layer in model.layers)
    features = {target.key: target.layer.n_features for target in targets}
    return plan_stream(model.graph, targets, features, n, batch_size, budget, n_cores=n_cores)


@pytest.mark.parametrize("n", [5_000, 20_000])
def test_a_plan_for_many_stimuli_counts_their_products_in_memory_or_on_disk(toy: Any, n: int) -> None:
    triangle = triangle_bytes(n)
    assert 4 * n**2 < triangle < 4 * n * (n + TILE)
    branches, stored = 3, 2  # what waits for its block, and what the sink holds
    ample = plan_toy(toy.ToyModel(), n, Budget(24 * triangle, 2**40))
    assert not ample.products_spooled
    assert (branches + 1 + stored) * triangle < ample.memory_bytes <= 24 * triangle
    tight = plan_toy(toy.ToyModel(), n, Budget(2**30, 2**40))
    assert tight.products_spooled
    assert tight.memory_bytes <= 2**30
    assert tight.spool_bytes > (branches + 1 + stored) * triangle
    for plan in (ample, tight):
        assert plan.forward_passes == pytest.approx(1, abs=0.01)


def test_where_neither_memory_nor_disk_hold_products_the_plan_says_what_disk_they_need(toy: Any) -> None:
    with pytest.raises(InputError, match=r"20,000 stimuli need 1\d\.\d GiB of disk.*1\.0 MiB may be used.*--spool"):
        plan_toy(toy.ToyModel(), 20_000, Budget(2**31, 2**20))


def test_a_device_holds_sums_and_layers_and_none_of_what_is_stored(toy: Any) -> None:
    model, n = toy.ToyModel(), 20_000
    targets = tuple(Target(layer) for layer in model.layers)
    features = {target.key: target.layer.n_features for target in targets}
    budget = Budget(5 * 8 * n**2, 2**40)
    with pytest.raises(InputError):
        plan_stream(model.graph, targets, features, n, 256, dataclasses.replace(budget, in_tiles=False))
    on_device = dataclasses.replace(budget, on_device=True, in_tiles=False)
    plan = plan_stream(model.graph, targets, features, n, 256, on_device, pixel_bytes=2**40)
    assert 2.5 * 8 * n**2 < plan.memory_bytes <= budget.memory
    assert (plan.concurrency.n_workers, plan.concurrency.n_products <= 2) == (1, True)


def test_where_memory_is_short_fewer_products_are_in_flight_before_a_layer_is_refused(toy: Any) -> None:
    n = 2_000
    ample = plan_toy(toy.ToyModel(), n, Budget(2**36, 0), n_cores=16)
    tight = plan_toy(toy.ToyModel(), n, Budget(18 * 8 * n**2, 0), n_cores=16)
    assert (ample.concurrency.n_workers, ample.concurrency.n_products) == (16, 32)
    assert 1 <= tight.concurrency.n_products < 8
    assert tight.memory_bytes <= 18 * 8 * n**2


def test_a_budget_that_holds_not_even_one_layer_is_refused_with_what_is_needed_and_what_to_do(toy: Any) -> None:
    with pytest.raises(InputError) as refused:
        plan_toy(toy.ToyModel(), 5_000, Budget(75 * MIB, 2**40))
    message = str(refused.value)
    assert message.startswith("5000 stimuli in batches of 16 need ")
    assert "75 MiB may be used: allow more (--memory), or take fewer stimuli (--limit)" in message
    assert "\n" not in message
    needed = int(re.search(r"need (\d+) MiB", message)[1])  # type: ignore[index]
    assert plan_toy(toy.ToyModel(), 5_000, Budget(needed * MIB, 2**40)).memory_bytes <= needed * MIB
    with pytest.raises(InputError):
        plan_toy(toy.ToyModel(), 5_000, Budget((needed - 1) * MIB, 2**40))


def test_where_batches_are_what_does_not_fit_smaller_ones_are_recommended(toy: Any) -> None:
    with pytest.raises(InputError, match=r"smaller batches \(--batch-size\)"):
        plan_toy(toy.ToyModel(), 20, Budget(2**20, 0), batch_size=1000)


def test_decoded_stimuli_are_part_of_what_is_held(toy: Any) -> None:
    model = toy.ToyModel()
    target = Target(model.layers[0])
    sizes = [
        plan_stream(
            model.graph, [target], {target.key: 432}, 20, 4, Budget(2**30, 0), pixel_bytes=n_bytes
        ).memory_bytes
        for n_bytes in (0, 1000)
    ]
    assert sizes[1] - sizes[0] == 1000


class Dropping:
    """A sink that keeps nothing."""

    def layer_finished(self, streamed: Any) -> None:
        pass

    def advance(self, n_stimuli: int, what: str) -> None:
        pass


def test_streaming_never_holds_a_matrix_for_every_layer(toy: Any) -> None:
    n, model = 1_000, toy.ToyModel()
    plan = plan_toy(model, n, Budget(2**30, 0), n_cores=1)
    job = StreamJob(model, toy.make_stimuli(n), tuple(Target(layer) for layer in model.layers), plan)
    layers = max(segment.memory_bytes for segment in plan.segments)
    check_arrays(HostArrays())  # so that what the compiled pass is loaded with is there already
    tracemalloc.start()
    try:
        stream_segments(job, Dropping())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    in_work = plan.concurrency.n_products + plan.concurrency.n_workers / 2  # in float64, and of blocks in float32
    matrices = memory.count_matrices(plan.streamed, plan.derived) + in_work
    assert peak < layers + (matrices + 1) * 8 * n**2 + 8 * MIB


class Plugin:
    def __init__(self, loader: GivenLoader) -> None:
        self.loader = loader

    @hookspecs.hookimpl
    def register_model_loaders(self) -> list[GivenLoader]:
        return [self.loader]


@pytest.mark.parametrize("spare", [0, 64])
def test_a_run_holds_no_more_than_its_plan_predicted(toy: Any, tmp_path: Path, spare: int) -> None:
    n = 400
    np.savez(tmp_path / "noise.npz", images=toy.make_stimuli(n).read(0, n))
    registry = load_plugins()
    registry.register(Plugin(GivenLoader(toy.ToyModel())), "toys", "toys", "1.0")
    request = RunRequest("toy", str(tmp_path / "noise.npz"), layers=("main", "branches"), spool=2**30)
    with open_store(f"sqlite:///{tmp_path}/warm.db") as store:  # imports would count
        execute_run(
            prepare_run(dataclasses.replace(request, limit=12), registry, SilentObserver()), store, SilentObserver()
        )
    with pytest.raises(InputError) as refused:
        prepare_run(dataclasses.replace(request, memory=1), registry, SilentObserver())
    budget = (int(re.search(r"need (\d+) MiB", str(refused.value))[1]) + spare) * MIB  # type: ignore[index]
    tracemalloc.start()
    try:
        prepared = prepare_run(dataclasses.replace(request, memory=budget), registry, SilentObserver())
        tracemalloc.reset_peak()
        with open_store(f"sqlite:///{tmp_path}/history.db") as store, single_threaded_blas():
            execute_run(prepared, store, SilentObserver())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= prepared.plan.memory_bytes <= budget


def test_a_run_of_many_stimuli_holds_no_more_than_predicted_and_stores_what_an_ample_one_does(
    toy: Any, tmp_path: Path
) -> None:
    n = 2_100
    np.savez(tmp_path / "noise.npz", images=toy.make_stimuli(n).read(0, n))
    registry = load_plugins()
    registry.register(Plugin(GivenLoader(toy.ToyModel())), "toys", "toys", "1.0")
    request = RunRequest("toy", str(tmp_path / "noise.npz"), layers=("conv", "block/c", "output"), spool=2**40)
    with open_store(f"sqlite:///{tmp_path}/ample.db") as store:  # imports would count
        prepared = prepare_run(dataclasses.replace(request, memory=2**33), registry, SilentObserver())
        assert not prepared.plan.products_spooled
        execute_run(prepared, store, SilentObserver())
    with pytest.raises(InputError) as refused:
        prepare_run(dataclasses.replace(request, memory=1), registry, SilentObserver())
    budget = int(re.search(r"need (\d+) MiB", str(refused.value))[1]) * MIB  # type: ignore[index]
    tracemalloc.start()
    try:
        prepared = prepare_run(dataclasses.replace(request, memory=budget), registry, SilentObserver())
        tracemalloc.reset_peak()
        with open_store(f"sqlite:///{tmp_path}/history.db") as store, single_threaded_blas():
            execute_run(prepared, store, SilentObserver())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert prepared.plan.products_spooled
    assert prepared.plan.spool_bytes > 3 * memory.triangle_bytes(n)
    assert peak <= prepared.plan.memory_bytes <= budget
    with (
        open_store(f"sqlite:///{tmp_path}/ample.db") as ample,
        open_store(f"sqlite:///{tmp_path}/history.db") as small,
    ):
        assert small.verify() == []
        both = [_read_all(store) for store in (ample, small)]
    for (layer, statistics), (other, others) in zip(*both, strict=True):
        np.testing.assert_array_equal(layer.entries, other.entries)
        assert statistics == others
        assert statistics["participation-ratio"] == pytest.approx(_participation_ratio(layer), rel=1e-6)
        assert statistics["effective-rank"] is None


def _read_all(store: Any) -> list[tuple[Any, dict[str, float | None]]]:
    run = store.find_run("latest")
    found = store.read_statistics(run.id)
    return [
        (
            store.read_representation(LayerAddress(run.id, layer.name)),
            {item.result.name: item.result.value for item in found if item.layer == layer.name},
        )
        for layer in store.list_layers(run.id)
    ]


def _participation_ratio(layer: Any) -> float:
    gram = layer.column_centred_gram()
    return float(np.trace(gram) ** 2 / (gram**2).sum())


@pytest.mark.parametrize("many", [False, True], ids=["few stimuli", "many stimuli"])
def test_every_builtin_statistic_gets_by_with_what_a_plan_allows_for(*, many: bool) -> None:
    n = 600
    rows = np.random.default_rng(0).normal(size=(n, 300)).astype(np.float32)
    summary, representation = summarize(rows), represent(rows)
    counted = count_storing(sink.MOST_STIMULI + 1 if many else n)
    allowed = (counted - 1.5) * 8 * n**2  # beside the layer's products and its entries in float32
    tracemalloc.start()
    try:
        for statistic in load_plugins().all(kinds.Statistic):
            subjects: tuple[Any, ...] = (summary, representation)
            if isinstance(statistic.offer, kinds.RepresentationStatistic):
                if many and statistic.offer.cubic:
                    continue
                subjects = (dataclasses.replace(representation),)  # whose spectrum is not known yet
            elif not isinstance(statistic.offer, kinds.JointStatistic):
                continue
            before = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            statistic.offer.compute(*subjects)
            assert tracemalloc.get_traced_memory()[1] - before <= allowed, statistic.name
    finally:
        tracemalloc.stop()
