"""A run that is computed now and stored later: for a network that is being trained, which must not wait for a disk.

What a run would write is kept in memory, one representation a layer, until a history takes it. It can be offered to
one again and again, until it is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from layerwise.core.history.outputs import Outputs
from layerwise.core.history.protocols import RunStore
from layerwise.core.history.records import (
    Accuracy,
    Claim,
    LayerResult,
    Prediction,
    RunHeader,
    WeightResult,
)
from layerwise.core.runs.costing.metering import Meter
from layerwise.core.runs.describing import describe_run
from layerwise.core.runs.holding import holding
from layerwise.core.runs.prepared import PreparedRun
from layerwise.core.runs.request import Observer
from layerwise.core.runs.run import compute_layers, make_job


@dataclass(eq=False)
class ComputedRun:
    """Everything of one run, not yet stored.

    Attributes:
        header: What is known of it before its first layer.
        layers: Its layers, in order of computation.
        weights: Statistics of its model's weights.
        predictions: The most probable classes.
        accuracy: Where labels are known.
        outputs: Whole, where they are kept.
        timings: Seconds by stage.
    """

    header: RunHeader
    layers: list[LayerResult] = field(default_factory=list)
    weights: list[WeightResult] = field(default_factory=list)
    predictions: list[Prediction] = field(default_factory=list)
    accuracy: Accuracy | None = None
    outputs: Outputs | None = None
    timings: dict[str, float] = field(default_factory=dict)


def compute_run(prepared: PreparedRun, observer: Observer) -> ComputedRun:
    """Compute a prepared run, and keep what comes in memory. Its stimuli stay open: it can be computed again.

    Raises:
        LayerwiseError: If the work failed.
    """
    computed = ComputedRun(describe_run(prepared))
    job, collector = make_job(prepared, frozenset()), _Collector(computed)
    compute_layers(prepared, job, collector, observer, Claim(run_id="", token=""), Meter())
    computed.timings.update(prepared.seconds)
    return computed


def store_run(computed: ComputedRun, store: RunStore) -> str:
    """Write a computed run to a history, all in one transaction; what is there already of it is left as it is.

    Returns:
        The id of the run.

    Raises:
        LayerwiseError: If it cannot be written; then nothing of it is, and the same call can be made again.
    """
    claim = store.begin_run(computed.header)
    if claim.finished:
        return claim.run_id
    with holding(store, claim, partial(_fail, store, claim)), store.write_together():
        store.save_weights(claim, computed.weights)
        for layer in computed.layers:
            if (layer.layer, layer.transform) not in claim.done:
                store.save_layer(claim, layer)
        if computed.outputs is not None:
            store.save_outputs(claim, computed.outputs)
        if computed.predictions:
            store.save_predictions(claim, computed.predictions, computed.accuracy)
        store.finish_run(claim, computed.timings)
    return claim.run_id


def _fail(store: RunStore, claim: Claim, error: BaseException) -> None:
    store.fail_run(claim, str(error) or type(error).__name__, interrupted=not isinstance(error, Exception))


class _Collector:
    """A `LayerStore` in memory."""

    def __init__(self, computed: ComputedRun) -> None:
        self._computed = computed

    def save_layer(self, claim: Claim, result: LayerResult) -> None:
        """Keep a layer."""
        del claim
        self._computed.layers.append(result)

    def save_weights(self, claim: Claim, weights: Sequence[WeightResult]) -> None:
        """Keep the weights' statistics."""
        del claim
        self._computed.weights[:] = weights

    def save_predictions(self, claim: Claim, predictions: Sequence[Prediction], accuracy: Accuracy | None) -> None:
        """Keep the predictions."""
        del claim
        self._computed.predictions[:] = predictions
        self._computed.accuracy = accuracy

    def save_outputs(self, claim: Claim, outputs: Outputs) -> None:
        """Keep the whole output."""
        del claim
        self._computed.outputs = outputs
