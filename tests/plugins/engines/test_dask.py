"""The Dask engine gives the bits of the local one, whoever computes and whatever dies meanwhile."""

from __future__ import annotations

import errno
import os
import pickle
import signal
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerwise import testing
from layerwise.core.base.errors import InputError, LayerwiseError, PluginError
from layerwise.core.host.jobs import StreamedLayer, StreamJob
from layerwise.core.host.plans import Span, StreamPlan
from layerwise.core.network.summary import LayerSummary
from layerwise.core.runs.streaming.stream import stream_segments
from layerwise.plugins.engines.dask import DaskEngine
from layerwise.plugins.engines.shared import make_place
from layerwise.testing import RecordingSink, load_digits, make_job

pytest.importorskip("distributed")
zarr = pytest.importorskip("zarr")

JobMaker = Callable[..., StreamJob]


class ActingSink(RecordingSink):
    """Does something once, at the first news of progress."""

    def __init__(self, act: Callable[[], None]) -> None:
        super().__init__()
        self.act: Callable[[], None] | None = act

    def advance(self, n_stimuli: int, what: str) -> None:
        super().advance(n_stimuli, what)
        act, self.act = self.act, None
        if act is not None:
            act()


def expect_same_bits(found: list[StreamedLayer], expected: list[StreamedLayer]) -> None:
    assert [layer.target.key for layer in found] == [layer.target.key for layer in expected]
    for one, other in zip(found, expected, strict=True):
        for name in ("centred", "mean", "norm"):
            assert np.array_equal(getattr(one.products, name), getattr(other.products, name)), (one.target.key, name)
        assert one.products.resolution == other.products.resolution
        for field in fields(LayerSummary):
            first, second = getattr(one.summary, field.name), getattr(other.summary, field.name)
            assert np.array_equal(first, second, equal_nan=True), (one.target.key, field.name)
        assert (one.activations is None) == (other.activations is None)
        assert one.activations is None or np.array_equal(one.activations, other.activations)


def stream_locally(job: StreamJob) -> list[StreamedLayer]:
    sink = RecordingSink()
    stream_segments(job, sink)
    return sink.layers


def engine_of(cluster: Any, shared: Path) -> DaskEngine:
    return DaskEngine().configured(scheduler=cluster.scheduler_address, shared=str(shared))


def test_workers_in_other_processes_give_the_bits_of_the_local_engine(
    cluster: Any, make_file_job: JobMaker, tmp_path: Path
) -> None:
    job, sink, shared = make_file_job(), RecordingSink(), tmp_path / "shared"
    engine_of(cluster, shared).stream(job, sink)
    expect_same_bits(sink.layers, stream_locally(job))
    assert sink.n_advanced == job.plan.n_stimulus_passes
    assert len(sink.threads) == 1
    assert not list(shared.iterdir())


def test_several_segments_passes_and_chunks_give_the_same_bits(
    cluster: Any, make_file_job: JobMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("layerwise.core.runs.streaming.planner.chunk_width", lambda n: 64)
    job = make_file_job(n_stimuli=23)
    job = replace(job, plan=cut_at_pool(job.plan))
    assert any(len(segment.passes) > 2 for segment in job.plan.segments)
    sink = RecordingSink()
    engine_of(cluster, tmp_path / "shared").stream(job, sink)
    expect_same_bits(sink.layers, stream_locally(job))
    assert sink.n_advanced == job.plan.n_stimulus_passes


def cut_at_pool(plan: StreamPlan) -> StreamPlan:
    """The toy network in two segments, a pass for each span, as a large network has them where memory is short."""
    (whole,) = plan.segments
    spans = [part for spans in whole.passes for span in spans for part in halve(span)]
    passes = [(span,) for span in spans]
    n_first = sum(spans[0].target.layer.name in ("input", "conv", "pool") for spans in passes)
    first = replace(whole, end="pool", passes=tuple(passes[:n_first]))
    second = replace(whole, parent=0, start="pool", passes=tuple(passes[n_first:]))
    return replace(plan, segments=(first, second))


def halve(span: Span) -> list[Span]:
    """A target whose chunks are split between two passes."""
    middle = (span.first + span.last) // 2
    halves = [replace(span, last=middle), replace(span, first=middle)]
    return [half for half in halves if half.first < half.last]


def test_a_worker_that_is_killed_in_the_middle_changes_no_bit(
    cluster: Any, make_file_job: JobMaker, tmp_path: Path
) -> None:
    def kill() -> None:
        os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)

    job, sink = make_file_job(), ActingSink(kill)
    engine_of(cluster, tmp_path / "shared").stream(job, sink)
    assert sink.act is None
    expect_same_bits(sink.layers, stream_locally(job))
    assert sink.n_advanced == job.plan.n_stimulus_passes


def test_a_live_model_is_streamed_by_threads_of_this_process() -> None:
    job, sink = make_job(load_digits(20)), RecordingSink()
    DaskEngine().configured(workers=2).stream(job, sink)
    expect_same_bits(sink.layers, stream_locally(job))


def test_the_engine_passes_the_check_of_engines() -> None:
    testing.check_engine(DaskEngine().configured(workers=2))


def test_a_live_model_cannot_go_to_a_scheduler(cluster: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="lives in this process"):
        engine_of(cluster, tmp_path).stream(make_job(load_digits(20)), RecordingSink())
    assert not list(tmp_path.glob("layerwise-*"))


def test_a_model_that_has_changed_before_a_worker_loads_it_is_refused(
    cluster: Any, make_file_job: JobMaker, model_file: Path, tmp_path: Path
) -> None:
    job = make_file_job()
    model_file.write_bytes(b"second")
    with pytest.raises(LayerwiseError, match=r"worker tcp://.* finds another model .* has changed"):
        engine_of(cluster, tmp_path / "shared").stream(job, RecordingSink())
    assert not list((tmp_path / "shared").iterdir())


def test_what_a_sink_raises_comes_out_and_the_shared_place_is_left_empty(
    cluster: Any, make_file_job: JobMaker, tmp_path: Path
) -> None:
    with pytest.raises(LayerwiseError, match="the disk is full"):
        engine_of(cluster, tmp_path / "shared").stream(
            make_file_job(), RecordingSink(LayerwiseError("the disk is full"))
        )
    assert not list((tmp_path / "shared").iterdir())


def test_a_shared_place_without_permission_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    engine = DaskEngine().configured(shared=str(tmp_path / "file" / "folder"))
    with pytest.raises(InputError, match=r"cannot write to the shared place .*file.*: ") as caught:
        engine.check_ready()
    assert "\n" not in str(caught.value)


def test_a_scheduler_that_does_not_answer_is_one_clear_line() -> None:
    with pytest.raises(InputError, match=r"no Dask scheduler answers at tcp://127.0.0.1:9: ") as caught:
        DaskEngine().configured(scheduler="tcp://127.0.0.1:9").check_ready()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["nonsense", "ftp://127.0.0.1:1", "tcp://nowhere.invalid:8786", "tcp://127.0.0.1"]
)
def test_an_address_that_is_none_is_one_clear_line(address: str) -> None:
    with pytest.raises(InputError, match="no Dask scheduler answers at") as caught:
        DaskEngine().configured(scheduler=address).check_ready()
    assert "\n" not in str(caught.value)


def test_without_dask_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("layerwise.plugins.engines.cluster.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'layerwise\[dask\]'"):
        DaskEngine().check_ready()


def test_a_shared_place_that_is_full_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*given: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("layerwise.plugins.engines.block_files.write", fail)
    engine = DaskEngine().configured(workers=2, shared=str(tmp_path))
    with pytest.raises(LayerwiseError, match=r"No space left on device; make room, or name another place") as caught:
        engine.stream(make_job(load_digits(20)), RecordingSink())
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_place_that_is_an_object_store_gives_the_same_bits() -> None:
    job, sink = make_job(load_digits(20)), RecordingSink()
    DaskEngine().configured(workers=2, shared="memory://bucket").stream(job, sink)
    expect_same_bits(sink.layers, stream_locally(job))


@pytest.mark.parametrize("start", [0, 3, 8])
def test_a_block_in_a_folder_is_what_zarr_reads_and_writes(tmp_path: Path, start: int) -> None:
    place = make_place(str(tmp_path))
    values = np.random.default_rng(0).normal(size=(10, 3, 2)).astype(np.float32)
    place.make_array("made", values.shape, (4, 3, 2))
    for first in range(0, 10, 4):
        place.write_block("made", first, values[first : first + 4])
    by_zarr = zarr.open_array(Path(place.url) / "made", mode="r+")
    assert np.array_equal(by_zarr[:], values)
    by_zarr[:] = 2 * values
    assert np.array_equal(place.read("made", slice(start, 10)), 2 * values[start:])
    place.remove()
    assert not list(tmp_path.iterdir())


def test_errors_travel_between_processes_as_they_are() -> None:
    for error in (
        LayerwiseError("what", ["one", "two"]),
        InputError("what"),
        PluginError("mine", "metrics", "a list", "an array"),
    ):
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert vars(again) == vars(error)
