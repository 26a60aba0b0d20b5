"""Everything of a run up to its plan: no history is touched, so that a dry run can stop here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from layerwise.core.base.errors import InputError
from layerwise.core.base.provider import Provider
from layerwise.core.host import kinds
from layerwise.core.host.plans import Budget, StreamPlan, Target
from layerwise.core.host.registry import Registered, Registry
from layerwise.core.host.selection import select_layers
from layerwise.core.network.ablating.ablation import Ablation, ablate
from layerwise.core.network.layers import Layer
from layerwise.core.network.model import Model
from layerwise.core.network.stimuli import LoadedStimuli
from layerwise.core.runs.planning import plan_with_stimuli
from layerwise.core.runs.request import Observer, RunRequest
from layerwise.core.runs.resolve import (
    check_locations,
    choose_engine,
    choose_transforms,
    decode_subject,
    load_subject,
)


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
    with timed(seconds, "load"):
        resolved = load_subject(request, registry, observer)
    model = resolved.model
    ablation = Ablation(request.ablate, request.ablate_with, request.seed)
    ablation.find(model)  # a name that means nothing is told before anything is decoded
    layers = select_layers(registry, request.layers, model.layers)
    if check is not None:
        check(model)
    targets = tuple(Target(layer, transform) for layer in layers for transform in [None, *transforms])
    with timed(seconds, "decode"):
        stimuli, budget = decode_subject(request, registry, model, observer)
    if request.ablate:
        observer.stage("silencing layers")
        model = ablate(model, ablation, stimuli.read, stimuli.n_stimuli, stimuli.fingerprint)
    stimuli, plan = plan_with_stimuli(request, model, targets, stimuli, budget)
    observer.planned(plan)
    return PreparedRun(
        request, digest, registry, resolved.loader, engine, model, stimuli, layers, targets, plan, budget, seconds
    )


@contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Add what a block takes, in seconds, to those of its stage."""
    started = time.perf_counter()
    try:
        yield
    finally:
        seconds[stage] = seconds.get(stage, 0.0) + time.perf_counter() - started
