"""From a variant to the run that it differs from, and from a run to its variants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layerwise.core.history.records import RunFilter, RunRecord
from layerwise.core.history.variants import Variant

if TYPE_CHECKING:
    from layerwise.core.history.protocols import HistoryProtocol


def find_baseline(history: HistoryProtocol, run: RunRecord) -> RunRecord | None:
    """The newest finished run that a variant differs from; None where there is none, or the run is no variant."""
    if run.variant is None:
        return None
    where = RunFilter(fingerprint=run.stimuli_fingerprint, model_fingerprint=run.variant.baseline, status="finished")
    found = history.list_runs(where)
    alike = [one for one in found if one.batch_size == run.batch_size]  # other batches give other last digits
    return next(iter(alike or found), None)


def list_variants(history: HistoryProtocol, baseline: RunRecord) -> list[RunRecord]:
    """The finished runs that differ from a run in what was ablated, newest first; of alike ones the newest."""
    where = RunFilter(fingerprint=baseline.stimuli_fingerprint, origin="ablated", status="finished")
    found: dict[Variant, RunRecord] = {}
    for run in history.list_runs(where):
        if run.variant is not None and run.variant.baseline == baseline.model.fingerprint:
            found.setdefault(run.variant, run)
    return list(found.values())
