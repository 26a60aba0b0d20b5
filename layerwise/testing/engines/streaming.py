"""Does an engine compute every layer of a job, as the one that is built in does?"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from layerwise.core.base.errors import LayerwiseError
from layerwise.core.host.jobs import StreamedLayer, StreamJob
from layerwise.core.host.kinds import Engine, Statistic, StatisticValue, StreamedStatistic, Transform, UnitTransform
from layerwise.core.host.plans import Budget, Target
from layerwise.core.host.registry import Registered, Registry
from layerwise.core.network.model import Floats
from layerwise.core.network.pixels import ArrayReader
from layerwise.core.network.products import Products
from layerwise.core.network.stimuli import LoadedStimuli
from layerwise.core.runs.streaming.planner import plan_stream
from layerwise.core.runs.streaming.stream import stream_segments
from layerwise.testing.expecting import ask, expect, expect_named, is_same
from layerwise.testing.histories import make_plugin
from layerwise.testing.toy import ToyModel, load_digits

ROOMY = Budget(memory=2**28, spool=2**28)


def check_engine(engine: Engine, n_stimuli: int = 24, tolerance: float = 1e-5) -> None:
    """Check that an engine hands over every layer once, with the numbers that the local engine gives.

    In batches of several sizes, with two stimuli, with stimuli that are all the same; under transforms, with a
    streamed statistic and kept activations. Progress must add up, the sink be called from one thread, what it raises
    come out, and activations that are not finite be refused.

    Args:
        engine: The engine.
        n_stimuli: How many digits the toy network is shown.
        tolerance: Relative to the largest number of a layer.

    Raises:
        AssertionError: If it is not so; says what.
    """
    expect_named(engine, Engine)
    stimuli = load_digits(n_stimuli)
    flat = replace(stimuli, pixels=ArrayReader(np.full_like(stimuli.read(0, n_stimuli), 128)))
    _check_job(engine, make_job(stimuli), "in batches of seven", tolerance)
    _check_job(engine, make_job(stimuli, batch_size=64), "in one batch", tolerance)
    _check_job(engine, make_job(load_digits(2), batch_size=1), "with two stimuli", tolerance)
    _check_job(engine, make_job(flat), "with stimuli that are all the same", tolerance)
    _check_failing_sink(engine, make_job(stimuli))
    _check_not_finite(engine, stimuli)


class RecordingSink:
    """A `LayerSink` that keeps what it is handed.

    Attributes:
        layers: What has been finished, in order.
        n_advanced: Stimulus passes that were reported.
        threads: Identifiers of the threads that called.
    """

    def __init__(self, failure: Exception | None = None) -> None:
        self.layers: list[StreamedLayer] = []
        self.n_advanced = 0
        self.threads: set[int] = set()
        self._failure = failure

    def layer_finished(self, streamed: StreamedLayer) -> None:
        """Keep it, or fail where the sink is made to."""
        self.threads.add(threading.get_ident())
        if self._failure is not None:
            raise self._failure
        self.layers.append(streamed)

    def advance(self, n_stimuli: int, what: str) -> None:
        """Count."""
        del what
        self.threads.add(threading.get_ident())
        self.n_advanced += n_stimuli


class _ChannelMean(Transform):
    name = "checked-mean"
    description = "mean over positions, for checks"
    additive = True

    def apply(self, activations: Floats) -> Floats:
        axes = tuple(range(1, activations.ndim - 1))
        return activations.mean(axis=axes).astype(np.float32) if axes else activations


class _CentredUnits(UnitTransform):
    name = "checked-centred"
    description = "units without their mean over stimuli, for checks"

    def apply_units(self, units: Floats) -> Floats:
        centred: Floats = units - units.mean(axis=0)
        return centred


@dataclass
class _Total:
    value: float = 0.0
    entered: threading.Lock = field(default_factory=threading.Lock)


class _TotalStatistic(StreamedStatistic):
    name = "checked-total"
    description = "sum of all activations, for checks"

    def start(self, n_stimuli: int, n_features: int) -> _Total:
        del n_stimuli, n_features
        return _Total()

    def update(self, state: _Total, activations: Floats, stimuli: slice, units: slice) -> None:
        del stimuli, units
        if not state.entered.acquire(blocking=False):
            raise RuntimeError("two threads update one state of a streamed statistic at once")
        try:
            state.value += float(activations.sum(dtype=np.float64))
        finally:
            state.entered.release()

    def finish(self, state: _Total) -> StatisticValue:
        return StatisticValue(state.value)


def make_job(stimuli: LoadedStimuli, batch_size: int = 7, model: ToyModel | None = None) -> StreamJob:
    """All layers of the toy network, plain, averaged over positions, and centred, with a streamed statistic."""
    model = model or ToyModel()
    registry = Registry()
    plugin = make_plugin(_ChannelMean(), _CentredUnits(), _TotalStatistic())
    registry.register(plugin, "checked", "checked", "0")
    mean, centred = (registry.get(Transform, transform.name) for transform in (_ChannelMean, _CentredUnits))
    statistics = tuple(cast("Registered[StreamedStatistic]", found) for found in registry.all(Statistic))
    targets = tuple(Target(layer, transform) for layer in model.layers for transform in (None, mean, centred))
    features = {
        target.key: target.layer.shape[-1] if target.transform is mean else target.layer.n_features
        for target in targets
    }
    plan = plan_stream(model.graph, targets, features, stimuli.n_stimuli, batch_size, ROOMY)
    return StreamJob(
        model=model, stimuli=stimuli, targets=targets, plan=plan, statistics=statistics, keep=frozenset({"output"})
    )


def _check_job(engine: Engine, job: StreamJob, what: str, tolerance: float) -> None:
    expected, sink = RecordingSink(), RecordingSink()
    pixels = job.stimuli.read(0, job.stimuli.n_stimuli).copy()
    stream_segments(job, expected)
    ask(engine, f"when it streams {what}", lambda: engine.stream(job, sink))
    expect(
        is_same(pixels, job.stimuli.read(0, len(pixels))),
        engine,
        "changes the stimuli's pixels, expected them as they were",
    )
    keys = [streamed.target.key for streamed in sink.layers]
    wanted = [target.key for target in job.targets]
    missing, twice = set(wanted) - set(keys), {key for key in keys if keys.count(key) > 1}
    expect(not missing, engine, f"leaves out {sorted(missing)} {what}, expected every target of the job")
    expect(not twice, engine, f"hands over {sorted(twice)} more than once {what}")
    expect(set(keys) <= set(wanted), engine, f"hands over what is no target of the job {what}")
    done, total = sink.n_advanced, job.plan.n_stimulus_passes
    expect(done == total, engine, f"reports {done} stimulus passes {what}, expected the plan's {total}")
    expect(len(sink.threads) == 1, engine, f"calls the sink from {len(sink.threads)} threads {what}, expected one")
    local = {streamed.target.key: streamed for streamed in expected.layers}
    for streamed in sink.layers:
        _compare(engine, local[streamed.target.key], streamed, what, tolerance)


def _compare(engine: Engine, expected: StreamedLayer, found: StreamedLayer, what: str, tolerance: float) -> None:
    name = f"layer '{found.target.layer.name}' (transform {found.target.transform_name}) {what}"
    wanted, came_instead = (cast("Products", layer.products) for layer in (expected, found))  # of few stimuli: whole
    pairs = {
        "centred products": (wanted.centred, came_instead.centred),
        "norms": (expected.products.norm, found.products.norm),
        "means": (expected.products.mean, found.products.mean),
        "sums of squares": (expected.summary.power2, found.summary.power2),
        "counts of zeros": (expected.summary.n_zeros, found.summary.n_zeros),
    }
    for quantity, (first, second) in pairs.items():
        scale = max(float(np.abs(first).max(initial=0)), 1e-12)
        near = first.shape == second.shape and float(np.abs(first - second).max(initial=0)) <= tolerance * scale
        expect(near, engine, f"gives other {quantity} than the local engine for {name}")
    names = [statistic.name for statistic, _ in expected.streamed]
    came = [statistic.name for statistic, _ in found.streamed]
    expect(came == names, engine, f"gives the streamed statistics {came} for {name}, expected {names}")
    for (_, first_value), (_, second_value) in zip(expected.streamed, found.streamed, strict=True):
        near = bool(np.isclose(first_value.value or 0, second_value.value or 0, rtol=1e-3, atol=1e-3))
        expect(
            near,
            engine,
            f"gives {second_value.value} as a streamed statistic of {name}, expected {first_value.value}",
        )
    kept = expected.activations is None or (
        found.activations is not None and np.allclose(expected.activations, found.activations, atol=1e-5)
    )
    expect(kept, engine, f"does not hand over the activations of {name}, which the job says to keep")


def _check_failing_sink(engine: Engine, job: StreamJob) -> None:
    failure = LayerwiseError("the disk is full")
    try:
        engine.stream(job, RecordingSink(failure))
    except LayerwiseError as error:
        expect(str(error) == str(failure), engine, f"raises '{error}' where the sink raised '{failure}'")
        return
    expect(False, engine, f"goes on although the sink raised '{failure}', expected that it comes out")


def _check_not_finite(engine: Engine, stimuli: LoadedStimuli) -> None:
    class Spoilt(ToyModel):
        def preprocess(self, pixels: NDArray[np.generic]) -> Floats:
            tensor = super().preprocess(pixels)
            tensor[0, 0, 0] = np.nan
            return tensor

    try:
        ask(
            engine,
            "for activations that are NaN",
            lambda: engine.stream(make_job(stimuli, model=Spoilt()), RecordingSink()),
        )
    except LayerwiseError:
        return
    expect(False, engine, "takes activations that are not finite, expected a LayerwiseError")
