"""From a request and its stimuli to a plan: what may be used, what stimuli take of it, and where they are kept."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from layerwise.core.base.errors import InputError
from layerwise.core.base.machine import available_memory
from layerwise.core.host.plans import Budget, StreamPlan, Target
from layerwise.core.host.validation import check_transformed
from layerwise.core.network.matrices.landmarks import check_landmarks
from layerwise.core.network.model import Model
from layerwise.core.network.representation import read_only
from layerwise.core.network.stimuli import LoadedStimuli
from layerwise.core.runs.keeping import spool_rows
from layerwise.core.runs.request import DEFAULT_BATCH_SIZE, RunRequest
from layerwise.core.runs.streaming.planner import plan_stream


def find_budget(request: RunRequest, model: Model) -> Budget:
    """What a run may use: as asked for, else half of the memory and half of the disk that are free now.

    Of the device's memory, where layers are held on one.

    Raises:
        InputError: If there is no folder to spool to.
    """
    allowed = None if model.arrays is None else model.arrays.memory
    on_device = allowed is not None
    if allowed is None:
        allowed = available_memory() // 2 if request.memory is None else request.memory
    memory = allowed if request.memory is None else min(request.memory, allowed)
    in_tiles = model.arrays is None
    if request.spool is not None:
        return Budget(memory, request.spool, on_device, in_tiles)
    folder = request.spool_folder or tempfile.gettempdir()
    try:
        return Budget(memory, shutil.disk_usage(folder).free // 2, on_device, in_tiles)
    except OSError as error:
        raise InputError(f"cannot spool to {folder}: {error.strerror}") from error


def plan_with_stimuli(
    request: RunRequest, model: Model, targets: Sequence[Target], stimuli: LoadedStimuli, budget: Budget
) -> tuple[LoadedStimuli, StreamPlan]:
    """A plan, and the stimuli: moved to disk where nothing could be planned with them in memory.

    Raises:
        InputError: If nothing can be planned; stimuli that were spooled are gone then.
        LayerwiseError: If the disk is full.
    """
    try:
        try:
            return stimuli, plan_targets(request, model, targets, stimuli, budget)
        except InputError:
            if not 0 < stimuli.pixels.memory_bytes <= budget.spool:
                raise
        stimuli = replace(stimuli, pixels=spool_rows(stimuli.pixels, request.spool_folder))
        return stimuli, plan_targets(request, model, targets, stimuli, budget)
    except BaseException:
        let_go(request, stimuli)
        raise


def plan_targets(
    request: RunRequest, model: Model, targets: Sequence[Target], stimuli: LoadedStimuli, budget: Budget
) -> StreamPlan:
    """The plan for some targets, with the stimuli where they are.

    Raises:
        InputError: If what there is of memory does not suffice; says how much would.
    """
    if request.landmarks is not None:
        check_landmarks(request.landmarks, stimuli.n_stimuli)
    features = {target.key: _count_features(target) for target in targets}
    pixels, n_stimuli = stimuli.pixels, stimuli.n_stimuli
    held = stimuli.memory_bytes
    batch_size = request.batch_size or model.batch_size or DEFAULT_BATCH_SIZE
    if not pixels.memory_bytes:  # every batch is read anew
        held += min(batch_size, n_stimuli) * pixels.n_bytes // n_stimuli
    left = replace(budget, spool=budget.spool - pixels.spool_bytes)
    plan = plan_stream(
        model.graph, targets, features, n_stimuli, batch_size, left, held, n_landmarks=request.landmarks
    )
    return replace(plan, spool_bytes=plan.spool_bytes + pixels.spool_bytes, device=model.device)


def let_go(request: RunRequest, stimuli: LoadedStimuli) -> None:
    """Close what the stimuli of a run lie in, unless whoever asked for the run has given it and may need it again."""
    given = request.stimuli
    if not isinstance(given, LoadedStimuli) or given.pixels is not stimuli.pixels:
        stimuli.pixels.close()


def _count_features(target: Target) -> int:
    """Features of a target; a transform is asked with two stimuli of zeros."""
    if target.transform is None:
        return target.layer.n_features
    probe = np.zeros((2, *target.layer.shape), dtype=np.float32)
    changed = target.transform.call(target.transform.offer.apply, read_only(probe))
    return int(check_transformed(target.transform, changed, len(probe)).shape[1])
