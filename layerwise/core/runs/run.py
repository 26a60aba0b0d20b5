"""The way of one run: prepared (`prepared.py`); then streamed, boiled down, and stored layer by layer.

`execute_run` claims the analysis in the store, which answers what it already has, and computes the rest. What is
stored already can be found before anything is prepared (`lookup`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

from layerwise.core.base.errors import LayerwiseError
from layerwise.core.history.protocols import Archive, LayerStore
from layerwise.core.history.records import Claim
from layerwise.core.host import kinds
from layerwise.core.host.jobs import ModelRecipe, StreamJob
from layerwise.core.host.registry import Registered, Registry
from layerwise.core.network.layers import Layer
from layerwise.core.runs.costing.metering import Meter
from layerwise.core.runs.costing.predicting import Prediction, predict, predict_from_history, settle
from layerwise.core.runs.describing import describe_run, find_circumstances
from layerwise.core.runs.holding import holding
from layerwise.core.runs.lookup import answer, describe_extended, digest_request, find_answer
from layerwise.core.runs.planning import let_go, plan_targets
from layerwise.core.runs.predictions import count_bytes, keeps_outputs, keeps_probabilities
from layerwise.core.runs.prepared import PreparedRun, prepare_run, timed
from layerwise.core.runs.request import Observer, RunOutcome, RunRequest
from layerwise.core.runs.resolve import (
    load_request,
)
from layerwise.core.runs.sink import StoringSink
from layerwise.core.runs.streaming.stream import needed_targets


def find_or_run(
    request: RunRequest,
    registry: Registry,
    open_history: Callable[[bool], AbstractContextManager[Archive | None]],
    observer: Observer,
) -> RunOutcome:
    """Find the run that answered a request, or prepare and execute it.

    Args:
        request: What is asked for.
        registry: What plugins offer.
        open_history: Opens the history; where there is none, makes it if it is told True, and gives None otherwise.
            It is made once there is something to put into it: a request that makes no sense leaves none behind.
        observer: Told what is being done.

    Raises:
        InputError: If anything is not as it must be; nothing has been stored then.
        LayerwiseError: If the work failed; what was finished is kept, and the same request goes on from there.
    """
    digest = digest_request(request, registry)
    with open_history(False) as store:
        known = None if store is None else find_answer(digest, request, registry, store, observer.message)
    if known is not None:
        return known
    prepared = prepare_run(request, registry, observer, digest)
    with open_history(True) as store:
        assert store is not None
        return execute_run(prepared, store, observer)


def execute_run(prepared: PreparedRun, store: Archive, observer: Observer) -> RunOutcome:
    """Answer from the store, or compute and store what is missing.

    What is answered gets the statistics of representations that have come since, from a plugin for instance. Stimuli
    that were spooled for it are gone afterwards: a prepared run is carried out once.

    Raises:
        LayerwiseError: If the work failed; what was finished is kept, and the same request goes on from there.
    """
    try:
        return execute_open(prepared, store, observer)
    finally:
        let_go(prepared.request, prepared.stimuli)


def execute_open(prepared: PreparedRun, store: Archive, observer: Observer) -> RunOutcome:
    """The same, and the stimuli stay open: others are computed on them."""
    header = describe_run(prepared)
    claim = store.begin_run(header, force=prepared.request.force)
    if claim.finished:
        _remember(prepared, store, claim.run_id)
        registry = prepared.registry if prepared.is_measured else None
        return answer(claim.run_id, registry, store, observer.message)
    if claim.resumed and claim.done:
        observer.message(f"going on with run {claim.run_id}: {len(claim.done)} layers are stored already")
    elif extended := describe_extended(store, header):
        observer.message(extended)
    with _counting(prepared, store, claim, observer), holding(store, claim, partial(_fail, store, claim)):
        meter, before = Meter(), store.count_bytes()
        with meter.running():
            job = make_job(prepared, claim.done)
            prediction = _predict(prepared, job, store, observer, meter)
            sink = compute_layers(prepared, job, store, observer, claim, meter)
        after = store.count_bytes()
        grown = None if before is None or after is None else after - before
        is_local = prepared.engine.offer.is_local
        store.finish_run(claim, prepared.seconds, settle(prediction, meter, job, grown, is_local=is_local))
    _remember(prepared, store, claim.run_id)
    record = store.find_run(claim.run_id)
    return RunOutcome(
        run_id=claim.run_id,
        status="finished",
        n_stimuli=prepared.stimuli.n_stimuli,
        layers=tuple(layer.name for layer in prepared.layers),
        seconds=dict(record.timings),
        accuracy=record.accuracy,
        weights=record.model.source,
        resumed=claim.resumed,
        constant=sink.constant,
    )


def _remember(prepared: PreparedRun, store: Archive, run_id: str) -> None:
    if prepared.digest is not None:
        store.remember_request(prepared.digest, run_id)


def _predict(prepared: PreparedRun, job: StreamJob, store: Archive, observer: Observer, meter: Meter) -> Prediction:
    """What the run will cost; a network that runs elsewhere is not tried out here."""
    now = find_circumstances(prepared)
    if not prepared.engine.offer.is_local:
        return predict_from_history(job.plan, now, store)
    statistics: Sequence[Registered[Any]] = prepared.registry.all(kinds.Statistic)
    with timed(prepared.seconds, "trial"):
        prediction = predict(job, now, store, statistics, meter)
    if prediction.costs.seconds is not None:
        observer.stage(f"computing, in about {prediction.costs.seconds:.1f} s ({prediction.basis})")
    return prediction


def compute_layers(
    prepared: PreparedRun, job: StreamJob, store: LayerStore, observer: Observer, claim: Claim, meter: Meter
) -> StoringSink:
    """Stream what is not stored yet of a claimed run, and write layers, weights and predictions."""
    statistics = _list_statistics(prepared)
    _tell_outputs(prepared, observer)
    subject = prepared.model.info, prepared.stimuli, prepared.request.outputs, prepared.request.landmarks
    with StoringSink(claim, store, observer, statistics, *subject) as sink:
        sink.measure_weights(prepared.model)
        observer.begin(job.plan.n_stimulus_passes)
        with timed(prepared.seconds, "stream"):
            prepared.engine.call(prepared.engine.offer.stream, job, meter.watch(sink))
        sink.check_complete(prepared.engine, job)
        observer.stage("storing")
        with timed(prepared.seconds, "store"):
            sink.flush()
    return sink


def make_job(prepared: PreparedRun, done: frozenset[tuple[str, str]]) -> StreamJob:
    """What the engine of a run is handed; `done` are the keys of targets that are stored already."""
    targets = needed_targets(prepared.targets, done)
    plan = prepared.plan
    if targets != prepared.targets:
        plan = plan_targets(prepared.request, prepared.model, targets, prepared.stimuli, prepared.budget)
    streamed = tuple(s for s in _list_statistics(prepared) if isinstance(s.offer, kinds.StreamedStatistic))
    keep = {layer.name for layer in prepared.layers if _is_kept(prepared, layer)}
    return StreamJob(
        model=prepared.model,
        stimuli=prepared.stimuli,
        targets=targets,
        plan=plan,
        statistics=streamed,
        keep=frozenset(keep),
        spool_folder=prepared.request.spool_folder,
        recipe=_describe_model(prepared),
    )


def _list_statistics(prepared: PreparedRun) -> Sequence[Registered[Any]]:
    return prepared.registry.all(kinds.Statistic) if prepared.is_measured else ()


def _is_kept(prepared: PreparedRun, layer: Layer) -> bool:
    """Whether the activations of a layer are handed over whole."""
    kept = keeps_outputs(layer, prepared.stimuli.n_stimuli, prepared.request.outputs)
    return kept or keeps_probabilities(prepared.model.info, layer)


def _tell_outputs(prepared: PreparedRun, observer: Observer) -> None:
    """Say where the whole output is not kept although it was asked for."""
    n_stimuli, form = prepared.stimuli.n_stimuli, prepared.request.outputs
    for layer in prepared.layers:
        is_row = layer.role == "output" and len(layer.shape) == 1 and form != "none"
        if is_row and not keeps_outputs(layer, n_stimuli, form):
            size = f"{count_bytes(layer, n_stimuli, form) / 2**20:,.0f} MiB ({n_stimuli} x {layer.n_features})"
            observer.message(f"the output takes {size} and is not kept whole: it is too large")


def _describe_model(prepared: PreparedRun) -> ModelRecipe | None:
    """How another process comes to the model; None where it is an object of this one."""
    if not isinstance(prepared.request.model, str) or prepared.request.ablate:
        return None
    return ModelRecipe(prepared.loader.name, load_request(prepared.request), prepared.model.info.fingerprint)


@contextmanager
def _counting(prepared: PreparedRun, store: Archive, claim: Claim, observer: Observer) -> Iterator[None]:
    """Say of a run that is interrupted how much of it is stored, once it has been let go."""
    try:
        yield
    except KeyboardInterrupt:
        wanted = {layer.name for layer in prepared.layers}
        try:
            n_stored = sum(layer.name in wanted for layer in store.list_layers(claim.run_id))
        except LayerwiseError:  # a run without a layer is not kept
            n_stored = 0
        what = f"{n_stored} of {len(wanted)} layers are stored" if n_stored else "no layer is stored yet"
        observer.message(f"{what}; the same command goes on from there" if n_stored else what)
        raise


def _fail(store: Archive, claim: Claim, error: BaseException) -> None:
    store.fail_run(claim, str(error) or type(error).__name__, interrupted=not isinstance(error, Exception))
