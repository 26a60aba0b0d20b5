"""From streamed layers to stored results: statistics, predictions, and one transaction per finished layer.

Storing happens on a thread of its own, so that compressing and writing a layer costs the network no time. A layer
that waits to be written holds a matrix of all pairs of stimuli, so only few may wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import Any

from layerwise.core.base.blas import single_threaded_blas
from layerwise.core.base.errors import LayerwiseError, PluginError
from layerwise.core.history.left_out import MOST_STIMULI, leave_out
from layerwise.core.history.outputs import OutputForm
from layerwise.core.history.protocols import LayerStore
from layerwise.core.history.records import Claim, LayerResult, StatisticResult, WeightResult
from layerwise.core.host import kinds
from layerwise.core.host.jobs import StreamedLayer, StreamJob
from layerwise.core.host.registry import Registered
from layerwise.core.host.validation import check_statistic
from layerwise.core.network.layers import Layer
from layerwise.core.network.matrices.landmarks import LandmarkPairs
from layerwise.core.network.matrices.pairs import Pairs
from layerwise.core.network.model import Floats, Model, ModelInfo
from layerwise.core.network.representation import Representation, read_only
from layerwise.core.network.stimuli import LoadedStimuli
from layerwise.core.network.summary import LayerSummary
from layerwise.core.runs.predictions import (
    keeps_outputs,
    keeps_probabilities,
    make_outputs,
    measure_accuracy,
    read_probabilities,
    top_predictions,
)
from layerwise.core.runs.request import Observer

N_UNWRITTEN = 2
"""Layers at most that are handed over and not yet written: what the plan of a run's memory has to allow for."""


def count_storing(n_stimuli: int) -> float:
    """Matrices of float64 that are there while a layer is written.

    Products, entries, their upper triangle and its tiles; up to `MOST_STIMULI` four more in which LAPACK finds
    eigenvalues.
    """
    return 6.0 if n_stimuli <= MOST_STIMULI else 3.25


Statistics = Sequence[Registered[kinds.Statistic]]


class StoringSink:
    """A `LayerSink` that computes the statistics of each layer and writes it to a store.

    Attributes:
        constant: Layer name to number of stimuli with constant activations.
    """

    def __init__(
        self,
        claim: Claim,
        store: LayerStore,
        observer: Observer,
        statistics: Statistics,
        info: ModelInfo,
        stimuli: LoadedStimuli,
        outputs: OutputForm = "float32",
        landmarks: int | None = None,
    ) -> None:
        self.constant: dict[str, int] = {}
        self._claim = claim
        self._store = store
        self._observer = observer
        self._statistics = statistics
        self._info = info
        self._stimuli = stimuli
        self._outputs = outputs
        self._landmarks = landmarks
        self._told: set[str] = set()
        self._received: set[tuple[str, str]] = set()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="layerwise-store")
        self._writes: list[Future[None]] = []
        self._unwritten: deque[Future[None]] = deque()
        self._has_failed = False
        self._limits = ExitStack()

    def layer_finished(self, streamed: StreamedLayer) -> None:
        """Hand the layer to the writing thread, unless it is stored already; wait while `N_UNWRITTEN` are there."""
        self._received.add(streamed.target.key)
        for failure in streamed.failures:
            self._tell(failure)
        if streamed.target.key in self._claim.done:
            return
        if len(self._unwritten) == N_UNWRITTEN:
            self._unwritten.popleft().result()
        self._unwritten.append(self._submit(self._store_layer, streamed))

    def advance(self, n_stimuli: int, what: str) -> None:
        """Pass progress on."""
        self._observer.advance(n_stimuli, what)
        self._raise_failures()

    def measure_weights(self, model: Model) -> None:
        """Measure the weights and write their statistics, while the network goes on."""
        self._submit(self._store_weights, model)

    def check_complete(self, engine: Registered[kinds.Engine], job: StreamJob) -> None:
        """See that an engine has handed over every layer of its job.

        Raises:
            PluginError: If it has not; what it has is stored.
        """
        missing = [target.key[0] for target in job.targets if target.key not in self._received]
        if missing:
            self.flush()
            listed = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
            came = f"{engine.name}.stream returned without {len(missing)} of {len(job.targets)} layers ({listed})"
            raise PluginError(engine.plugin, engine.hook, came, "every layer of the job, handed to the sink")

    def _tell(self, failure: str) -> None:
        """Say what a plugin failed with; once, though it may be so for every layer."""
        if failure not in self._told:
            self._told.add(failure)
            self._observer.message(failure)

    def flush(self) -> None:
        """Wait until all is written; raises what a write raised."""
        for write in self._writes:
            write.result()
        self._writes.clear()

    def _submit(self, function: Callable[..., None], *arguments: Any) -> Future[None]:
        self._raise_failures()
        write = self._writer.submit(self._write, function, *arguments)
        self._writes.append(write)
        return write

    def _write(self, function: Callable[..., None], *arguments: Any) -> None:
        """Write, unless an earlier write failed: what comes after a gap would hide it."""
        if self._has_failed:
            return
        try:
            function(*arguments)
        except BaseException:
            self._has_failed = True
            raise

    def _raise_failures(self) -> None:
        finished = [write for write in self._writes if write.done()]
        self._writes = [write for write in self._writes if not write.done()]
        for write in finished:
            write.result()

    def _store_layer(self, streamed: StreamedLayer) -> None:
        target = streamed.target
        representation: Pairs = streamed.products.represent()
        if self._landmarks is not None:
            representation = LandmarkPairs(representation, self._landmarks)
        results = [_result(statistic, value) for statistic, value in streamed.streamed]
        for statistic in self._statistics:
            if isinstance(statistic.offer, kinds.ActivationStatistic):
                results.append(measure(statistic, self._tell, streamed.summary))
            elif isinstance(statistic.offer, kinds.RepresentationStatistic):
                results.append(measure_representation(statistic, self._tell, representation))
            elif isinstance(statistic.offer, kinds.JointStatistic):
                results.append(measure_joint(statistic, self._tell, streamed.summary, representation))
        if streamed.activations is not None:
            self._store_output(streamed.activations, target.layer)
        self._store.save_layer(
            self._claim, LayerResult(target.layer.name, target.transform_name, representation, tuple(results))
        )
        if representation.constant.size:
            self.constant[target.layer.name] = int(representation.constant.size)
        self._observer.layer_finished(target.layer.name)

    def _store_weights(self, model: Model) -> None:
        self._store.save_weights(self._claim, measure_weights(model, self._statistics, self._tell))

    def _store_output(self, activations: Floats, layer: Layer) -> None:
        """What the network answers, whole, and its most probable classes where it gives probabilities."""
        if keeps_outputs(layer, len(activations), self._outputs):
            self._store.save_outputs(self._claim, make_outputs(activations, layer, self._info, self._outputs))
        if keeps_probabilities(self._info, layer):
            self._store_predictions(read_probabilities(activations, layer))

    def _store_predictions(self, probabilities: Floats) -> None:
        predictions = top_predictions(probabilities, self._info)
        accuracy = measure_accuracy(probabilities, self._stimuli.labels, self._info)
        self._store.save_predictions(self._claim, predictions, accuracy)

    def __enter__(self) -> StoringSink:
        # Also for what is stored once streaming is over: other threads would give eigenvalues other last digits.
        self._limits.enter_context(single_threaded_blas())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._limits:
            self._writer.shutdown(wait=True)


def measure(statistic: Registered[Any], remark: Callable[[str], None], *subjects: object) -> StatisticResult:
    """A statistic's validated result; a plugin that fails leaves a reason in place of a number."""
    try:
        value = check_statistic(statistic, statistic.call(statistic.offer.compute, *subjects))
    except LayerwiseError as error:
        remark(str(error))
        value = kinds.StatisticValue(None, str(error))
    return _result(statistic, value)


def measure_representation(
    statistic: Registered[Any], remark: Callable[[str], None], representation: Pairs
) -> StatisticResult:
    """A statistic of a representation that is made; of many stimuli what costs n^3 or needs a matrix is left out."""
    if representation.landmarks is not None:
        return measure_by_landmarks(statistic, remark, representation.landmarks, representation)
    if representation.n_stimuli > MOST_STIMULI and not is_measured(statistic, representation):
        return leave_out(statistic.name, statistic.provider)
    return measure(statistic, remark, representation)


def is_measured(statistic: Registered[Any], layer: Pairs) -> bool:
    """Whether a run measures a statistic of a layer of many stimuli."""
    return not statistic.offer.cubic and (statistic.offer.panelled or isinstance(layer, Representation))


def measure_joint(
    statistic: Registered[Any], remark: Callable[[str], None], summary: LayerSummary, representation: Pairs
) -> StatisticResult:
    """A statistic of both; without a number where it needs a matrix and there is none."""
    if representation.landmarks is not None:
        return measure_by_landmarks(statistic, remark, representation.landmarks, summary, representation)
    if statistic.offer.panelled or isinstance(representation, Representation):
        return measure(statistic, remark, summary, representation)
    reason = f"needs whole matrices, which a run of {representation.n_stimuli:,} stimuli does not hold"
    return _result(statistic, kinds.StatisticValue(None, reason))


def measure_by_landmarks(
    statistic: Registered[Any], remark: Callable[[str], None], n_landmarks: int, *subjects: object
) -> StatisticResult:
    """A statistic of pairs with landmarks, which says so; without a number where all pairs are needed."""
    if not (statistic.offer.panelled and statistic.offer.landmarked):
        reason = f"needs all pairs of stimuli; the run keeps those with its first {n_landmarks:,} (--landmarks)"
        return _result(statistic, kinds.StatisticValue(None, reason))
    found = measure(statistic, remark, *subjects)
    if found.value is None:
        return found
    basis = f"from pairs with {n_landmarks:,} landmarks"
    return replace(found, reason=f"{basis}; {found.reason}" if found.reason else basis)


def measure_weights(model: Model, statistics: Statistics, remark: Callable[[str], None]) -> list[WeightResult]:
    """All weight statistics of a model."""
    chosen = [statistic for statistic in statistics if isinstance(statistic.offer, kinds.WeightStatistic)]
    found = []
    for position, tensor in enumerate(model.weights()):
        values = read_only(tensor.values)  # the same for all of them: what they share is computed once
        results = tuple(measure(statistic, remark, values) for statistic in chosen)
        found.append(WeightResult(tensor.name, tensor.layer, tensor.values.shape, position, results))
    return found


def _result(statistic: Registered[Any], value: kinds.StatisticValue) -> StatisticResult:
    return StatisticResult(statistic.name, statistic.provider, value.value, value.reason, value.vector)
