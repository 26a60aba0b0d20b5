"""Where tensors are on a device: the same numbers, with less held where its memory runs out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from layerwise.core.base.errors import LayerwiseError, PluginError
from layerwise.core.host.jobs import StreamJob
from layerwise.core.host.plans import Budget, Target
from layerwise.core.network.model import Model
from layerwise.core.network.partial import PartialSums
from layerwise.core.runs.streaming import planner
from layerwise.core.runs.streaming.host_arrays import HostArrays
from layerwise.core.runs.streaming.stream import stream_segments
from layerwise.testing.engines.streaming import RecordingSink, make_job
from layerwise.testing.toy import ToyModel, load_digits

N = 40


class OutOfDeviceMemoryError(Exception):
    """What a framework raises."""


class SmallDevice(HostArrays):
    """A device that runs out of memory at the calls that it is told to, counted from 1, or while it holds too much.

    Attributes:
        calls: Of each kind, how many there have been.
        held: Cells of the buffers that were asked for, in order.
    """

    device = "a small device"

    def __init__(self, failing: Mapping[str, Sequence[int]] = {}, most: int | None = None) -> None:
        super().__init__()
        self.most, self.failing = most, failing
        self.calls: dict[str, int] = {}
        self.held: list[int] = []
        self.n_released = 0

    def _count(self, kind: str) -> None:
        self.calls[kind] = self.calls.get(kind, 0) + 1
        if self.calls[kind] in self.failing.get(kind, ()):
            raise OutOfDeviceMemoryError(f"no memory for {kind} {self.calls[kind]}")

    def empty(self, n_cells: int) -> Any:
        self.held.append(n_cells)
        if self.most is not None and n_cells > self.most:
            raise OutOfDeviceMemoryError(f"no memory for {n_cells} numbers")
        self._count("empty")
        return super().empty(n_cells)

    def write(self, rows: Any, values: Any) -> None:
        self._count("write")
        super().write(rows, values)

    def sum_chunk(self, values: Any, *, in_double: bool) -> PartialSums:
        self._count("sum")
        return super().sum_chunk(values, in_double=in_double)

    def is_exhausted(self, error: BaseException) -> bool:
        return isinstance(error, OutOfDeviceMemoryError)

    def release(self) -> None:
        self.n_released += 1


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So small that the toy network has many, and a buffer is worth holding however small it is."""
    monkeypatch.setattr("layerwise.core.runs.streaming.planner.chunk_width", lambda n: 64)
    monkeypatch.setattr("layerwise.core.runs.streaming.arena._FEW_CELLS", 100)


def stream(arrays: SmallDevice | None, make: Callable[..., StreamJob] = make_job, **options: Any) -> RecordingSink:
    job, sink = make(load_digits(N), **options), RecordingSink()
    job.model.arrays = arrays
    stream_segments(job, sink)
    assert sink.n_advanced == job.plan.n_stimulus_passes
    return sink


def in_segments(stimuli: Any) -> StreamJob:
    """A job whose network is cut wherever it can be, the tensors between segments on the device."""
    model: Model = ToyModel()
    targets = tuple(Target(layer) for layer in model.layers)
    features = {target.key: target.layer.n_features for target in targets}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planner, "choose_cuts", lambda steps, *_: list(range(len(steps) + 1)))
        plan = planner.plan_stream(model.graph, targets, features, N, 7, Budget(2**28, 0), n_cores=1)
    assert sum(segment.end is not None and not segment.end_spooled for segment in plan.segments) > 2
    return StreamJob(model, stimuli, targets, plan)


def check_same(found: RecordingSink, expected: RecordingSink) -> None:
    assert [one.target.key for one in found.layers] == [one.target.key for one in expected.layers]
    for one, other in zip(found.layers, expected.layers, strict=True):
        np.testing.assert_array_equal(one.products.centred, other.products.centred, str(one.target.key))
        np.testing.assert_array_equal(one.summary.power4, other.summary.power4)
        assert [value.value for _, value in one.streamed] == [value.value for _, value in other.streamed]


@pytest.mark.parametrize("make", [make_job, in_segments])
@pytest.mark.parametrize(
    "failing",
    [
        {},
        {"empty": (1,)},
        {"write": (3,)},
        {"write": (3, 200)},
        {"sum": (1,)},
        {"sum": (5,)},
        {"sum": (2, 3, 7, 8, 9)},
        {"write": (40,), "sum": (4, 11)},
    ],
)
def test_a_device_that_runs_out_of_memory_gives_the_same_numbers(
    make: Callable[..., StreamJob], failing: dict[str, tuple[int, ...]]
) -> None:
    arrays = SmallDevice(failing)
    check_same(stream(arrays, make), stream(None, make))
    assert bool(arrays.n_released) == bool(failing)


def test_a_network_that_finds_no_memory_is_run_again_though_the_error_is_its_plugin_s() -> None:
    arrays, job, sink = SmallDevice(), make_job(load_digits(N)), RecordingSink()
    compiled, failures = job.model.compile, [PluginError("p", "h", "no memory"), None, PluginError("p", "h", "none")]

    def compile_failing(start: str, outputs: Sequence[str]) -> Any:
        function = compiled(start, outputs)

        def run(batch: Any) -> Any:
            failure = failures.pop() if failures else None
            if failure is not None:
                raise failure from OutOfDeviceMemoryError("none left")
            return function(batch)

        return run

    job.model.arrays = arrays
    job.model.compile = compile_failing  # type: ignore[method-assign]
    stream_segments(job, sink)
    assert arrays.n_released == 2
    assert sink.n_advanced == job.plan.n_stimulus_passes
    check_same(sink, stream(None))


def test_half_is_held_then_half_of_that_until_it_fits() -> None:
    arrays = SmallDevice(most=4_000)
    check_same(stream(arrays), stream(None))
    first = arrays.held[0]
    assert first > 8_000
    assert arrays.held[:3] == [first, first // 2, first // 4]


def test_a_device_without_memory_for_anything_says_what_to_do() -> None:
    arrays = SmallDevice({"sum": range(1, 100)})
    with pytest.raises(
        LayerwiseError, match=r"a small device has too little memory for batches of \d+ \(--batch-size\)"
    ):
        stream(arrays)


def test_other_errors_come_out_as_they_are() -> None:
    class Broken(SmallDevice):
        def sum_chunk(self, values: Any, *, in_double: bool) -> PartialSums:
            raise ZeroDivisionError("none")

    with pytest.raises(ZeroDivisionError):
        stream(Broken())
