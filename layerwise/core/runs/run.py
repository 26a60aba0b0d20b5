"""The way of one run: resolve, plan; then stream, boil down, and store layer by layer.

`prepare_run` does everything up to the plan and touches no history, so that a dry run can stop there;
`execute_run` claims the analysis in the store, which answers what it already has, and computes the rest. What is
stored already can be found before either (`lookup`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.base.provider import Provider
from layerwise.core.history.protocols import Archive, LayerStore
from layerwise.core.history.records import Claim, RunHeader
from layerwise.core.history.variants import Variant
from layerwise.core.host import kinds
from layerwise.core.host.jobs import ModelRecipe, StreamJob
from layerwise.core.host.plans import Budget, StreamPlan, Target
from layerwise.core.host.registry import Registered, Registry
from layerwise.core.host.selection import select_layers
from layerwise.core.network.ablating.ablation import AblatedModel, Ablation, ablate
from layerwise.core.network.layers import Layer
from layerwise.core.network.model import Model, ModelInfo
from layerwise.core.network.stimuli import LoadedStimuli
from layerwise.core.runs.costing.metering import Meter
from layerwise.core.runs.costing.predicting import Prediction, predict, predict_from_history, settle
from layerwise.core.runs.costing.recalling import Circumstances
from layerwise.core.runs.holding import holding
from layerwise.core.runs.lookup import answer, describe_extended, digest_request, find_answer
from layerwise.core.runs.planning import let_go, plan_targets, plan_with_stimuli
from layerwise.core.runs.predictions import count_bytes, keeps_outputs, keeps_probabilities
from layerwise.core.runs.provenance import (
    collect_versions,
    describe_host,
    digest_key,
    list_decisive,
    list_plugins,
    provenance,
)
from layerwise.core.runs.request import Observer, RunOutcome, RunRequest
from layerwise.core.runs.resolve import (
    check_locations,
    choose_engine,
    choose_transforms,
    decode_subject,
    load_request,
    load_subject,
)
from layerwise.core.runs.sink import StoringSink
from layerwise.core.runs.streaming.stream import needed_targets


@dataclass(frozen=True)
class PreparedRun:
    """A run that is ready to go: everything but the streaming and the storing.

    Without `is_measured` only representations and the output are kept, and no statistics of layers and weights.
    """

    request: RunRequest
    digest: str | None
    registry: Registry
    loader: Provider
    engine: Registered[kinds.Engine]
    model: Model
    stimuli: LoadedStimuli
    layers: tuple[Layer, ...]
    targets: tuple[Target, ...]
    plan: StreamPlan
    budget: Budget
    seconds: dict[str, float]
    is_measured: bool = True


def prepare_run(
    request: RunRequest,
    registry: Registry,
    observer: Observer,
    digest: str | None = None,
    check: Callable[[Model], None] | None = None,
) -> PreparedRun:
    """Resolve the model and the stimuli, select the layers, and plan.

    Args:
        request: What is asked for.
        registry: What plugins offer.
        observer: Told what is being done.
        digest: Of the request (`lookup.digest_request`), taken before anything was loaded: under it the history
            finds the run when it is asked for again.
        check: Is handed the model before anything is decoded, and raises where something is wrong.

    Raises:
        InputError: If anything is not as it must be; nothing has been stored then.
    """
    seconds: dict[str, float] = {}
    engine = choose_engine(registry, request)
    transforms = choose_transforms(registry, request.transforms)
    if request.batch_size is not None and request.batch_size < 1:
        raise InputError(f"the batch size must be at least 1, not {request.batch_size}")
    check_locations(registry, request)
    with _timed(seconds, "load"):
        resolved = load_subject(request, registry, observer)
    model = resolved.model
    ablation = Ablation(request.ablate, request.ablate_with, request.seed)
    ablation.find(model)  # a name that means nothing is told before anything is decoded
    layers = select_layers(registry, request.layers, model.layers)
    if check is not None:
        check(model)
    targets = tuple(Target(layer, transform) for layer in layers for transform in [None, *transforms])
    with _timed(seconds, "decode"):
        stimuli, budget = decode_subject(request, registry, model, observer)
    if request.ablate:
        observer.stage("silencing layers")
        model = ablate(model, ablation, stimuli.read, stimuli.n_stimuli, stimuli.fingerprint)
    stimuli, plan = plan_with_stimuli(request, model, targets, stimuli, budget)
    observer.planned(plan)
    return PreparedRun(
        request, digest, registry, resolved.loader, engine, model, stimuli, layers, targets, plan, budget, seconds
    )


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
    with _timed(prepared.seconds, "trial"):
        prediction = predict(job, now, store, statistics, meter)
    if prediction.costs.seconds is not None:
        observer.stage(f"computing, in about {prediction.costs.seconds:.1f} s ({prediction.basis})")
    return prediction


def find_circumstances(prepared: PreparedRun) -> Circumstances:
    """What decides how fast a run goes."""
    transforms = tuple(dict.fromkeys(target.transform_name for target in prepared.targets))
    host = describe_host(prepared.model.device)
    return Circumstances(
        prepared.model.info, prepared.engine.qualified_name, prepared.plan.batch_size, transforms, host
    )


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
        with _timed(prepared.seconds, "stream"):
            prepared.engine.call(prepared.engine.offer.stream, job, meter.watch(sink))
        sink.check_complete(prepared.engine, job)
        observer.stage("storing")
        with _timed(prepared.seconds, "store"):
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


def describe_run(prepared: PreparedRun) -> RunHeader:
    """What is known of a run before its first layer."""
    request, model, stimuli = prepared.request, prepared.model, prepared.stimuli
    transforms = tuple(dict.fromkeys(target.transform_name for target in prepared.targets))
    return RunHeader(
        key=_identify(prepared),
        model=model.info,
        loader=prepared.loader,
        stimuli=stimuli,
        layers=prepared.layers,
        transforms=transforms,
        engine=prepared.engine.provider,
        batch_size=prepared.plan.batch_size,
        chunk_width=prepared.plan.chunk_width,
        command=request.command,
        checkpoint=request.checkpoint,
        step=request.step,
        lineage=request.lineage,
        tags={**request.tags, **_tag_ablation(request)},
        versions=collect_versions(model.info.versions),
        plugins=list_plugins(prepared.registry),
        host=describe_host(model.device),
        n_landmarks=request.landmarks,
        **_describe_origin(prepared),
    )


def _tag_ablation(request: RunRequest) -> dict[str, str]:
    """What was silenced, so that it can be asked for."""
    if not request.ablate:
        return {}
    return {"ablated": ", ".join(request.ablate), "ablated-with": request.ablate_with}


def _describe_origin(prepared: PreparedRun) -> dict[str, Any]:
    """Where the numbers come from, and of an ablated model what it differs from and how."""
    if not isinstance(prepared.model, AblatedModel):
        return {}
    return {"origin": "ablated", "variant": describe_variant(prepared.model.intact.info, prepared.model.ablation)}


def describe_variant(intact: ModelInfo, ablation: Ablation) -> Variant:
    """How a model without some layers differs from the intact one."""
    seed = ablation.seed if ablation.substitute == "shuffle" else 0
    return Variant(intact.fingerprint, tuple(dict.fromkeys(ablation.layers)), ablation.substitute, seed)


def _identify(prepared: PreparedRun) -> str:
    """The run's key: all that decides what only the network can give, and the labels it is filed under."""
    request, stimuli = prepared.request, prepared.stimuli
    rest: dict[str, object] = {} if prepared.model.arrays is None else {"device": prepared.model.device}
    if not prepared.is_measured:
        rest["measured"] = False
    if request.landmarks is not None:
        rest["landmarks"] = request.landmarks
    transforms = {
        target.transform.qualified_name: target.transform for target in prepared.targets if target.transform
    }
    return digest_key(
        {
            "model": prepared.model.info.fingerprint,
            "stimuli": stimuli.fingerprint,
            "names": [[stimulus.name, stimulus.label] for stimulus in stimuli.stimuli],
            "resize": stimuli.resize,
            "layers": [layer.name for layer in prepared.layers],
            "transforms": provenance(transforms.values()),
            "statistics": provenance(list_decisive(prepared.registry)),
            "loader": [f"{prepared.loader.name} {prepared.loader.revision}"],
            "engine": provenance([prepared.engine]),
            "batch_size": prepared.plan.batch_size,
            "filed": request.filed,
        }
        | rest
    )


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


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    started = time.perf_counter()
    try:
        yield
    finally:
        seconds[stage] = seconds.get(stage, 0.0) + time.perf_counter() - started
