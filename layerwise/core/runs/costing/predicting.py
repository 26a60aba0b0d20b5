"""What a run will cost: memory and disk as planned, time from what is known of this machine.

Time is told from the newest run of the same network under the same circumstances that the history has; where there is
none, from the first batch, tried out, where the run is long enough to be worth it. Otherwise nothing is said of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from layerwise.core.history.costs import Costs, Pace, RunCosts
from layerwise.core.history.protocols import HistoryProtocol
from layerwise.core.host.jobs import StreamJob
from layerwise.core.host.plans import StreamPlan, Target
from layerwise.core.host.registered import Registered
from layerwise.core.network.matrices.landmarks import count_pairs
from layerwise.core.network.products import keeps_double
from layerwise.core.runs.costing.amounts import foretell
from layerwise.core.runs.costing.metering import Meter
from layerwise.core.runs.costing.pilot import is_worth_it, load_sums, try_out
from layerwise.core.runs.costing.recalling import Circumstances, recall

_LAYER_BYTES = 8_000  # of a layer's statistics and their keys, and of the pages that it lies in
_STIMULUS_BYTES = 80  # of a layer's vectors and of those of its statistics
_PREDICTION_BYTES = 5 * 60  # five classes of a stimulus


@dataclass(frozen=True)
class Prediction:
    """What is predicted of a run's costs.

    Attributes:
        costs: The numbers.
        basis: What the time was told from, in words; empty where it is not known.
    """

    costs: Costs
    basis: str = ""


def predict_from_history(plan: StreamPlan, now: Circumstances, history: HistoryProtocol | None) -> Prediction:
    """What can be said without running anything; `history` is None where there is none yet."""
    recalled = None if history is None else recall(history, now)
    if recalled is None:
        return Prediction(_describe(plan, None))
    return Prediction(_describe(plan, foretell(recalled.rates, plan)), f"as fast as run {recalled.run_id[:8]}")


def predict(
    job: StreamJob, now: Circumstances, history: HistoryProtocol, statistics: Sequence[Registered[Any]], meter: Meter
) -> Prediction:
    """What a run in this process will cost, its first batch tried out where nothing is known yet.

    Args:
        job: The run.
        now: Under which circumstances.
        history: Where earlier runs are.
        statistics: What is measured of each representation.
        meter: Told what trying took.
    """
    found = predict_from_history(job.plan, now, history)
    if found.basis or not is_worth_it(job):
        load_sums(job)
        meter.set_aside()
        return found
    try:
        rates = try_out(job, statistics)
    except Exception as error:
        if not _is_exhausted(job, error):
            raise
        return found  # the run itself will do with less
    finally:
        meter.set_aside()
    return Prediction(_describe(job.plan, foretell(rates, job.plan)), "as fast as its first batch")


def settle(
    prediction: Prediction, meter: Meter, job: StreamJob, database_bytes: int | None, *, is_local: bool
) -> RunCosts:
    """What was predicted beside what happened.

    Args:
        prediction: What was.
        meter: What was measured.
        job: What was done.
        database_bytes: By which the history grew.
        is_local: Whether this process did the work: of others neither memory nor processor is seen from here.
    """
    is_host = is_local and job.model.arrays is None
    happened = Costs(
        seconds=meter.total.seconds,
        processor_seconds=meter.total.processor if is_local else None,
        memory_bytes=meter.memory_bytes + job.stimuli.memory_bytes if is_host else None,
        spool_bytes=meter.spool_bytes if is_local else None,
        database_bytes=database_bytes,
    )
    return RunCosts(prediction.costs, happened, prediction.basis, meter.rates(job.plan, is_local=is_local))


def _describe(plan: StreamPlan, time: Pace | None) -> Costs:
    return Costs(
        seconds=None if time is None else time.seconds,
        processor_seconds=None if time is None else time.processor,
        memory_bytes=plan.memory_bytes,
        spool_bytes=plan.spool_bytes,
        database_bytes=_count_stored(plan),
    )


def _count_stored(plan: StreamPlan) -> int:
    """Bytes of the layers' rows in a database, whose entries hardly compress."""
    n_stimuli, targets = plan.n_stimuli, (*plan.streamed, *plan.derived)
    n_pairs = count_pairs(n_stimuli, plan.n_landmarks)
    entries = sum(n_pairs * (8 if keeps_double(n_stimuli, _width(target)) else 4) for target in targets)
    besides = len(targets) * (_LAYER_BYTES + _STIMULUS_BYTES * n_stimuli)
    has_output = any(target.layer.role == "output" for target in targets)
    return entries + besides + (n_stimuli * _PREDICTION_BYTES if has_output else 0)


def _width(target: Target) -> int:
    return target.layer.n_features


def _is_exhausted(job: StreamJob, error: BaseException | None) -> bool:
    """Whether a device had no memory for it."""
    while error is not None:
        if job.model.arrays is not None and job.model.arrays.is_exhausted(error):
            return True
        error = error.__cause__ or error.__context__
    return False
